const LEFT = 0
const RIGHT = 1
const HEAD = 2
const TAIL = 3
/** Words of a row. */
const STRIDE = 4
const NO_ROWS = new Int32Array(0)
const FIRST_CAPACITY = 8
/** From this many rows on, an empty table gives its memory back. */
const KEPT_CAPACITY = 64

/** Most ranges that are held apart. */
export const MAX_RANGES = 4096

/**
 * Ranges of the sequence space, sorted, without overlap and not touching each other, with the head and the tail of a list
 * of slices each. Rows stand in one typed array: found by binary search, shifted by `copyWithin`, taken off at the front by
 * moving the start.
 */
export class RangeTable {
  count = 0
  #rows = NO_ROWS
  /** Row of the array where the first range stands. */
  #start = 0

  left(index: number): number {
    return this.#rows[(this.#start + index) * STRIDE + LEFT]
  }

  right(index: number): number {
    return this.#rows[(this.#start + index) * STRIDE + RIGHT]
  }

  head(index: number): number {
    return this.#rows[(this.#start + index) * STRIDE + HEAD]
  }

  tail(index: number): number {
    return this.#rows[(this.#start + index) * STRIDE + TAIL]
  }

  set(index: number, left: number, right: number, head: number, tail: number): void {
    const at = (this.#start + index) * STRIDE
    const rows = this.#rows
    rows[at + LEFT] = left
    rows[at + RIGHT] = right
    rows[at + HEAD] = head
    rows[at + TAIL] = tail
  }

  /** Index of the first range that ends at `sequence` or after it; `count` when there is none. */
  touching(sequence: number): number {
    const rows = this.#rows
    let low = 0
    let high = this.count
    // Most segments that come late come behind the last range, or at its end.
    if (high > 0 && ((rows[(this.#start + high - 1) * STRIDE + LEFT] - sequence) | 0) <= 0) low = high - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (((rows[(this.#start + middle) * STRIDE + RIGHT] - sequence) | 0) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Puts a range before the one at `index`; fewer than `MAX_RANGES` are held. */
  insert(index: number, left: number, right: number, head: number, tail: number): void {
    const { count } = this
    const capacity = this.#rows.length / STRIDE
    if (this.#start > 0 && (index * 2 < count || this.#start + count === capacity)) {
      const from = this.#start
      this.#start--
      this.#rows.copyWithin(this.#start * STRIDE, from * STRIDE, (from + index) * STRIDE)
    } else {
      if (count === capacity) this.#grow()
      const from = this.#start + index
      this.#rows.copyWithin((from + 1) * STRIDE, from * STRIDE, (this.#start + count) * STRIDE)
    }
    this.count++
    this.set(index, left, right, head, tail)
  }

  /** Takes out the ranges from `from` to `to`, that one not included. */
  remove(from: number, to: number): void {
    if (from >= to) return
    if (from === 0) {
      this.#start += to
    } else {
      const start = this.#start
      this.#rows.copyWithin((start + from) * STRIDE, (start + to) * STRIDE, (start + this.count) * STRIDE)
    }
    this.count -= to - from
    if (this.count === 0) this.clear()
  }

  clear(): void {
    this.count = 0
    this.#start = 0
    if (this.#rows.length > KEPT_CAPACITY * STRIDE) this.#rows = NO_ROWS
  }

  #grow(): void {
    const grown = new Int32Array(Math.max(FIRST_CAPACITY * STRIDE, this.#rows.length * 2))
    grown.set(this.#rows)
    this.#rows = grown
  }
}
