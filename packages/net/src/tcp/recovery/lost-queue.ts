const SMALLEST = 8
const EMPTY = new Int32Array(0)

/**
 * Sequence numbers of records that wait to be sent again, lowest first (RFC 6675 section 4, NextSeg rule 1): a binary heap.
 * Entries are not removed when their record is acknowledged in the meantime; who takes one looks whether it still stands.
 */
export class LostQueue {
  count = 0
  #heap = EMPTY

  /** The lowest; only when `count` is above 0. */
  get first(): number {
    return this.#heap[0]
  }

  push(sequence: number): void {
    if (this.count === this.#heap.length) this.#grow()
    const heap = this.#heap
    let at = this.count++
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (((heap[parent] - sequence) | 0) <= 0) break
      heap[at] = heap[parent]
      at = parent
    }
    heap[at] = sequence
  }

  /** Removes the lowest. */
  pop(): void {
    const heap = this.#heap
    const count = --this.count
    const moved = heap[count]
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= count) break
      if (child + 1 < count && ((heap[child + 1] - heap[child]) | 0) < 0) child++
      if (((heap[child] - moved) | 0) >= 0) break
      heap[at] = heap[child]
      at = child
    }
    heap[at] = moved
  }

  clear(): void {
    this.count = 0
    if (this.#heap.length > SMALLEST) this.#heap = EMPTY
  }

  #grow(): void {
    const heap = new Int32Array(this.#heap.length === 0 ? SMALLEST : this.#heap.length * 2)
    heap.set(this.#heap)
    this.#heap = heap
  }
}
