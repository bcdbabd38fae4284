import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HalfSipHash } from '../../src/tcp/hash/half-sip-hash.ts'
import { SipHash } from '../../src/tcp/hash/sip-hash.ts'

const MASK = (1n << 64n) - 1n
const rotate = (x: bigint, by: bigint) => ((x << by) | (x >> (64n - by))) & MASK

/** SipHash-2-4 as its paper defines it, over bytes. */
function reference(k0: bigint, k1: bigint, bytes: Uint8Array): bigint {
  const v = [k0 ^ 0x736f6d6570736575n, k1 ^ 0x646f72616e646f6dn, k0 ^ 0x6c7967656e657261n, k1 ^ 0x7465646279746573n]
  const round = () => {
    v[0] = (v[0] + v[1]) & MASK
    v[1] = rotate(v[1], 13n) ^ v[0]
    v[0] = rotate(v[0], 32n)
    v[2] = (v[2] + v[3]) & MASK
    v[3] = rotate(v[3], 16n) ^ v[2]
    v[0] = (v[0] + v[3]) & MASK
    v[3] = rotate(v[3], 21n) ^ v[0]
    v[2] = (v[2] + v[1]) & MASK
    v[1] = rotate(v[1], 17n) ^ v[2]
    v[2] = rotate(v[2], 32n)
  }
  const padded = new Uint8Array((bytes.length & ~7) + 8)
  padded.set(bytes)
  padded[padded.length - 1] = bytes.length
  const view = new DataView(padded.buffer)
  for (let at = 0; at < padded.length; at += 8) {
    const m = view.getBigUint64(at, true)
    v[3] ^= m
    round()
    round()
    v[0] ^= m
  }
  v[2] ^= 0xffn
  for (let i = 0; i < 4; i++) round()
  return v[0] ^ v[1] ^ v[2] ^ v[3]
}

describe('SipHash-2-4', () => {
  it('as the tests know it gives the value of its paper (appendix A)', () => {
    const message = Uint8Array.from({ length: 15 }, (_, i) => i)
    expect(reference(0x0706050403020100n, 0x0f0e0d0c0b0a0908n, message)).toBe(0xa129ca6149be45e5n)
  })

  it('over words gives what it gives over their bytes', () => {
    const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
    fc.assert(
      fc.property(fc.tuple(word, word, word, word), fc.array(word, { maxLength: 10 }), (key, list) => {
        const words = Int32Array.from(list)
        const half = (low: number, high: number) => (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)
        const hash = new SipHash(key)
        const low = hash.hash(words, words.length)
        const expected = reference(half(key[0], key[1]), half(key[2], key[3]), new Uint8Array(words.buffer))
        expect(half(low, hash.high)).toBe(expected)
      }),
    )
  })
})

/** HalfSipHash over bytes, with 32-bit output, as its reference code has it. */
function halfReference(k0: number, k1: number, rounds: number, final: number, bytes: Uint8Array): number {
  const v = Uint32Array.of(k0, k1, 0x6c796765 ^ k0, 0x74656462 ^ k1)
  const rotl = (x: number, by: number) => (x << by) | (x >>> (32 - by))
  const round = () => {
    v[0] += v[1]
    v[1] = rotl(v[1], 5) ^ v[0]
    v[0] = rotl(v[0], 16)
    v[2] += v[3]
    v[3] = rotl(v[3], 8) ^ v[2]
    v[0] += v[3]
    v[3] = rotl(v[3], 7) ^ v[0]
    v[2] += v[1]
    v[1] = rotl(v[1], 13) ^ v[2]
    v[2] = rotl(v[2], 16)
  }
  const padded = new Uint8Array((bytes.length & ~3) + 4)
  padded.set(bytes)
  padded[padded.length - 1] = bytes.length
  const view = new DataView(padded.buffer)
  for (let at = 0; at < padded.length; at += 4) {
    v[3] ^= view.getUint32(at, true)
    for (let i = 0; i < rounds; i++) round()
    v[0] ^= view.getUint32(at, true)
  }
  v[2] ^= 0xff
  for (let i = 0; i < final; i++) round()
  return (v[1] ^ v[3]) | 0
}

describe('HalfSipHash', () => {
  it('as the tests know it gives the first published value (HalfSipHash-2-4, no bytes)', () => {
    const value = halfReference(0x03020100, 0x07060504, 2, 4, new Uint8Array(0))
    expect(value >>> 0).toBe(0x5b9f35a9)
  })

  it('over words gives what it gives over their bytes', () => {
    const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
    const address = fc.tuple(word, word, word, word)
    fc.assert(
      fc.property(word, word, address, address, word, (k0, k1, local, remote, ports) => {
        const hash = new HalfSipHash(k0, k1)
        const four = new Uint8Array(Int32Array.of(local[3], remote[3], ports).buffer)
        expect(hash.hash4(local[3], remote[3], ports)).toBe(halfReference(k0, k1, 1, 3, four))
        const six = new Uint8Array(Int32Array.of(...local, ...remote, ports).buffer)
        expect(hash.hash6(Int32Array.from(local), Int32Array.from(remote), ports)).toBe(
          halfReference(k0, k1, 1, 3, six),
        )
      }),
    )
  })
})
