/** First in, first out, from a ring that grows; what is taken is not kept. */
export class Fifo<Item> {
  #items: (Item | undefined)[] = new Array(8).fill(undefined)
  #head = 0
  size = 0

  push(item: Item): void {
    if (this.size === this.#items.length) this.#grow()
    this.#items[(this.#head + this.size++) & (this.#items.length - 1)] = item
  }

  /** Puts an item before all others. */
  unshift(item: Item): void {
    if (this.size === this.#items.length) this.#grow()
    this.#head = (this.#head - 1) & (this.#items.length - 1)
    this.#items[this.#head] = item
    this.size++
  }

  shift(): Item | undefined {
    if (this.size === 0) return undefined
    const item = this.#items[this.#head]
    this.#items[this.#head] = undefined
    this.#head = (this.#head + 1) & (this.#items.length - 1)
    this.size--
    return item
  }

  /** Takes an item out of the midst; false when it is not there. */
  remove(item: Item): boolean {
    const all = this.drain()
    const at = all.indexOf(item)
    for (const [i, one] of all.entries()) if (i !== at) this.push(one)
    return at >= 0
  }

  drain(): Item[] {
    const all: Item[] = []
    for (let item = this.shift(); item !== undefined; item = this.shift()) all.push(item)
    return all
  }

  #grow(): void {
    const items = this.#items
    const { length } = items
    this.#items = Array.from({ length: 2 * length }, (_, i) =>
      i < length ? items[(this.#head + i) & (length - 1)] : undefined,
    )
    this.#head = 0
  }
}
