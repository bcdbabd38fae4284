import type { FramePool } from '../memory/frame-pool.ts'
import {
  BLOCK_COMPARE,
  BLOCK_DEALLOCATE,
  BLOCK_FLUSH,
  BLOCK_FUA,
  BLOCK_READ,
  BLOCK_REFUSED,
  BLOCK_WRITE,
  type BlockBurst,
} from './burst.ts'
import { BLOCK_REFUSED_INVALID, BLOCK_REFUSED_LEASE, type BlockQueueGrant } from './device.ts'

/** Opcodes that have segments. */
const WITH_DATA = (1 << BLOCK_READ) | (1 << BLOCK_WRITE) | (1 << BLOCK_COMPARE)

/**
 * The check that stands before every block device: may the holder of a grant submit this command? One for each queue, with
 * everything that it needs from the grant in fields. Inside one process it guards against bugs.
 */
export class BlockCommandCheck {
  readonly #pool: FramePool
  readonly #namespace: number
  readonly #first: number
  readonly #end: number
  readonly #opcodes: number
  readonly #blockSize: number
  readonly #maxTransfer: number
  readonly #maxSegments: number
  readonly #alignment: number
  readonly #page: number
  readonly #frameSize: number

  constructor(grant: BlockQueueGrant, pool: FramePool) {
    const { range, capabilities } = grant
    this.#pool = pool
    this.#namespace = range.namespace
    this.#first = range.firstLba
    this.#end = range.firstLba + range.blocks
    this.#opcodes = capabilities.opcodes
    this.#blockSize = capabilities.blockSize
    this.#maxTransfer = capabilities.maxTransfer
    this.#maxSegments = capabilities.maxSegments
    this.#alignment = capabilities.memoryAlignment
    this.#page = capabilities.segmentPage
    this.#frameSize = pool.frameSize
  }

  /** -1 for yes, else the index of the counter that says why not: `BLOCK_REFUSED_LEASE` or `BLOCK_REFUSED_INVALID`. */
  check(burst: BlockBurst, i: number): number {
    const opcode = burst.opcode[i]
    if (opcode < 1 || opcode > 30 || (this.#opcodes & (1 << opcode)) === 0) return BLOCK_REFUSED_INVALID
    if (burst.namespace[i] !== this.#namespace) return BLOCK_REFUSED_LEASE
    if ((burst.flags[i] & ~BLOCK_FUA) !== 0) return BLOCK_REFUSED_INVALID
    if (opcode === BLOCK_FLUSH) return -1
    const blocks = burst.blocks[i]
    const lba = burst.lba[i]
    if (blocks < 1 || (blocks > this.#maxTransfer && opcode !== BLOCK_DEALLOCATE)) return BLOCK_REFUSED_INVALID
    if (lba !== Math.floor(lba)) return BLOCK_REFUSED_INVALID
    if (!(lba >= this.#first && lba + blocks <= this.#end)) return BLOCK_REFUSED_LEASE
    return (WITH_DATA & (1 << opcode)) === 0 ? -1 : this.#checkSegments(burst, i, blocks)
  }

  #checkSegments(burst: BlockBurst, i: number, blocks: number): number {
    const { frame, offset, length } = burst
    const pool = this.#pool
    const first = burst.firstSegment[i]
    const count = burst.segmentCount[i]
    const end = first + count
    if (count < 1 || count > this.#maxSegments || first < 0 || end > burst.segmentCapacity) return BLOCK_REFUSED_INVALID
    const alignment = this.#alignment
    const page = this.#page
    let total = 0
    for (let s = first; s < end; s++) {
      const at = offset[s]
      const bytes = length[s]
      if (!pool.holds(frame[s]) || at < 0 || bytes < 1 || at + bytes > this.#frameSize) return BLOCK_REFUSED_LEASE
      const address = pool.address(frame[s]) + at
      if (alignment > 1 && (address % alignment !== 0 || bytes % alignment !== 0)) return BLOCK_REFUSED_INVALID
      if (page > 0 && ((s > first && address % page !== 0) || (s < end - 1 && (address + bytes) % page !== 0))) {
        return BLOCK_REFUSED_INVALID
      }
      total += bytes
    }
    return total === blocks * this.#blockSize ? -1 : BLOCK_REFUSED_INVALID
  }
}

/** Marks a command as refused and counts it. */
export function refuseCommand(burst: BlockBurst, i: number, counter: number, counters: Float64Array): void {
  burst.flags[i] |= BLOCK_REFUSED
  burst.refused++
  counters[counter]++
}
