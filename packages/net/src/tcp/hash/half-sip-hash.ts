import type { RandomSource } from '../../random.ts'

/**
 * HalfSipHash (Aumasson, 2016): SipHash on 32-bit words with a key of 64 bits, here with one round a word and three at the end, as
 * Linux uses it for tables. Too weak for a signature, strong enough that nobody who does not see the hashes can make keys that
 * collide.
 */
export class HalfSipHash {
  readonly #k0: number
  readonly #k1: number
  readonly #rounds: number
  readonly #finalRounds: number
  #v0 = 0
  #v1 = 0
  #v2 = 0
  #v3 = 0

  constructor(k0: number, k1: number, rounds = 1, finalRounds = 3) {
    this.#k0 = k0 | 0
    this.#k1 = k1 | 0
    this.#rounds = rounds
    this.#finalRounds = finalRounds
  }

  static random(random: RandomSource): HalfSipHash {
    return new HalfSipHash(random.next(), random.next())
  }

  /** Hash of two IPv4 addresses and two ports: three words, as little-endian bytes. */
  hash4(local: number, remote: number, ports: number): number {
    this.#start()
    this.#word(local)
    this.#word(remote)
    this.#word(ports)
    return this.#finish(12)
  }

  /** Hash of two IPv6 addresses of four words each, and two ports. */
  hash6(local: Int32Array, remote: Int32Array, ports: number): number {
    this.#start()
    for (let i = 0; i < 4; i++) this.#word(local[i])
    for (let i = 0; i < 4; i++) this.#word(remote[i])
    this.#word(ports)
    return this.#finish(36)
  }

  #start(): void {
    this.#v0 = this.#k0
    this.#v1 = this.#k1
    this.#v2 = this.#k0 ^ 0x6c796765
    this.#v3 = this.#k1 ^ 0x74656462
  }

  #word(word: number): void {
    this.#v3 ^= word
    this.#mix(this.#rounds)
    this.#v0 ^= word
  }

  /** The last block has the length in its upper eight bits. */
  #finish(bytes: number): number {
    this.#word(bytes << 24)
    this.#v2 ^= 0xff
    this.#mix(this.#finalRounds)
    return this.#v1 ^ this.#v3
  }

  #mix(rounds: number): void {
    let v0 = this.#v0
    let v1 = this.#v1
    let v2 = this.#v2
    let v3 = this.#v3
    for (let i = 0; i < rounds; i++) {
      v0 = (v0 + v1) | 0
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
      v0 = (v0 << 16) | (v0 >>> 16)
      v2 = (v2 + v3) | 0
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
      v0 = (v0 + v3) | 0
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
      v2 = (v2 + v1) | 0
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
      v2 = (v2 << 16) | (v2 >>> 16)
    }
    this.#v0 = v0
    this.#v1 = v1
    this.#v2 = v2
    this.#v3 = v3
  }
}
