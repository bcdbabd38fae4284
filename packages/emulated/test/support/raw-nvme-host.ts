import { type DmaMapping, VirtualClock } from '@parakernel/hal'
import { EmulatedNvme, type NvmeControllerOptions } from '../../src/index.ts'

const ENTRIES = 16
const CC_ENABLED = 0x46_0001

export interface Answer {
  /** `type << 8 | code`. */
  readonly status: number
  readonly doNotRetry: boolean
  readonly value: number
  readonly identifier: number
}

/** Words of a command by their dwords; dword 0 is the opcode alone. */
export type Dwords = Readonly<Record<number, number>>

/** A host that writes registers and queue entries by hand, as no driver would: one admin queue, and one I/O queue on demand. */
export class RawNvmeHost {
  readonly controller: EmulatedNvme
  readonly clock = new VirtualClock()
  /** Pages that commands may use. */
  readonly data: DmaMapping
  readonly bytes: Uint8Array
  readonly words: Int32Array
  readonly #rings: DmaMapping
  readonly #ringWords: Int32Array
  readonly #tails = [0, 0]
  readonly #heads = [0, 0]
  readonly #phases = [1, 1]
  #identifier = 0

  constructor(options: NvmeControllerOptions = {}) {
    this.controller = new EmulatedNvme(options, this.clock)
    this.#rings = this.controller.memory.allocate(4 * 4096)
    this.#ringWords = new Int32Array(this.#rings.region.buffer)
    this.data = this.controller.memory.allocate(16 * 4096)
    this.bytes = new Uint8Array(this.data.region.buffer)
    this.words = new Int32Array(this.data.region.buffer)
  }

  read(offset: number): number {
    return this.controller.registers.read32(offset)
  }

  write(offset: number, value: number): void {
    this.controller.registers.write32(offset, value)
  }

  /** Enables the controller, and creates I/O queue 1. */
  start(): this {
    this.enable()
    const [, , submission, completion] = [0, 1, 2, 3].map((page) => this.ring(page))
    const size = (ENTRIES - 1) << 16
    const words = { 10: size | 1, 11: 1 }
    this.expectDone(this.admin({ 0: 0x05, ...address(completion as number), ...words }))
    this.expectDone(this.admin({ 0: 0x01, ...address(submission as number), 10: size | 1, 11: (1 << 16) | 1 }))
    return this
  }

  enable(asq = this.ring(0), acq = this.ring(1)): void {
    this.write(0x24, ((ENTRIES - 1) << 16) | (ENTRIES - 1))
    this.write(0x28, asq % 0x1_0000_0000)
    this.write(0x2c, Math.floor(asq / 0x1_0000_0000))
    this.write(0x30, acq % 0x1_0000_0000)
    this.write(0x34, Math.floor(acq / 0x1_0000_0000))
    this.write(0x14, CC_ENABLED)
  }

  /** Bus address of a page for rings: admin submission, admin completion, and those of queue 1. */
  ring(page: number): number {
    return this.#rings.busAddress + page * 4096
  }

  page(number: number, offset = 0): number {
    return this.data.busAddress + number * 4096 + offset
  }

  admin(words: Dwords): Answer {
    return this.#run(0, words)
  }

  io(words: Dwords): Answer {
    return this.#run(1, words)
  }

  /** Puts a command into the ring and rings the doorbell; returns its identifier. */
  submit(queue: 0 | 1, words: Dwords, identifier = ++this.#identifier): number {
    const base = (this.#rings.byteOffset + (queue === 0 ? 0 : 2) * 4096) >>> 2
    const at = base + this.#tails[queue] * 16
    this.#ringWords.fill(0, at, at + 16)
    for (const [dword, value] of Object.entries(words)) this.#ringWords[at + Number(dword)] = value
    this.#ringWords[at] |= identifier << 16
    this.#tails[queue] = (this.#tails[queue] + 1) % ENTRIES
    this.write(0x1000 + queue * 8, this.#tails[queue])
    return identifier
  }

  /** The next completion, if there is one. */
  reap(queue: 0 | 1): Answer | undefined {
    const base = (this.#rings.byteOffset + (queue === 0 ? 1 : 3) * 4096) >>> 2
    const at = base + this.#heads[queue] * 4
    const last = this.#ringWords[at + 3]
    if (((last >>> 16) & 1) !== this.#phases[queue]) return undefined
    this.#heads[queue] = (this.#heads[queue] + 1) % ENTRIES
    if (this.#heads[queue] === 0) this.#phases[queue] ^= 1
    this.write(0x1004 + queue * 8, this.#heads[queue])
    const field = last >>> 17
    return {
      status: field & 0x7ff,
      doNotRetry: (field & 0x4000) !== 0,
      value: this.#ringWords[at] >>> 0,
      identifier: last & 0xffff,
    }
  }

  expectDone({ status }: Answer): void {
    if (status !== 0) throw new Error(`status 0x${status.toString(16)}`)
  }

  #run(queue: 0 | 1, words: Dwords): Answer {
    const identifier = this.submit(queue, words)
    const answer = this.reap(queue)
    if (answer?.identifier !== identifier) throw new Error('the command was not completed')
    return answer
  }
}

/** The first data pointer, and the second. */
export function address(first: number, second = 0): Dwords {
  return {
    6: first | 0,
    7: Math.floor(first / 0x1_0000_0000),
    8: second | 0,
    9: Math.floor(second / 0x1_0000_0000),
  }
}
