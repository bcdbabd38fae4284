import type { DmaMapping } from '@parakernel/hal'
import { write64 } from '@parakernel/hal'
import type { NvmeTransport } from '@parakernel/nvme'

const ENTRIES = 16
const CC = 0x14
const CSTS = 0x1c
const AQA = 0x24
const ASQ = 0x28
const ACQ = 0x30
const DOORBELLS = 0x1000

/** Words of a submission entry (NVMe base specification 2.0, figure 87). */
export interface RawCommand {
  readonly opcode: number
  readonly namespace?: number
  /** Bus address of the data: one page at most. */
  readonly data?: number
  /** Command dwords 10 to 15. */
  readonly words?: readonly number[]
}

/** A completed command: the status field without its phase bit, and dword 0. */
export interface RawCompletion {
  readonly status: number
  readonly result: number
}

class RawQueue {
  readonly submissions: DmaMapping
  readonly completions: DmaMapping
  private readonly sq: Uint32Array
  private readonly cq: Uint32Array
  private readonly transport: NvmeTransport
  private readonly id: number
  private tail = 0
  private head = 0
  private phase = 1

  constructor(transport: NvmeTransport, id: number) {
    this.transport = transport
    this.id = id
    this.submissions = transport.memory.allocate(4096)
    this.completions = transport.memory.allocate(4096)
    this.sq = new Uint32Array(this.submissions.region.buffer, this.submissions.byteOffset, ENTRIES * 16)
    this.cq = new Uint32Array(this.completions.region.buffer, this.completions.byteOffset, ENTRIES * 4)
  }

  submit({ opcode, namespace = 0, data = 0, words = [] }: RawCommand): void {
    const at = this.tail * 16
    this.sq.fill(0, at, at + 16)
    this.sq[at] = opcode | (this.tail << 16)
    this.sq[at + 1] = namespace
    this.sq[at + 6] = data % 2 ** 32
    this.sq[at + 7] = Math.floor(data / 2 ** 32)
    this.sq.set(words, at + 10)
    this.tail = (this.tail + 1) % ENTRIES
    // CAP.DSTRD is 0 in the machine's controllers.
    this.transport.registers.write32(DOORBELLS + 8 * this.id, this.tail)
  }

  /** Polls. @throws when nothing comes within ten seconds */
  complete(): RawCompletion {
    const at = this.head * 4
    const deadline = performance.now() + 10_000
    while (((Atomics.load(this.cq, at + 3) >>> 16) & 1) !== this.phase) {
      if (performance.now() > deadline) throw new Error(`queue ${this.id}: no completion within ten seconds`)
    }
    const completion = { status: this.cq[at + 3]! >>> 17, result: this.cq[at]! }
    this.head = (this.head + 1) % ENTRIES
    if (this.head === 0) this.phase ^= 1
    this.transport.registers.write32(DOORBELLS + 8 * this.id + 4, this.head)
    return completion
  }
}

/**
 * The least that gets commands through a controller, to look at a transport without the driver: an admin queue and one pair for
 * reads and writes. Commands go one at a time.
 */
export class RawController {
  private readonly transport: NvmeTransport
  private readonly admin: RawQueue
  private io: RawQueue | undefined

  constructor(transport: NvmeTransport) {
    this.transport = transport
    const { registers } = transport
    this.setEnabled(false)
    this.admin = new RawQueue(transport, 0)
    registers.write32(AQA, ((ENTRIES - 1) << 16) | (ENTRIES - 1))
    write64(registers, ASQ, this.admin.submissions.busAddress)
    write64(registers, ACQ, this.admin.completions.busAddress)
    this.setEnabled(true)
  }

  command(command: RawCommand): RawCompletion {
    this.admin.submit(command)
    return this.admin.complete()
  }

  /** The identify page of the controller, into `data`. */
  identify(data: number): RawCompletion {
    return this.command({ opcode: 6, data, words: [1] })
  }

  /** Makes queue pair 1, which raises `vector` for each completion. */
  createQueuePair(vector: number): void {
    const io = new RawQueue(this.transport, 1)
    const size = (ENTRIES - 1) << 16
    // Physically contiguous; interrupts on.
    const completion = this.command({
      opcode: 5,
      data: io.completions.busAddress,
      words: [size | 1, (vector << 16) | 3],
    })
    const submission = this.command({ opcode: 1, data: io.submissions.busAddress, words: [size | 1, (1 << 16) | 1] })
    if (completion.status !== 0 || submission.status !== 0) throw new Error('the controller gives no queue pair')
    this.io = io
  }

  /** Starts a read (2) or a write (1) of whole blocks; `complete` ends it. */
  start(opcode: 1 | 2, namespace: number, lba: number, blocks: number, data: number): void {
    this.io!.submit({ opcode, namespace, data, words: [lba % 2 ** 32, Math.floor(lba / 2 ** 32), blocks - 1] })
  }

  complete(): RawCompletion {
    return this.io!.complete()
  }

  private setEnabled(on: boolean): void {
    const { registers } = this.transport
    // Entries of 64 and 16 bytes, pages of 4 KiB.
    registers.write32(CC, on ? (6 << 16) | (4 << 20) | 1 : 0)
    const deadline = performance.now() + 20_000
    while ((registers.read32(CSTS) & 1) !== (on ? 1 : 0)) {
      if (performance.now() > deadline) throw new Error(`the controller does not become ${on ? 'ready' : 'idle'}`)
    }
  }
}
