import { END_OF_PACKET, NetBurst } from '@parakernel/hal'

/**
 * Packets that wait for their time, as a binary heap by due time and, among equals, by order of arrival. Everything is
 * allocated once; a packet is named by the slot of its first entry, and its further entries are linked from it.
 */
export class DelayLine {
  /**
   * Element 0: the due time of the next `add`, in nanoseconds. Not an argument and not a field, because a double in either may
   * be boxed.
   */
  readonly due = new Float64Array(1)
  /** Packets that wait. */
  size = 0
  readonly #entries: NetBurst
  readonly #next: Int32Array
  readonly #due: Float64Array
  readonly #order: Int32Array
  readonly #free: Int32Array
  #freeCount: number
  readonly #heap: Int32Array
  #arrivals = 0

  constructor(capacity: number, columns: number) {
    this.#entries = new NetBurst(capacity, columns)
    this.#next = new Int32Array(capacity)
    this.#due = new Float64Array(capacity)
    this.#order = new Int32Array(capacity)
    this.#heap = new Int32Array(capacity)
    this.#free = new Int32Array(capacity)
    this.#freeCount = capacity
    for (let i = 0; i < capacity; i++) this.#free[i] = capacity - 1 - i
  }

  /** Entries for which there is room. */
  get room(): number {
    return this.#freeCount
  }

  /** Time at which the first packet is due; Infinity when none waits. */
  get next(): number {
    return this.size === 0 ? Infinity : this.#due[this.#heap[0]]
  }

  /** Whether a packet waits that is due at `now[0]`. */
  isDue(now: Float64Array): boolean {
    return this.size > 0 && this.#due[this.#heap[0]] <= now[0]
  }

  /** Entries of the packet that is due first. There is one. */
  get nextEntries(): number {
    let entries = 1
    for (let slot = this.#heap[0]; (this.#entries.flags[slot] & END_OF_PACKET) === 0; slot = this.#next[slot]) entries++
    return entries
  }

  /** Puts the packet of `entries` entries at `start` in, due at `due`. The caller has looked at `room`. */
  add(source: NetBurst, start: number, entries: number): void {
    const first = this.#free[this.#freeCount - 1]
    let previous = -1
    for (let i = 0; i < entries; i++) {
      const slot = this.#free[--this.#freeCount]
      this.#entries.copyEntry(slot, source, start + i)
      if (previous >= 0) this.#next[previous] = slot
      previous = slot
    }
    this.#due[first] = this.due[0]
    this.#order[first] = this.#arrivals
    this.#arrivals = (this.#arrivals + 1) | 0
    this.#rise(this.size++, first)
  }

  /** Moves the packet that is due first to the end of `target`, which has room for it; answers its entries. */
  takeTo(target: NetBurst): number {
    const start = target.count
    let slot = this.#heap[0]
    for (;;) {
      target.copyEntry(target.count++, this.#entries, slot)
      this.#free[this.#freeCount++] = slot
      if ((this.#entries.flags[slot] & END_OF_PACKET) !== 0) break
      slot = this.#next[slot]
    }
    const last = this.#heap[--this.size]
    if (this.size > 0) this.#sink(last)
    return target.count - start
  }

  #before(a: number, b: number): boolean {
    return this.#due[a] < this.#due[b] || (this.#due[a] === this.#due[b] && ((this.#order[a] - this.#order[b]) | 0) < 0)
  }

  #rise(from: number, slot: number): void {
    let at = from
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.#before(slot, this.#heap[parent])) break
      this.#heap[at] = this.#heap[parent]
      at = parent
    }
    this.#heap[at] = slot
  }

  #sink(slot: number): void {
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= this.size) break
      if (child + 1 < this.size && this.#before(this.#heap[child + 1], this.#heap[child])) child++
      if (!this.#before(this.#heap[child], slot)) break
      this.#heap[at] = this.#heap[child]
      at = child
    }
    this.#heap[at] = slot
  }
}
