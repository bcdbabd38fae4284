import { assertNoLeaks, createPlainWindow, DebugFramePool } from '@parakernel/hal'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { allocateSga, copyThreshold, SgaBuilder, sgaFromBytes } from '../src/index.ts'

const window = () => createPlainWindow(128, { frameSize: 1024 })
const joined = (parts: readonly Uint8Array[]) => Uint8Array.from(parts.flatMap((part) => [...part]))

test('the bytes are the same whatever the threshold, of fields in the pool and elsewhere', () => {
  const field = fc.record({ length: fc.integer({ min: 0, max: 700 }), pooled: fc.boolean() })
  const thresholds = fc.constantFrom(0, 1, 64, 300, 701, Number.POSITIVE_INFINITY)
  fc.assert(
    fc.property(fc.array(fc.array(field, { maxLength: 8 }), { maxLength: 3 }), thresholds, (arrays, threshold) => {
      const pool = new DebugFramePool(window())
      const builder = new SgaBuilder(pool, threshold)
      let seed = 0
      for (const fields of arrays) {
        const parts: Uint8Array[] = []
        let referenced = 0
        const before = builder.referenced
        for (const { length, pooled } of fields) {
          const bytes = Uint8Array.from({ length }, (_, i) => seed + i * 7)
          seed++
          parts.push(bytes)
          if (!pooled || length === 0) {
            builder.append(bytes)
            continue
          }
          const sga = sgaFromBytes(pool, bytes)
          if (sga.segments.length > 1) throw new Error('the test wants one segment')
          builder.append(sga.slice(0))
          // The builder has a reference, or a copy.
          sga.free()
          if (length >= threshold) referenced += length
        }
        const built = builder.build()
        expect(built.toBytes()).toEqual(joined(parts))
        expect(builder.referenced - before).toBe(referenced)
        built.free()
      }
      assertNoLeaks(pool)
    }),
    { numRuns: 300 },
  )
})

test('short fields stand together in one frame, also around one that is referenced', () => {
  const pool = new DebugFramePool(window())
  const value = sgaFromBytes(pool, new Uint8Array(600).fill(9))
  const builder = new SgaBuilder(pool, 512)
  const sga = builder
    .append(Uint8Array.of(1))
    .append(Uint8Array.of(2))
    .append(value.slice(0))
    .append(Uint8Array.of(3))
    .build()
  expect(sga.segments.map(({ length }) => length)).toEqual([2, 600, 1])
  expect(sga.segments[0].frame).toBe(sga.segments[2].frame)
  expect(sga.segments[1]).toEqual(value.segments[0])
  expect([builder.copied, builder.referenced]).toEqual([3, 600])
  value.free()
  sga.free()
  assertNoLeaks(pool)
})

test('bytes that no single held frame has are copied: of two frames, of a free one, of another region', () => {
  const pool = new DebugFramePool(window())
  const other = new DebugFramePool(window())
  const foreign = sgaFromBytes(other, Uint8Array.of(5))
  const held = allocateSga(pool, 10)
  const start = pool.address(held.segments[0].frame)
  const builder = new SgaBuilder(pool, 0)
  builder.append(new Uint8Array(pool.window.region.buffer, start + 1000, 48)).append(foreign.slice(0))
  expect([builder.copied, builder.referenced]).toEqual([49, 0])
  builder.discard()
  held.free()
  foreign.free()
  assertNoLeaks(pool)
  assertNoLeaks(other)
})

test('without a frame to copy to it throws, and holds nothing', () => {
  const pool = new DebugFramePool(createPlainWindow(2, { frameSize: 1024 }))
  const builder = new SgaBuilder(pool)
  expect(() => builder.append(new Uint8Array(5000))).toThrow(expect.objectContaining({ code: 'ENOBUFS' }))
  assertNoLeaks(pool)
  const small = builder.append(Uint8Array.of(1)).build()
  expect(small.toBytes()).toEqual(Uint8Array.of(1))
  small.free()
  expect(() => new SgaBuilder(pool, -1)).toThrow(/-1 is not a number of bytes/)
  assertNoLeaks(pool)
})

test('the default follows the device: without chains all would be copied once more', () => {
  expect(copyThreshold({ maxChain: 1 })).toBe(Number.POSITIVE_INFINITY)
  expect(copyThreshold({ maxChain: 17 })).toBe(new SgaBuilder(new DebugFramePool(window())).threshold)
})
