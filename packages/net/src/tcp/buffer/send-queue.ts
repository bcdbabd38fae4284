import type { FramePool } from '@parakernel/hal'
import type { FrameChain } from './frame-chain.ts'
import type { MemoryBudget } from './memory-budget.ts'

const SEQUENCE = 0
const FRAME = 1
const ADDRESS = 2
const LENGTH = 3
/** Words of a slice. */
const STRIDE = 4
const NO_SLICES = new Int32Array(0)
const FIRST_CAPACITY = 4
/** From this many slices on, an empty queue gives its table back. */
const KEPT_CAPACITY = 64

/**
 * The bytes of a connection from SND.UNA on, as slices of frames, each with a reference to its frame: nothing is copied
 * but what is so short that it would cost more as a slice. A ring in one typed array that grows by doubling.
 *
 * Positions are sequence numbers (int32, wrapping). Slices are found by a cursor that follows the sender, or by binary
 * search.
 */
export class SendQueue {
  /** Sequence number of the first byte held. */
  head = 0
  /** One past the last byte. */
  tail = 0
  readonly #pool: FramePool
  readonly #budget: MemoryBudget
  readonly #copyBelow: number
  #slices = NO_SLICES
  /** Ring position of the first slice, and how many there are. */
  #first = 0
  #count = 0
  /** Slice, counted from the first, where the last look-up ended. */
  #cursor = 0

  /** @param copyBelow pushes shorter than this are copied: behind the last one, or into the frame that all connections share */
  constructor(pool: FramePool, copyBelow: number, budget: MemoryBudget) {
    this.#pool = pool
    this.#copyBelow = copyBelow
    this.#budget = budget
  }

  /** The first byte pushed will have this sequence number. Only while the queue is empty. */
  start(sequence: number): void {
    this.head = sequence | 0
    this.tail = sequence | 0
  }

  /** Bytes held. */
  get bytes(): number {
    return (this.tail - this.head) | 0
  }

  /** References to frames that are held, which is also the number of slices. */
  get frames(): number {
    return this.#count
  }

  /** Appends `length` bytes at `address` of `frame`, whose reference it takes over. */
  push(frame: number, address: number, length: number): void {
    const pool = this.#pool
    if (length === 0) {
      pool.release(frame)
      return
    }
    if (this.#count > 0 && this.#joinLast(frame, address, length)) {
      this.tail = (this.tail + length) | 0
      pool.release(frame)
      return
    }
    const { shared } = this.#budget.memory
    if (length < this.#copyBelow && shared.copy(address, length)) {
      pool.release(frame)
      if (this.#count > 0 && this.#joinLast(shared.frame, shared.address, length)) {
        this.tail = (this.tail + length) | 0
        pool.release(shared.frame)
        return
      }
      this.#add(shared.frame, shared.address, length)
    } else {
      this.#add(frame, address, length)
    }
  }

