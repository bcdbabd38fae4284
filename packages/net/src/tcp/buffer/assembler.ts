import type { FramePool } from '@parakernel/hal'
import type { MemoryBudget } from './memory-budget.ts'
import { MAX_RANGES, RangeTable } from './range-table.ts'
import { NONE, SliceLists } from './slice-lists.ts'

/** Not held, for want of memory; its sender will send it again. */
export const INSERT_REFUSED = 0
export const INSERT_IN_ORDER = 1
export const INSERT_OUT_OF_ORDER = 2
/** Held already, all of it. */
export const INSERT_DUPLICATE = 3

/** Segments up to this long are copied behind their neighbour rather than held in a frame of their own. */
export const COPIED_LENGTH = 512

/**
 * Data beyond a gap: ranges of the sequence space, each a list of slices of frames. A segment costs a binary search over
 * the ranges and, when it opens or closes gaps, one `copyWithin` over at most `MAX_RANGES` rows of 16 bytes, whatever an
 * adversary sends: every slice is linked once and unlinked once. Frames are bounded by the socket's budget; when that is
 * spent, the data furthest away gives way to what is nearer, so that what closes the first gap is always taken.
 */
export class Assembler {
  /** Bytes held. */
  bytes = 0
  /** After an `insert`: whether the frame's reference was taken over. Otherwise it is still the caller's. */
  took = false
  /** After an `insert`: what of the segment was held already (the first such range); empty when both are equal. */
  overlapLeft = 0
  overlapRight = 0
  /** The slice that `shift` took off. */
  frame = NONE
  address = 0
  /** Slices that gave way to nearer ones. */
  evicted = 0
  readonly ranges = new RangeTable()
  readonly #pool: FramePool
  readonly #budget: MemoryBudget
  readonly #slices = new SliceLists()

  constructor(pool: FramePool, budget: MemoryBudget) {
    this.#pool = pool
    this.#budget = budget
  }

  get isEmpty(): boolean {
    return this.ranges.count === 0
  }

  /** References to frames that are held. */
  get frames(): number {
    return this.#slices.count
  }

  /** Bytes `left` to `right` of the sequence space, which stand at `address` in `frame`. */
  insert(left: number, right: number, frame: number, address: number): number {
    this.took = false
    const result = this.#insert(left, right, frame, address)
    if (result !== INSERT_REFUSED || !this.#evictBeyond(right)) return result
    return this.#insert(left, right, frame, address, true)
  }

  /**
   * Takes off the first slice if its range begins at or before `next`, without what lies before `next`: its length, and
   * `frame` with its reference and `address`; 0 when there is a gap, or nothing. The budget stays charged for it.
   */
  shift(next: number): number {
    const { ranges } = this
    while (ranges.count > 0) {
      const left = ranges.left(0)
      const behind = (next - left) | 0
      if (behind < 0) return 0
      const slices = this.#slices
      const slice = ranges.head(0)
      const length = slices.length(slice)
      const following = slices.next(slice)
      this.frame = slices.frame(slice)
      this.address = slices.address(slice) + behind
      slices.remove(slice)
      this.bytes -= length
      if (following === NONE) ranges.remove(0, 1)
      else ranges.set(0, (left + length) | 0, ranges.right(0), following, ranges.tail(0))
      if (length > behind) return length - behind
      this.#pool.release(this.frame)
      this.#budget.credit(1)
    }
    return 0
  }

  /** Releases everything; returns how many slices that were. */
  clear(): number {
    const { ranges } = this
    const { count } = this.#slices
    for (let i = 0; i < ranges.count; i++) this.#releaseList(ranges.head(i))
    ranges.clear()
    this.bytes = 0
    return count
  }

  #insert(left: number, right: number, frame: number, address: number, exchanged = false): number {
    const { ranges } = this
    const slices = this.#slices
    const at = ranges.touching(left)
    const joinsLeft = at < ranges.count && ((ranges.left(at) - left) | 0) <= 0
    const start = joinsLeft ? ranges.right(at) : left
    if (joinsLeft && ((right - start) | 0) <= 0) {
      this.overlapLeft = left
      this.overlapRight = right
      return INSERT_DUPLICATE
    }
    // Ranges that the segment covers are replaced by it: one slice instead of many.
    const first = joinsLeft ? at + 1 : at
    let after = first
    while (after < ranges.count && ((ranges.right(after) - right) | 0) <= 0) after++
    const joinsRight = after < ranges.count && ((ranges.left(after) - right) | 0) <= 0
    const end = joinsRight ? ranges.left(after) : right
    const from = address + ((start - left) | 0)
    const length = (end - start) | 0
    this.#noteOverlap(left, start, first, after, end, right)
    let slice = joinsLeft ? this.#copyBehind(ranges.tail(at), from, length) : NONE
    if (slice === NONE) {
      const opens = !joinsLeft && !joinsRight && after === first
      const room = exchanged || after > first || this.#budget.allowsOutOfOrder
      if (!room || (opens && ranges.count >= MAX_RANGES)) return INSERT_REFUSED
      slice = slices.add(frame, from, length)
      this.#budget.charge(1)
      this.took = true
      if (joinsLeft) slices.link(ranges.tail(at), slice)
    }
    for (let i = first; i < after; i++) {
      this.bytes -= (ranges.right(i) - ranges.left(i)) | 0
      this.#releaseList(ranges.head(i))
    }
    this.bytes += length
    const row = joinsLeft ? at : first
    const rangeLeft = joinsLeft ? ranges.left(at) : start
    const head = joinsLeft ? ranges.head(at) : slice
    const rangeRight = joinsRight ? ranges.right(after) : end
    const tail = joinsRight ? ranges.tail(after) : slice
    if (joinsRight) slices.link(slice, ranges.head(after++))
    if (row < after) {
      ranges.set(row, rangeLeft, rangeRight, head, tail)
      ranges.remove(row + 1, after)
    } else {
      ranges.insert(row, rangeLeft, rangeRight, head, tail)
    }
    return INSERT_OUT_OF_ORDER
  }

