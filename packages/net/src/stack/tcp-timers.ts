const NEVER = Number.POSITIVE_INFINITY
/** Not in the heap. */
const OUT = -1

/**
 * One timer a connection, by slot: a binary heap in typed arrays. A timer is moved only when its deadline comes nearer;
 * one that is put off stays where it is, fires early, and is set again then. So the timers that every ACK puts off cost
 * nothing until they fire.
 */
export class TcpTimers {
  #heap = new Int32Array(64)
  #size = 0
  /** By slot: the time for which it stands in the heap, and where. */
  #at = new Float64Array(64)
  #position = new Int32Array(64).fill(OUT)

  /** The earliest, `Infinity` for none. */
  get next(): number {
    return this.#size === 0 ? NEVER : this.#at[this.#heap[0]]
  }

  get size(): number {
    return this.#size
  }

  /**
   * Sees to it that the slot fires no later than `at[0]`; earlier is possible. True when it is the first of all now. The time comes
   * in a cell, since a double that is passed is boxed.
   */
  arm(slot: number, at: Float64Array): boolean {
    const deadline = at[0]
    if (slot >= this.#position.length) this.#grow(slot)
    const position = this.#position[slot]
    if (position === OUT) {
      if (deadline === NEVER) return false
      this.#at[slot] = deadline
      this.#rise(this.#size++, slot)
    } else {
      if (deadline >= this.#at[slot]) return false
      this.#at[slot] = deadline
      this.#rise(position, slot)
    }
    return this.#heap[0] === slot
  }

  /** Takes out the first slot if it is due; -1 for none. The caller asks its connection, and arms it again. */
  expired(now: Float64Array): number {
    if (this.#size === 0) return -1
    const slot = this.#heap[0]
    if (this.#at[slot] > now[0]) return -1
    this.cancel(slot)
    return slot
  }

  cancel(slot: number): void {
    if (slot >= this.#position.length) return
    const position = this.#position[slot]
    if (position === OUT) return
    this.#position[slot] = OUT
    const last = this.#heap[--this.#size]
    if (last === slot) return
    if (position > 0 && this.#at[last] < this.#at[this.#heap[(position - 1) >> 1]]) this.#rise(position, last)
    else this.#sink(position, last)
  }

  #rise(from: number, slot: number): void {
    if (this.#size > this.#heap.length) this.#growHeap()
    const heap = this.#heap
    const at = this.#at
    let position = from
    while (position > 0) {
      const parent = (position - 1) >> 1
      if (at[heap[parent]] <= at[slot]) break
      heap[position] = heap[parent]
      this.#position[heap[position]] = position
      position = parent
    }
    heap[position] = slot
    this.#position[slot] = position
  }

  #sink(from: number, slot: number): void {
    const heap = this.#heap
    const at = this.#at
    let position = from
    for (;;) {
      let child = 2 * position + 1
      if (child >= this.#size) break
      if (child + 1 < this.#size && at[heap[child + 1]] < at[heap[child]]) child++
      if (at[heap[child]] >= at[slot]) break
      heap[position] = heap[child]
      this.#position[heap[position]] = position
      position = child
    }
    heap[position] = slot
    this.#position[slot] = position
  }

  #growHeap(): void {
    const grown = new Int32Array(this.#heap.length * 2)
    grown.set(this.#heap)
    this.#heap = grown
  }

  #grow(slot: number): void {
    const size = Math.max(slot + 1, this.#position.length * 2)
    const at = new Float64Array(size)
    const position = new Int32Array(size).fill(OUT)
    at.set(this.#at)
    position.set(this.#position)
    this.#at = at
    this.#position = position
  }
}
