import fc from 'fast-check'
import { expect, test } from 'vitest'
import { copyBytes, createPlainWindow, FramePool } from '../src/index.ts'

const bytes = (length: number, seed: number) => Uint8Array.from({ length }, (_, i) => (i * 31 + seed) & 0xff)

test('copies any part of any array to and from frames, and nothing beside it', () => {
  const pool = new FramePool(createPlainWindow(8))
  fc.assert(
    fc.property(
      fc.nat(6000),
      fc.nat(300),
      fc.nat(300),
      fc.nat(5000),
      fc.nat(255),
      (length, before, after, to, seed) => {
        const source = bytes(before + length + after, seed)
        pool.bytes.fill(0xee)
        pool.copyIn(to, source, before, length)
        expect(Buffer.compare(pool.bytes.subarray(to, to + length), source.subarray(before, before + length))).toBe(0)
        if (to > 0) expect(pool.bytes[to - 1]).toBe(0xee)
        expect(pool.bytes[to + length]).toBe(0xee)
        const back = new Uint8Array(before + length + 1).fill(0xdd)
        pool.copyOut(to, length, back, before)
        expect(Buffer.compare(back.subarray(before, before + length), source.subarray(before, before + length))).toBe(0)
        expect(back.at(-1)).toBe(0xdd)
      },
    ),
  )
})

test('copies ranges that overlap as if there were another array between', () => {
  const pool = new FramePool(createPlainWindow(4))
  fc.assert(
    fc.property(fc.nat(2000), fc.nat(2000), fc.nat(4000), (to, from, length) => {
      pool.copyIn(0, bytes(6000, 9))
      const expected = pool.bytes.slice(0, 6100)
      expected.copyWithin(to, from, from + length)
      copyBytes(pool.bytes, from, length, pool.bytes, to)
      expect(Buffer.compare(pool.bytes.subarray(0, 6100), expected)).toBe(0)
    }),
  )
})

test('copies a whole array by default', () => {
  const pool = new FramePool(createPlainWindow(2))
  for (const length of [0, 1, 255, 256, 2000]) {
    const source = bytes(length, length)
    pool.copyIn(100, source)
    const back = new Uint8Array(length)
    pool.copyOut(100, length, back)
    expect(back).toEqual(source)
  }
  const plain = new Uint8Array(600)
  copyBytes(bytes(600, 1), 0, 600, plain, 0)
  expect(plain).toEqual(bytes(600, 1))
})
