import type { BlockBurst, FramePool } from '@parakernel/hal'
import { foreign } from '@parakernel/linux'
import { MAX_SEGMENTS } from '../target/capabilities.ts'
import type { IoUringTransport } from '../transport.ts'

/** Words of `struct iovec`: base low, base high, length low, length high. */
const WORDS = 4

/** The vectors of the commands that have several segments: `MAX_SEGMENTS` for each slot, in memory that the kernel reads. */
export class Vectors {
  readonly #words: Int32Array
  readonly #start: number
  readonly #pool: FramePool
  readonly #regionAddress: number
  readonly #zeros: { readonly address: number; readonly length: number }

  constructor({ scratch, zeros, regionAddress }: IoUringTransport, pool: FramePool) {
    this.#words = new Int32Array(foreign().view(scratch.address, scratch.length))
    this.#start = scratch.address
    this.#pool = pool
    this.#regionAddress = regionAddress
    this.#zeros = zeros
  }

  /** Virtual address of a slot's first vector. */
  address(slot: number): number {
    return this.#start + slot * MAX_SEGMENTS * WORDS * 4
  }

  /** Writes a command's segments, neighbours in memory joined; returns how many vectors there are. */
  fill(slot: number, { frame, offset, length }: BlockBurst, first: number, count: number): number {
    const pool = this.#pool
    let n = 0
    let end = -1
    let bytes = 0
    for (let s = first; s < first + count; s++) {
      const address = this.#regionAddress + pool.address(frame[s]) + offset[s]
      if (address === end) {
        bytes += length[s]
      } else {
        bytes = length[s]
        n++
      }
      this.#write(slot, n - 1, end === address ? -1 : address, bytes)
      end = address + length[s]
    }
    return n
  }

  /** Vectors of so many zero bytes. */
  fillZeros(slot: number, bytes: number): number {
    const { address, length } = this.#zeros
    let n = 0
    for (let left = bytes; left > 0; left -= length) this.#write(slot, n++, address, Math.min(left, length))
    return n
  }

  /** Takes the first `bytes` of a slot's vectors away: they were moved. Returns how many vectors are left. */
  advance(slot: number, count: number, bytes: number): number {
    const words = this.#words
    const base = slot * MAX_SEGMENTS * WORDS
    let skip = 0
    let left = bytes
    while (skip < count && left >= words[base + skip * WORDS + 2]) left -= words[base + skip++ * WORDS + 2]
    words.copyWithin(base, base + skip * WORDS, base + count * WORDS)
    if (left > 0) this.#write(slot, 0, this.base(slot, 0) + left, words[base + 2] - left)
    return count - skip
  }

  /** Address that a vector points at. */
  base(slot: number, index: number): number {
    const at = (slot * MAX_SEGMENTS + index) * WORDS
    return (this.#words[at + 1] >>> 0) * 0x1_0000_0000 + (this.#words[at] >>> 0)
  }

  /** With an address of -1 only the length changes. */
  #write(slot: number, index: number, address: number, length: number): void {
    const words = this.#words
    const at = (slot * MAX_SEGMENTS + index) * WORDS
    if (address >= 0) {
      words[at] = address | 0
      words[at + 1] = (address / 0x1_0000_0000) | 0
    }
    words[at + 2] = length
    words[at + 3] = 0
  }
}
