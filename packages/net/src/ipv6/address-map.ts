import type { IpWords } from '@parakernel/queue'

interface Entry<T> {
  readonly key: IpWords
  value: T
  next: Entry<T> | undefined
}

/**
 * A table by address whose look-up allocates nothing: a `Map` would need a string for every packet. The seed is
 * secret, so that nobody can choose addresses that all fall into one bucket. Iterates in no particular order.
 */
export class AddressMap<T> {
  readonly #seed: number
  #buckets: (Entry<T> | undefined)[] = new Array(16).fill(undefined)
  #size = 0

  constructor(seed: number) {
    this.#seed = seed | 0
  }

  get size(): number {
    return this.#size
  }

  get(key: IpWords): T | undefined {
    let entry = this.#buckets[this.#hash(key) & (this.#buckets.length - 1)]
    while (entry !== undefined) {
      const { key: k } = entry
      if (k[3] === key[3] && k[2] === key[2] && k[1] === key[1] && k[0] === key[0]) return entry.value
      entry = entry.next
    }
    return undefined
  }

  /** Keeps a copy of the key. */
  set(key: IpWords, value: T): void {
    const bucket = this.#hash(key) & (this.#buckets.length - 1)
    for (let entry = this.#buckets[bucket]; entry !== undefined; entry = entry.next) {
      if (isSame(entry.key, key)) {
        entry.value = value
        return
      }
    }
    this.#buckets[bucket] = { key: key.slice(), value, next: this.#buckets[bucket] }
    if (++this.#size > this.#buckets.length) this.#grow()
  }

  delete(key: IpWords): boolean {
    const bucket = this.#hash(key) & (this.#buckets.length - 1)
    let before: Entry<T> | undefined
    for (let entry = this.#buckets[bucket]; entry !== undefined; entry = entry.next) {
      if (isSame(entry.key, key)) {
        if (before === undefined) this.#buckets[bucket] = entry.next
        else before.next = entry.next
        this.#size--
        return true
      }
      before = entry
    }
    return false
  }

  clear(): void {
    this.#buckets = new Array(16).fill(undefined)
    this.#size = 0
  }

  *[Symbol.iterator](): IterableIterator<[IpWords, T]> {
    for (const first of [...this.#buckets]) {
      for (let entry = first; entry !== undefined; entry = entry.next) yield [entry.key, entry.value]
    }
  }

  *values(): IterableIterator<T> {
    for (const [, value] of this) yield value
  }

  #hash(key: IpWords): number {
    let h = this.#seed
    for (let i = 0; i < 4; i++) {
      h = Math.imul(h ^ key[i], 0x9e3779b1)
      h ^= h >>> 15
    }
    h = Math.imul(h, 0x85ebca6b)
    return h ^ (h >>> 13)
  }

  #grow(): void {
    const entries = [...this]
    this.#buckets = new Array(this.#buckets.length * 2).fill(undefined)
    for (const [key, value] of entries) {
      const bucket = this.#hash(key) & (this.#buckets.length - 1)
      this.#buckets[bucket] = { key, value, next: this.#buckets[bucket] }
    }
  }
}

function isSame(a: IpWords, b: IpWords): boolean {
  return a[3] === b[3] && a[2] === b[2] && a[1] === b[1] && a[0] === b[0]
}
