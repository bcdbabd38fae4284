import { createPlainRegion } from '@parakernel/hal'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bucketOf, keyhash, MicaPartition, partitionOf, RequestBatch, tagOf } from '../src/index.ts'
import { bucketAt } from '../src/typescript/bucket-index.ts'
import { StoreMemory } from '../src/typescript/store-memory.ts'
import { KERNELS, pattern } from './support/harness.ts'

function hash(key: Uint8Array): string {
  const out = new Uint32Array(2)
  keyhash(key, 0, key.length, out)
  return `${out[1].toString(16).padStart(8, '0')}${out[0].toString(16).padStart(8, '0')}`
}

describe('keyhash', () => {
  // These fix the function: clients and stored data depend on it. The high lane comes first.
  it.each([
    ['', 'aea8d56eb176ad35'],
    ['a', 'e18d47454b5a67f5'],
    ['ab', '9e41e0400acd130a'],
    ['abc', '196dcdfd49399ecd'],
    ['abcd', '913394a857e228d2'],
    ['12345678', 'c0af1e1efdfb3539'],
    ['the quick brown fox', '0caede26171cd31c'],
  ])('of %j is %s', (key, expected) => {
    expect(hash(new TextEncoder().encode(key))).toBe(expected)
  })

  it('does not depend on the offset or on bytes around the key', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 255 }), fc.nat(9), fc.nat(255), (key, offset, noise) => {
        const framed = new Uint8Array(key.length + 20).fill(noise)
        framed.set(key, offset)
        const out = new Uint32Array(2)
        keyhash(framed, offset, key.length, out)
        const alone = new Uint32Array(2)
        keyhash(key, 0, key.length, alone)
        expect([...out]).toEqual([...alone])
      }),
    )
  })

  it('flips each output bit for half of all single-bit changes', () => {
    const flips = new Float64Array(64)
    const before = new Uint32Array(2)
    const after = new Uint32Array(2)
    const samples = 300
    for (let n = 0; n < samples; n++) {
      const key = pattern(12, n + 1)
      keyhash(key, 0, 12, before)
      for (let bit = 0; bit < 96; bit++) {
        key[bit >> 3] ^= 1 << (bit & 7)
        keyhash(key, 0, 12, after)
        key[bit >> 3] ^= 1 << (bit & 7)
        for (let i = 0; i < 64; i++) flips[i] += ((before[i >> 5] ^ after[i >> 5]) >>> (i & 31)) & 1
      }
    }
    for (const count of flips) expect(Math.abs(count / (samples * 96) - 0.5)).toBeLessThan(0.02)
  })

  it('spreads sequential keys over buckets, tags and partitions as chance would', () => {
    const keys = 1 << 18
    const buckets = new Uint32Array(1 << 14)
    const partitions = new Uint32Array(6)
    const seen = new Set<number>()
    const key = new Uint8Array(8)
    const view = new DataView(key.buffer)
    const out = new Uint32Array(2)
    for (let n = 0; n < keys; n++) {
      view.setUint32(0, n, true)
      keyhash(key, 0, 8, out)
      buckets[bucketOf(out[0], out[1], buckets.length - 1)]++
      partitions[partitionOf(out[1], 6)]++
      seen.add(out[1] * 2 ** 21 + (out[0] >>> 11))
    }
    expect(seen.size).toBe(keys)
    const mean = keys / buckets.length
    let chi = 0
    for (const count of buckets) chi += (count - mean) ** 2 / mean
    // Chi-squared with 16383 degrees of freedom: mean 16383, standard deviation 181.
    expect(Math.abs(chi - 16383)).toBeLessThan(181 * 5)
    for (const count of partitions) expect(Math.abs(count / (keys / 6) - 1)).toBeLessThan(0.02)
  })

  it('gives tag, bucket and partition bits of their own', () => {
    const parts = (lo: number, hi: number) => [tagOf(lo), bucketOf(lo, hi, 2 ** 26 - 1), partitionOf(hi, 4096)]
    const zero = parts(0, 0)
    for (let bit = 0; bit < 64; bit++) {
      const flipped = parts(bit < 32 ? 1 << bit : 0, bit < 32 ? 0 : 1 << (bit - 32))
      const changed = flipped.filter((part, i) => part !== zero[i]).length
      expect(changed, `bit ${bit}`).toBe(1)
    }
  })

  it.each(KERNELS)('has a twin in the %s kernel', (kernel) => {
    const { memory } = createPlainRegion(1 << 20)
    const partition = new MicaPartition({ memory, byteLength: 1 << 19, kernel, hashing: 'compute' })
    const batch = new RequestBatch(memory, 1 << 19, 260)
    const bytes = new Uint8Array(memory.buffer)
    const out = new Int32Array(2)
    for (let length = 0; length <= 256; length++) {
      const address = (1 << 19) + 65_536 + length * 263
      bytes.set(pattern(length, length), address)
      batch.add(1, 1, 2, address, length)
    }
    partition.prepare(batch, 0)
    for (let length = 1; length <= 255; length++) {
      keyhash(bytes, batch.keyAddress[length], length, out)
      expect([batch.hashLo[length], batch.hashHi[length]]).toEqual([out[0], out[1]])
    }
    expect([batch.hashLo[0], batch.hashHi[256]]).toEqual([1, 2])
    expect(partition.statistics().hashMismatches).toBe(255)
    partition.prepare(batch, 0)
    expect(partition.statistics().hashMismatches).toBe(255)
  })

  it('agrees with the index about buckets', () => {
    const { memory } = createPlainRegion(1 << 20)
    new MicaPartition({ memory, buckets: 64 })
    const s = new StoreMemory(memory, 0)
    for (let n = 0; n < 1000; n++) {
      const lo = Math.imul(n, 0x9e3779b1)
      const hi = Math.imul(n, 0x85ebca77)
      expect(bucketAt(s, lo, hi)).toBe(s.index + bucketOf(lo, hi, 63) * 16)
    }
  })
})
