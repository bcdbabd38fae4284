/** xorshift128 (Marsaglia 2003) with integer state: fast, seeded, good enough to draw keys. Not for secrets. */
export class Random {
  #x: number
  #y: number
  #z: number
  #w: number

  constructor(seed: number) {
    // splitmix32 fills the state, so that seeds 1 and 2 give unrelated streams.
    let state = seed | 0
    const next = () => {
      state = (state + 0x9e3779b9) | 0
      let t = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
      t = Math.imul(t ^ (t >>> 15), 0x735a2d97)
      return t ^ (t >>> 15)
    }
    this.#x = next()
    this.#y = next()
    this.#z = next()
    this.#w = next() | 1
  }

  /** A uniform u32. */
  next(): number {
    const t = this.#x ^ (this.#x << 11)
    this.#x = this.#y
    this.#y = this.#z
    this.#z = this.#w
    this.#w = this.#w ^ (this.#w >>> 19) ^ t ^ (t >>> 8)
    return this.#w >>> 0
  }

  /** Uniform in [0, 1). */
  unit(): number {
    return this.next() / 4294967296
  }

  /** Uniform in [0, n), n <= 2^32. */
  below(n: number): number {
    return Math.floor((this.next() / 4294967296) * n)
  }
}
