import type { RandomSource } from '../../random.ts'

/**
 * SipHash-2-4 (Aumasson and Bernstein, 2012) over 32-bit words: a pseudo-random function with a key of 128 bits, for what
 * a blind attacker must not predict. Its 64-bit words are halves in int32, because the engine has no 64-bit integers that
 * are not objects.
 */
export class SipHash {
  /** Upper half of the last hash; `hash` returns the lower one. */
  high = 0
  readonly #k0Low: number
  readonly #k0High: number
  readonly #k1Low: number
  readonly #k1High: number
  // v0 to v3, low and high
  #a = 0
  #A = 0
  #b = 0
  #B = 0
  #c = 0
  #C = 0
  #d = 0
  #D = 0

  /** @param key 128 bits, the lowest first */
  constructor(key: readonly [number, number, number, number]) {
    this.#k0Low = key[0] | 0
    this.#k0High = key[1] | 0
    this.#k1Low = key[2] | 0
    this.#k1High = key[3] | 0
  }

  static random(random: RandomSource): SipHash {
    return new SipHash([random.next(), random.next(), random.next(), random.next()])
  }

  /** Hash of the first `count` words, taken as little-endian bytes. */
  hash(words: Int32Array, count: number): number {
    this.#a = this.#k0Low ^ 0x70736575
    this.#A = this.#k0High ^ 0x736f6d65
    this.#b = this.#k1Low ^ 0x6e646f6d
    this.#B = this.#k1High ^ 0x646f7261
    this.#c = this.#k0Low ^ 0x6e657261
    this.#C = this.#k0High ^ 0x6c796765
    this.#d = this.#k1Low ^ 0x79746573
    this.#D = this.#k1High ^ 0x74656462
    const even = count & ~1
    for (let i = 0; i < even; i += 2) this.#block(words[i], words[i + 1])
    this.#block(even < count ? words[even] : 0, (count << 26) | 0)
    this.#c ^= 0xff
    this.#round()
    this.#round()
    this.#round()
    this.#round()
    this.high = this.#A ^ this.#B ^ this.#C ^ this.#D
    return this.#a ^ this.#b ^ this.#c ^ this.#d
  }

  #block(low: number, high: number): void {
    this.#d ^= low
    this.#D ^= high
    this.#round()
    this.#round()
    this.#a ^= low
    this.#A ^= high
  }

  /** One SipRound. A sum's carry is where it came out smaller than a summand, both read unsigned. */
  #round(): void {
    let a = this.#a
    let A = this.#A
    let b = this.#b
    let B = this.#B
    let c = this.#c
    let C = this.#C
    let d = this.#d
    let D = this.#D
    a = (a + b) | 0
    A = (A + B + (a >>> 0 < b >>> 0 ? 1 : 0)) | 0
    let t = (b << 13) | (B >>> 19)
    B = ((B << 13) | (b >>> 19)) ^ A
    b = t ^ a
    t = a
    a = A
    A = t
    c = (c + d) | 0
    C = (C + D + (c >>> 0 < d >>> 0 ? 1 : 0)) | 0
    t = (d << 16) | (D >>> 16)
    D = ((D << 16) | (d >>> 16)) ^ C
    d = t ^ c
    a = (a + d) | 0
    A = (A + D + (a >>> 0 < d >>> 0 ? 1 : 0)) | 0
    t = (d << 21) | (D >>> 11)
    D = ((D << 21) | (d >>> 11)) ^ A
    d = t ^ a
    c = (c + b) | 0
    C = (C + B + (c >>> 0 < b >>> 0 ? 1 : 0)) | 0
    t = (b << 17) | (B >>> 15)
    B = ((B << 17) | (b >>> 15)) ^ C
    b = t ^ c
    t = c
    c = C
    C = t
    this.#a = a
    this.#A = A
    this.#b = b
    this.#B = B
    this.#c = c
    this.#C = C
    this.#d = d
    this.#D = D
  }
}
