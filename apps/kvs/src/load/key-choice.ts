import type { Random } from './random.ts'

/** Draws key numbers from 0 to `count` - 1. */
export interface KeyChoice {
  next(random: Random): number
  /** Keys were inserted: the range grows. */
  grow(count: number): void
}

export class UniformChoice implements KeyChoice {
  #count: number

  constructor(count: number) {
    this.#count = count
  }

  next(random: Random): number {
    return random.below(this.#count)
  }

  grow(count: number): void {
    this.#count = count
  }
}

/**
 * Zipf by rejection-inversion (Hörmann, Derflinger 1996): exact for any exponent, O(1), no tables, so a range may grow.
 * Rank 0 is the most popular.
 */
export class ZipfRanks {
  readonly #exponent: number
  #count = 0
  #hIntegralFirst = 0
  #hIntegralLast = 0
  readonly #s: number

  constructor(count: number, exponent: number) {
    this.#exponent = exponent
    this.#s = 2 - this.#inverse(this.#integral(2.5) - this.#density(2))
    this.grow(count)
  }

  grow(count: number): void {
    this.#count = count
    this.#hIntegralFirst = this.#integral(1.5) - 1
    this.#hIntegralLast = this.#integral(count + 0.5)
  }

  next(random: Random): number {
    for (;;) {
      const u = this.#hIntegralLast + random.unit() * (this.#hIntegralFirst - this.#hIntegralLast)
      const x = this.#inverse(u)
      let k = Math.floor(x + 0.5)
      if (k < 1) k = 1
      else if (k > this.#count) k = this.#count
      if (k - x <= this.#s || u >= this.#integral(k + 0.5) - this.#density(k)) return k - 1
    }
  }

  #density(x: number): number {
    return Math.exp(-this.#exponent * Math.log(x))
  }

  #integral(x: number): number {
    const log = Math.log(x)
    const t = (1 - this.#exponent) * log
    return (Math.abs(t) > 1e-8 ? Math.expm1(t) / t : 1 + t / 2) * log
  }

  #inverse(x: number): number {
    const t = Math.max(-1, x * (1 - this.#exponent))
    return Math.exp((Math.abs(t) > 1e-8 ? Math.log1p(t) / t : 1 - t / 2) * x)
  }
}

/** Draws are precomputed: a Zipf draw costs three transcendental functions, a table look-up one load. */
const TABLE = 1 << 20

/** Zipf over ranks that are scattered over the key space, so that popular keys do not sit side by side (as YCSB does). */
export class ScrambledZipfChoice implements KeyChoice {
  readonly #drawn: Int32Array
  #at = 0

  constructor(count: number, exponent: number, random: Random) {
    const ranks = new ZipfRanks(count, exponent)
    this.#drawn = new Int32Array(TABLE)
    for (let i = 0; i < TABLE; i++) this.#drawn[i] = scramble(ranks.next(random), count)
  }

  next(random: Random): number {
    // Starting over at a random place keeps the sequence from repeating in step with anything else.
    if ((this.#at & 0xffff) === 0) this.#at = random.next() & (TABLE - 1)
    const drawn = this.#drawn[this.#at]
    this.#at = (this.#at + 1) & (TABLE - 1)
    return drawn
  }

  /** Inserted keys are not drawn: YCSB gives workloads that insert the `latest` choice. */
  grow(): void {}
}

/** The most recent keys are the most popular: YCSB D. */
export class LatestChoice implements KeyChoice {
  #count: number
  readonly #ranks: ZipfRanks

  constructor(count: number, exponent: number) {
    this.#count = count
    this.#ranks = new ZipfRanks(count, exponent)
  }

  next(random: Random): number {
    return this.#count - 1 - this.#ranks.next(random)
  }

  grow(count: number): void {
    this.#count = count
    this.#ranks.grow(count)
  }
}

/** A bijection of [0, count): a Feistel network over the next power of four, walked until the result is in range. */
export function scramble(rank: number, count: number): number {
  const half = Math.max(1, Math.ceil(Math.log2(Math.max(2, count)) / 2))
  const mask = 2 ** half - 1
  let at = rank
  do {
    let left = Math.floor(at / (mask + 1))
    let right = at & mask
    for (let round = 1; round <= 4; round++) {
      const mixed = (Math.imul(right + round, 0x9e3779b1) ^ (Math.imul(right + round, 0x9e3779b1) >>> 15)) & mask
      const next = left ^ mixed
      left = right
      right = next
    }
    at = left * (mask + 1) + right
  } while (at >= count)
  return at
}
