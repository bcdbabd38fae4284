import { DebugFramePool, type FramePool } from '@parakernel/hal'
import { expect } from 'vitest'

export function bytesOf(content: Uint8Array | string): Uint8Array {
  return typeof content === 'string' ? new TextEncoder().encode(content) : content
}

/** Bytes that differ from place to place, without a period, and from seed to seed; those from place `from` on. */
export function pattern(length: number, seed = 1, from = 0): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = (Math.imul(from + i, 0x9e3779b1) >>> 24) ^ seed
  return bytes
}

/** As a comparison with `pattern`, but quick for millions of bytes; a failure names the place. */
export function expectPattern(bytes: Uint8Array, seed: number, from = 0): void {
  const expected = pattern(bytes.byteLength, seed, from)
  const wrong = bytes.findIndex((byte, i) => byte !== expected[i])
  expect(wrong < 0 ? -1 : from + wrong, 'first wrong byte').toBe(-1)
}

/** Every frame is back, and none was misused. */
export function checkPool(name: string, pool: FramePool): void {
  expect(pool, `${name}: the suite needs a DebugFramePool`).toBeInstanceOf(DebugFramePool)
  expect((pool as DebugFramePool).report(), `${name}: frames that are still out`).toBe('')
  expect(pool.available).toBe(pool.frameCount)
  expect(pool.misuses).toBe(0)
}
