import { type DmaMapping, type DmaMemory, ParakernelError, type RegisterWindow } from '@parakernel/hal'
import { completionDoorbell, submissionDoorbell } from '../registers/offsets.ts'
import type { AdminCommand } from './command.ts'

/** Entries of both admin rings: a page of commands each. */
export const ADMIN_ENTRIES = 64
const PAGE = 4096
/** Data pages; commands that return data wait for one. */
const DATA_PAGES = 8
const TWO_32 = 0x1_0000_0000

/** One admin command on its way; `settled` exactly once. */
export interface PendingAdmin {
  readonly command: AdminCommand
  readonly identifier: number
  readonly page: number
  settled: boolean
  /** The controller was reset, or is gone: there is no answer. */
  lost: boolean
  field: number
  value: number
  data: Uint8Array
}

/** The admin queue pair: control thread only, polled. Each start of the controller begins with empty rings. */
export class AdminQueue {
  readonly submissionBus: number
  readonly completionBus: number
  readonly #memory: DmaMemory
  readonly #mapping: DmaMapping
  readonly #registers: RegisterWindow
  readonly #stride: number
  readonly #words: Int32Array
  readonly #bytes: Uint8Array
  readonly #submission: number
  readonly #completion: number
  readonly #pending = new Map<number, PendingAdmin>()
  readonly #freePages: number[] = []
  #tail = 0
  #head = 0
  #phase = 1
  #identifier = 0
  /** Completions that named no outstanding command. */
  rubbish = 0

  /** @throws ENOMEM */
  constructor(memory: DmaMemory, registers: RegisterWindow, stride: number) {
    this.#memory = memory
    this.#registers = registers
    this.#stride = stride
    this.#mapping = memory.allocate((2 + DATA_PAGES) * PAGE)
    const { region, byteOffset, busAddress } = this.#mapping
    this.#words = new Int32Array(region.buffer)
    this.#bytes = new Uint8Array(region.buffer)
    this.#submission = byteOffset >>> 2
    this.#completion = (byteOffset + PAGE) >>> 2
    this.submissionBus = busAddress
    this.completionBus = busAddress + PAGE
    this.restart()
  }

  get outstanding(): number {
    return this.#pending.size
  }

  /** Whether a command with data can be taken, too. */
  get ready(): boolean {
    return this.#pending.size < ADMIN_ENTRIES - 1 && this.#freePages.length > 0
  }

  /** Empties the rings: phase bits of an earlier life would be taken for completions. What was outstanding is lost. */
  restart(): void {
    this.loseAll()
    this.#words.fill(0, this.#submission, this.#submission + (2 * PAGE) / 4)
    this.#tail = 0
    this.#head = 0
    this.#phase = 1
    this.#freePages.length = 0
    for (let page = DATA_PAGES - 1; page >= 0; page--) this.#freePages.push(page)
  }

  /** Settles everything without an answer. The controller must have stopped, or be gone. */
  loseAll(): void {
    for (const pending of this.#pending.values()) {
      pending.settled = true
      pending.lost = true
    }
    this.#pending.clear()
  }

  /** @throws EAGAIN when the queue is full; see `ready` */
  submit(command: AdminCommand): PendingAdmin {
    if (!this.ready) throw new ParakernelError('EAGAIN', 'the admin queue is full', { subject: command.name })
    const identifier = this.#nextIdentifier()
    const page = command.reads === undefined ? -1 : (this.#freePages.pop() as number)
    const address = command.address ?? (page < 0 ? 0 : this.#mapping.busAddress + (2 + page) * PAGE)
    const words = this.#words
    const at = this.#submission + (this.#tail << 4)
    words.fill(0, at, at + 16)
    words[at + 1] = command.namespace ?? 0
    words[at + 6] = address | 0
    words[at + 7] = (address / TWO_32) | 0
    words[at + 10] = command.dword10 ?? 0
    words[at + 11] = command.dword11 ?? 0
    words[at + 12] = command.dword12 ?? 0
    words[at] = command.opcode | (identifier << 16)
    const data = new Uint8Array(0)
    const pending = { command, identifier, page, settled: false, lost: false, field: 0, value: 0, data }
    this.#pending.set(identifier, pending)
    this.#tail = (this.#tail + 1) % ADMIN_ENTRIES
    this.#registers.write32(submissionDoorbell(0, this.#stride), this.#tail)
    return pending
  }

  /** Settles what was answered. */
  poll(): void {
    const words = this.#words
    const before = this.#head
    for (;;) {
      const at = this.#completion + (this.#head << 2)
      const last = Atomics.load(words, at + 3)
      if (((last >>> 16) & 1) !== this.#phase) break
      this.#settle(last & 0xffff, last >>> 17, words[at] >>> 0)
      this.#head = (this.#head + 1) % ADMIN_ENTRIES
      if (this.#head === 0) this.#phase ^= 1
      // A controller that writes rubbish could keep the loop busy for ever.
      if (this.#head === before) break
    }
    if (this.#head !== before) this.#registers.write32(completionDoorbell(0, this.#stride), this.#head)
  }

  close(): void {
    this.loseAll()
    this.#memory.unmap(this.#mapping)
  }

  #settle(identifier: number, field: number, value: number): void {
    const pending = this.#pending.get(identifier)
    if (pending === undefined) {
      this.rubbish++
      return
    }
    this.#pending.delete(identifier)
    pending.settled = true
    pending.field = field
    pending.value = value
    if (pending.page < 0) return
    const from = this.#mapping.byteOffset + (2 + pending.page) * PAGE
    pending.data = this.#bytes.slice(from, from + (pending.command.reads ?? 0))
    this.#freePages.push(pending.page)
  }

  /** From 1; never one that is still outstanding, as event requests are for long. */
  #nextIdentifier(): number {
    do this.#identifier = (this.#identifier % 0xfffe) + 1
    while (this.#pending.has(this.#identifier))
    return this.#identifier
  }
}
