/**
 * Commands that were accepted and have not run: slots, in the order in which they become due. A binary heap in typed arrays; nothing is allocated.
 */
export class PendingCommands {
  /** When each slot is due; filled in by the caller before `add`. */
  readonly due: Float64Array
  readonly #heap: Int32Array
  /** Order of arrival, which decides between equal times. */
  readonly #order: Int32Array
  #arrivals = 0
  size = 0

  constructor(slots: number) {
    this.due = new Float64Array(slots)
    this.#heap = new Int32Array(slots)
    this.#order = new Int32Array(slots)
  }

  /** The slot that is due first. There is one. */
  get first(): number {
    return this.#heap[0]
  }

  /** The slot at a position of the heap, in no particular order. */
  at(position: number): number {
    return this.#heap[position]
  }

  add(slot: number): void {
    this.#order[slot] = this.#arrivals
    this.#arrivals = (this.#arrivals + 1) | 0
    const heap = this.#heap
    let at = this.size++
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.#before(slot, heap[parent])) break
      heap[at] = heap[parent]
      at = parent
    }
    heap[at] = slot
  }

  removeFirst(): void {
    const heap = this.#heap
    const slot = heap[--this.size]
    const { size } = this
    if (size === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= size) break
      if (child + 1 < size && this.#before(heap[child + 1], heap[child])) child++
      if (!this.#before(heap[child], slot)) break
      heap[at] = heap[child]
      at = child
    }
    heap[at] = slot
  }

  #before(a: number, b: number): boolean {
    const { due } = this
    return due[a] < due[b] || (due[a] === due[b] && ((this.#order[a] - this.#order[b]) | 0) < 0)
  }
}