  /** Releases everything before `sequence`; returns how many bytes that were. Sequences outside the queue release nothing. */
  acknowledge(sequence: number): number {
    const released = (sequence - this.head) | 0
    if (released <= 0 || released > this.bytes) return 0
    const slices = this.#slices
    let gone = 0
    while (this.#count > 0) {
      const at = this.#first * STRIDE
      const length = slices[at + LENGTH]
      const covered = (sequence - slices[at + SEQUENCE]) | 0
      if (covered < length) {
        if (covered > 0) {
          slices[at + SEQUENCE] = sequence
          slices[at + ADDRESS] += covered
          slices[at + LENGTH] = length - covered
        }
        break
      }
      this.#pool.release(slices[at + FRAME])
      this.#first = (this.#first + 1) & this.#mask
      this.#count--
      gone++
    }
    this.#budget.creditSend(gone)
    this.#cursor = Math.max(0, this.#cursor - gone)
    this.head = sequence | 0
    if (this.#count === 0) this.#emptied()
    return released
  }

  /** Copies bytes of the queue to `into[at]` and on. The range lies within the queue. */
  copyOut(sequence: number, length: number, into: Uint8Array, at: number): void {
    const pool = this.#pool
    const { bytes } = pool
    const slices = this.#slices
    let to = at
    let left = length
    let skip = this.#find(sequence)
    for (let i = this.#cursor; left > 0; i++) {
      const row = ((this.#first + i) & this.#mask) * STRIDE
      const from = slices[row + ADDRESS] + skip
      const take = Math.min(left, slices[row + LENGTH] - skip)
      // A view a segment would be garbage; within one region none is needed.
      if (into === bytes) pool.copy(to, from, take)
      else pool.copyOut(from, take, into, to)
      to += take
      left -= take
      skip = 0
      this.#cursor = i
    }
  }

  /**
   * Appends to `chain` the slices that hold `length` bytes from `sequence` on, without references of their own: who keeps
   * them retains the frames. Returns the bytes covered, fewer than `length` when the chain is full.
   */
  seek(sequence: number, length: number, chain: FrameChain): number {
    const slices = this.#slices
    let left = length
    let skip = this.#find(sequence)
    for (let i = this.#cursor; left > 0 && !chain.isFull; i++) {
      const row = ((this.#first + i) & this.#mask) * STRIDE
      const take = Math.min(left, slices[row + LENGTH] - skip)
      chain.push(slices[row + FRAME], slices[row + ADDRESS] + skip, take)
      left -= take
      skip = 0
      this.#cursor = i
    }
    return length - left
  }

  /** Releases everything; the queue is empty at `tail`. */
  clear(): void {
    this.acknowledge(this.tail)
  }

  get #mask(): number {
    return (this.#slices.length >>> 2) - 1
  }

  /** Puts the cursor on the slice that holds `sequence`; returns the offset in it. */
  #find(sequence: number): number {
    const slices = this.#slices
    const mask = this.#mask
    let row = ((this.#first + this.#cursor) & mask) * STRIDE
    let offset = (sequence - slices[row + SEQUENCE]) | 0
    if (offset >= 0 && offset < slices[row + LENGTH]) return offset
    // Most look-ups are for the bytes behind the last ones.
    if (offset >= 0 && this.#cursor + 1 < this.#count) {
      row = ((this.#first + this.#cursor + 1) & mask) * STRIDE
      offset = (sequence - slices[row + SEQUENCE]) | 0
      if (offset >= 0 && offset < slices[row + LENGTH]) {
        this.#cursor++
        return offset
      }
    }
    let low = 0
    let high = this.#count - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      row = ((this.#first + middle) & mask) * STRIDE
      if (((sequence - slices[row + SEQUENCE]) | 0) >= 0) low = middle
      else high = middle - 1
    }
    this.#cursor = low
    return (sequence - slices[((this.#first + low) & mask) * STRIDE + SEQUENCE]) | 0
  }

  #add(frame: number, address: number, length: number): void {
    const at = this.#append()
    const slices = this.#slices
    slices[at + SEQUENCE] = this.tail
    slices[at + FRAME] = frame
    slices[at + ADDRESS] = address
    slices[at + LENGTH] = length
    this.tail = (this.tail + length) | 0
    this.#budget.chargeSend(1)
  }

  /** Makes the bytes part of the last slice: they stand behind it already, or are few enough to be copied there. */
  #joinLast(frame: number, address: number, length: number): boolean {
    const pool = this.#pool
    const slices = this.#slices
    const row = ((this.#first + this.#count - 1) & this.#mask) * STRIDE
    const last = slices[row + FRAME]
    const end = slices[row + ADDRESS] + slices[row + LENGTH]
    if (last === frame && end === address) {
      slices[row + LENGTH] += length
      return true
    }
    if (length >= this.#copyBelow) return false
    // Whoever else holds the frame may be reading or writing behind our bytes.
    if (pool.count(last) !== 1 || end + length > pool.address(last) + pool.frameSize) return false
    pool.copy(end, address, length)
    slices[row + LENGTH] += length
    return true
  }

  /** Word index of a new last slice. */
  #append(): number {
    if (this.#count * STRIDE === this.#slices.length) this.#grow()
    const row = (this.#first + this.#count++) & this.#mask
    return row * STRIDE
  }

  #grow(): void {
    const old = this.#slices
    const grown = new Int32Array(Math.max(FIRST_CAPACITY * STRIDE, old.length * 2))
    const split = this.#first * STRIDE
    grown.set(old.subarray(split))
    grown.set(old.subarray(0, split), old.length - split)
    this.#slices = grown
    this.#first = 0
  }

  #emptied(): void {
    this.#first = 0
    this.#cursor = 0
    if (this.#slices.length > KEPT_CAPACITY * STRIDE) this.#slices = NO_SLICES
  }
}
