import type { Segment } from '../segment.ts'
import type { RangeTable } from './range-table.ts'

/** Ranges that are remembered as the last that changed: what fits into an ACK. */
const RECENT = 4

/**
 * What the SACK option of the next ACK says. The ranges that changed last are remembered by a sequence number in them, so
 * that they may grow and join in between (RFC 2018 section 4).
 */
export class SackReport {
  /** A range that came twice and is not reported yet (RFC 2883). */
  hasDuplicate = false
  #duplicateLeft = 0
  #duplicateRight = 0
  #recent0 = 0
  #recent1 = 0
  #recent2 = 0
  #recent3 = 0
  #count = 0

  /** Bytes `left` to `right` came again; the last such range before an ACK is the one reported. */
  duplicate(left: number, right: number): void {
    this.hasDuplicate = true
    this.#duplicateLeft = left
    this.#duplicateRight = right
  }

  /** A segment that begins at `sequence` changed its range: it is the first to be reported. */
  received(sequence: number, ranges: RangeTable): void {
    const range = ranges.touching((sequence + 1) | 0)
    if (this.#count > 0 && within(this.#recent0, ranges, range)) {
      this.#recent0 = sequence
      return
    }
    if (this.#count > 1 && within(this.#recent1, ranges, range)) this.#recent1 = this.#recent0
    else {
      if (this.#count > 2 && within(this.#recent2, ranges, range)) this.#recent2 = this.#recent1
      else {
        this.#recent3 = this.#recent2
        this.#recent2 = this.#recent1
        if (this.#count < RECENT) this.#count++
      }
      this.#recent1 = this.#recent0
    }
    if (this.#count === 0) this.#count = 1
    this.#recent0 = sequence
  }

  fill(segment: Segment, limit: number, ranges: RangeTable | undefined): void {
    let blocks = 0
    if (this.hasDuplicate) {
      segment.sackLeft[0] = this.#duplicateLeft
      segment.sackRight[0] = this.#duplicateRight
      blocks = 1
      this.hasDuplicate = false
    }
    segment.sackCount = blocks
    if (ranges === undefined || ranges.count === 0) return
    const first = blocks
    if (this.#count > 0) addRange(segment, first, limit, ranges, this.#recent0)
    if (this.#count > 1) addRange(segment, first, limit, ranges, this.#recent1)
    if (this.#count > 2) addRange(segment, first, limit, ranges, this.#recent2)
    if (this.#count > 3) addRange(segment, first, limit, ranges, this.#recent3)
    // Room that is left tells of the lowest ranges: a sender that lost an ACK learns of them again.
    for (let i = 0; i < ranges.count && i < limit; i++) addRange(segment, first, limit, ranges, ranges.left(i))
  }

  clear(): void {
    this.hasDuplicate = false
    this.#count = 0
  }
}

/** Whether `sequence` lies in the range at `index`. */
function within(sequence: number, ranges: RangeTable, index: number): boolean {
  return (
    index < ranges.count && ((sequence - ranges.left(index)) | 0) >= 0 && ((ranges.right(index) - sequence) | 0) > 0
  )
}

/** Appends the range that holds `sequence`, unless it was evicted, delivered, or is listed from `first` on already. */
function addRange(segment: Segment, first: number, limit: number, ranges: RangeTable, sequence: number): void {
  const blocks = segment.sackCount
  const index = ranges.touching((sequence + 1) | 0)
  if (blocks === limit || !within(sequence, ranges, index)) return
  const left = ranges.left(index)
  for (let i = first; i < blocks; i++) if (segment.sackLeft[i] === left) return
  segment.sackLeft[blocks] = left
  segment.sackRight[blocks] = ranges.right(index)
  segment.sackCount = blocks + 1
}