  /** The first part of a segment that was held before: at its front, a whole range in it, or at its end (RFC 2883). */
  #noteOverlap(left: number, start: number, first: number, after: number, end: number, right: number): void {
    const { ranges } = this
    const inside = start === left && after > first
    this.overlapLeft = start !== left ? left : inside ? ranges.left(first) : end
    this.overlapRight = start !== left ? start : inside ? ranges.right(first) : right
  }

  /** Copies a short piece behind the slice it continues, where that one's frame has room and no other reader. */
  #copyBehind(slice: number, from: number, length: number): number {
    if (length > COPIED_LENGTH && !this.#budget.isTight) return NONE
    const pool = this.#pool
    const frame = this.#slices.frame(slice)
    const end = this.#slices.address(slice) + this.#slices.length(slice)
    const room = pool.address(frame) + pool.frameSize - pool.window.tailroom - end
    if (length > room || pool.count(frame) !== 1) return NONE
    pool.copy(end, from, length)
    this.#slices.lengthen(slice, length)
    return slice
  }

  /** Releases the last slice if it reaches further than `right`. */
  #evictBeyond(right: number): boolean {
    const { ranges } = this
    const last = ranges.count - 1
    if (last < 0 || ((ranges.right(last) - right) | 0) <= 0) return false
    const slices = this.#slices
    const slice = ranges.tail(last)
    const length = slices.length(slice)
    const previous = slices.previous(slice)
    this.#pool.release(slices.frame(slice))
    this.#budget.credit(1)
    slices.remove(slice)
    this.bytes -= length
    this.evicted++
    if (previous === NONE) ranges.remove(last, last + 1)
    else ranges.set(last, ranges.left(last), (ranges.right(last) - length) | 0, ranges.head(last), previous)
    return true
  }

  #releaseList(head: number): void {
    const slices = this.#slices
    let gone = 0
    for (let slice = head; slice !== NONE; gone++) {
      const next = slices.next(slice)
      this.#pool.release(slices.frame(slice))
      slices.remove(slice)
      slice = next
    }
    this.#budget.credit(gone)
  }
}
