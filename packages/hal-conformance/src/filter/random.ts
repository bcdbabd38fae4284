/** Seeded numbers: the same cases in every run, on every back end. */
export class CaseRandom {
  #state: number

  constructor(seed: number) {
    this.#state = seed | 0
  }

  /** Mulberry32: an unsigned number of 32 bits. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return (t ^ (t >>> 14)) >>> 0
  }

  /** From 0 to `bound` - 1. */
  below(bound: number): number {
    return this.next() % bound
  }

  chance(share: number): boolean {
    return this.next() < share * 2 ** 32
  }

  pick<Item>(list: readonly Item[]): Item {
    return list[this.below(list.length)] as Item
  }
}
