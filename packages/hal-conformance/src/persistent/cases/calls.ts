import { PerformanceObserver } from 'node:perf_hooks'
import { expect } from 'vitest'
import { errorOf } from '../../errors.ts'
import { hook, type PersistentGroup } from '../case.ts'

/** Bytes of two numbers on the heap: what a foreign call may cost. A view or an object is more. */
const NUMBERS = 32

/** Flush, drain and persist: what they take and what they refuse. */
export const calls: PersistentGroup = {
  name: 'calls',
  cases: [
    {
      title: 'ranges of any place and length, as an array or as numbers in a row, none, and empty ones',
      run: async (session) => {
        const { region, bytes } = await session.open()
        bytes.fill(0x31)
        const last = region.byteLength - 1
        for (const ranges of [
          [],
          [0, 0],
          [0, 1],
          [3, 5],
          [63, 2],
          [last, 1],
          [region.byteLength, 0],
          [0, region.byteLength],
        ]) {
          region.flush(ranges)
          region.flush(Float64Array.from(ranges))
          region.drain()
          region.persist(ranges)
        }
        region.flush(Array.from({ length: 600 }, (_, i) => (i % 2 === 0 ? i * 32 : 16)))
        region.drain()
        region.drain()
        expect(bytes.every((byte) => byte === 0x31)).toBe(true)
      },
    },
    {
      title: 'ranges outside get EINVAL, also behind good ones, and the region works on',
      run: async (session) => {
        const { region } = await session.open()
        const { byteLength } = region
        for (const ranges of [
          [-1, 1],
          [0, -1],
          [0, byteLength + 1],
          [byteLength, 1],
          [0.5, 1],
          [Number.NaN, 8],
          [2 ** 53, 8],
          [0, 64, byteLength - 1, 2],
        ]) {
          expect(errorOf(() => region.flush(ranges)).code, String(ranges)).toBe('EINVAL')
          expect(errorOf(() => region.persist(ranges)).code, String(ranges)).toBe('EINVAL')
        }
        region.persist([0, 64])
      },
    },
    {
      title: 'nothing is poisoned that nobody poisoned',
      run: async (session) => {
        const { region } = await session.open()
        expect(region.poisonedFrom(0)).toBe(-1)
        expect(region.poisonedFrom(region.byteLength - 1)).toBe(-1)
      },
    },
    {
      title: 'poisoned bytes are told, and cannot be flushed (EIO); others can',
      unless: hook('poison'),
      run: async (session) => {
        const { unit } = session
        const { byteOffset } = session.range
        const { region } = await session.open()
        const at = 8 * unit
        await session.fixture.poison?.(byteOffset + at, 1)
        const first = region.poisonedFrom(0)
        expect(first).toBeGreaterThan(0)
        expect(first).toBeLessThanOrEqual(at)
        expect(region.poisonedFrom(at)).toBe(at)
        expect(errorOf(() => region.flush([0, 8, at, 8])).code).toBe('EIO')
        expect(errorOf(() => region.persist([at, 8])).code).toBe('EIO')
        region.persist([0, 4 * unit])
        await session.fixture.clearPoison?.(byteOffset + at, 1)
        expect(region.poisonedFrom(0)).toBe(-1)
        region.persist([at, 8])
      },
    },
    {
      title: 'persist allocates nothing',
      run: async (session) => {
        const { region, bytes } = await session.open()
        const ranges = Float64Array.of(64, 100, 512, 8)
        const run = () => {
          for (let i = 0; i < session.operations; i++) {
            bytes[64] = i
            region.persist(ranges)
          }
        }
        if (session.decorated) return 'decorators may allocate'
        let least = Number.POSITIVE_INFINITY
        // The engine compiles and collects when it likes: what one of a few runs does without, none needs.
        for (let attempt = 0; attempt < 6 && least > NUMBERS; attempt++)
          least = Math.min(least, await bytesEach(run, session.operations))
        expect(least, 'bytes for each call').toBeLessThanOrEqual(NUMBERS)
      },
    },
  ],
}

/** Bytes allocated for each of `operations` in a run; Infinity when a collection got in between. */
async function bytesEach(run: () => void, operations: number): Promise<number> {
  run()
  ;(globalThis as { gc?: () => void }).gc?.()
  await new Promise((resolve) => setTimeout(resolve, 10))
  let collections = 0
  const observer = new PerformanceObserver((list) => {
    collections += list.getEntries().length
  })
  observer.observe({ entryTypes: ['gc'] })
  const before = process.memoryUsage().heapUsed
  run()
  const grown = process.memoryUsage().heapUsed - before
  await new Promise((resolve) => setTimeout(resolve, 10))
  observer.disconnect()
  return collections > 0 ? Number.POSITIVE_INFINITY : (grown - 65_536) / operations
}
