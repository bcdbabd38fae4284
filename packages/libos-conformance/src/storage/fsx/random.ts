/** Numbers that a seed repeats (xorshift32, with the seed spread by a multiplication). */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = (Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995) | 0 || 1
  }

  /** 32 bits. */
  next(): number {
    let x = this.#state
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.#state = x
    return x >>> 0
  }

  /** From 0 to `n - 1`. */
  below(n: number): number {
    return this.next() % n
  }

  /** Whether something of 1 in `n` happens. */
  oneIn(n: number): boolean {
    return this.below(n) === 0
  }
}
