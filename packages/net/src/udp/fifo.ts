/** A queue over a ring that doubles when it is full: no shifting, no allocation in steady state. */
export class Fifo<T> {
  #ring: (T | undefined)[] = new Array(8).fill(undefined)
  #head = 0
  #size = 0

  get size(): number {
    return this.#size
  }

  push(item: T): void {
    if (this.#size === this.#ring.length) this.#grow()
    this.#ring[(this.#head + this.#size) & (this.#ring.length - 1)] = item
    this.#size++
  }

  shift(): T | undefined {
    if (this.#size === 0) return undefined
    const item = this.#ring[this.#head]
    this.#ring[this.#head] = undefined
    this.#head = (this.#head + 1) & (this.#ring.length - 1)
    this.#size--
    return item
  }

  /** The item that `shift` would take. */
  get first(): T | undefined {
    return this.#size === 0 ? undefined : this.#ring[this.#head]
  }

  /** Takes out the first item that equals `item`; false when there is none. */
  remove(item: T): boolean {
    return this.removeWhere((other) => other === item) !== undefined
  }

  /** Takes out the first item for which `matches` holds, and returns it. */
  removeWhere(matches: (item: T) => boolean): T | undefined {
    const items: T[] = []
    for (let next = this.shift(); next !== undefined; next = this.shift()) items.push(next)
    const at = items.findIndex(matches)
    const removed = at < 0 ? undefined : items.splice(at, 1)[0]
    for (const other of items) this.push(other)
    return removed
  }

  #grow(): void {
    const items = this.#ring.map((_, i) => this.#ring[(this.#head + i) & (this.#ring.length - 1)])
    this.#ring = [...items, ...new Array(items.length).fill(undefined)]
    this.#head = 0
  }
}
