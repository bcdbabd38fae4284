import { BLOCK_DEALLOCATE, BLOCK_FLUSH, BLOCK_FUA, BLOCK_READ, BLOCK_WRITE, BLOCK_WRITE_ZEROES } from '@parakernel/hal'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { crashState, crashStates } from '../../src/index.ts'
import { type NaiveFlush, type NaiveWrite, naiveImages } from './naive-model.ts'
import { blocksOf, RecordedDisk } from './support.ts'

const SIZE = 4

interface Step {
  readonly kind: 'write' | 'flush' | 'advance'
  readonly lba: number
  readonly blocks: number
  readonly fua: boolean
}

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    kind: fc.constantFrom('write' as const, 'write' as const, 'write' as const, 'flush' as const, 'advance' as const),
    lba: fc.integer({ min: 0, max: SIZE - 2 }),
    blocks: fc.integer({ min: 1, max: 2 }),
    fua: fc.boolean(),
  }),
  { maxLength: 9 },
)

describe('the enumeration is what a naive model finds', () => {
  test.each([
    { atomicUnit: 1, volatileCache: true },
    { atomicUnit: 2, volatileCache: true },
    { atomicUnit: 1, volatileCache: false },
  ])('$atomicUnit block(s) atomic, volatile cache $volatileCache', async (device) => {
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 1, max: 1000 }), async (list, seed) => {
        const recorded = await RecordedDisk.open({ blocks: SIZE, latency: 10, jitter: 30, seed, ...device })
        const writes: NaiveWrite[] = []
        const flushes: NaiveFlush[] = []
        const commands = new Map<number, NaiveWrite | NaiveFlush>()
        let blocks = 0
        const settle = () => {
          for (const cookie of recorded.complete()) {
            position++
            ;(commands.get(cookie) as NaiveFlush).completed = position
          }
        }
        let position = 0
        for (const step of list) {
          if (step.kind === 'advance') {
            recorded.clock.advance(15)
            settle()
          } else if (step.kind === 'flush') {
            position++
            const flush = { submitted: position, completed: Number.POSITIVE_INFINITY }
            flushes.push(flush)
            commands.set(recorded.submit(BLOCK_FLUSH), flush)
          } else {
            // The naive model tries all orders of all parts; two overlapping writes at a time, at most.
            blocks += step.blocks
            if (blocks > 5 || (device.atomicUnit > 1 && writes.filter((w) => w.completed > position).length > 1))
              continue
            position++
            const write = {
              ...step,
              fill: writes.length + 1,
              submitted: position,
              completed: Number.POSITIVE_INFINITY,
            }
            writes.push(write)
            commands.set(
              recorded.submit(BLOCK_WRITE, step.lba, step.blocks, write.fill, step.fua ? BLOCK_FUA : 0),
              write,
            )
          }
        }
        expect(recorded.recording.position).toBe(position)
        const found = new Map<number, Set<string>>()
        for (const state of crashStates(recorded.recording, { limit: Number.POSITIVE_INFINITY })) {
          const images = found.get(state.position) ?? new Set()
          found.set(state.position, images.add(blocksOf(state.image())))
        }
        // After an event that changes nothing the states are those from before.
        let before = new Set<string>()
        for (let at = 0; at <= position; at++) {
          before = found.get(at) ?? before
          const expected = [...naiveImages(SIZE, writes, flushes, at, device)].sort()
          expect([...before].sort(), `position ${at}`).toEqual(expected)
        }
        await recorded.close()
      }),
      { numRuns: 150 },
    )
  })
})

describe('states', () => {
  test('zeroes and deallocations count as writes, reads as nothing', async () => {
    const recorded = await RecordedDisk.open({ blocks: 2 })
    recorded.write(0, 2, 9, BLOCK_FUA)
    recorded.submit(BLOCK_WRITE_ZEROES, 0, 1)
    recorded.submit(BLOCK_DEALLOCATE, 1, 1)
    recorded.complete()
    const last = [...crashStates(recorded.recording)].filter(({ position }) => position === recorded.recording.position)
    expect(last.map((state) => blocksOf(state.image())).sort()).toEqual(['0 0', '0 9', '9 0', '9 9'])
    expect(BLOCK_READ).toBe(1)
  })

  test('a name repeats a state, also in a second run', async () => {
    const run = async () => {
      const recorded = await RecordedDisk.open({ blocks: 64, latency: 5, jitter: 20, seed: 3 })
      for (let i = 0; i < 40; i++) {
        recorded.submit(i % 7 === 6 ? BLOCK_FLUSH : BLOCK_WRITE, (i * 13) % 60, i % 7 === 6 ? 0 : 1 + (i % 4), i + 1)
        recorded.clock.advance(7)
        recorded.complete()
      }
      return recorded.recording
    }
    const [first, second] = [await run(), await run()]
    const states = [...crashStates(first, { limit: 500, seed: 5 })]
    expect(states.length).toBeGreaterThan(400)
    expect(new Set(states.map(({ name }) => name)).size).toBe(states.length)
    for (const state of states) {
      const again = crashState(second, state.name)
      expect(again.position).toBe(state.position)
      expect(Buffer.from(again.image(new Uint8Array(64 * 512))).equals(state.image())).toBe(true)
    }
    expect(() => crashState(first, '99999:0')).toThrow('EINVAL')
    expect(() => crashState(first, 'nonsense')).toThrow('EINVAL')
  })

  test('the limit holds, and the states are spread over the whole recording', async () => {
    const recorded = await RecordedDisk.open({ blocks: 64 })
    for (let i = 0; i < 100; i++) recorded.write(i % 60, 4, i)
    for (const limit of [10, 100, 1000, 5000]) {
      const positions = [...crashStates(recorded.recording, { limit })].map(({ position }) => position)
      expect(positions.length).toBeLessThanOrEqual(limit)
      expect(positions.length).toBeGreaterThan(limit * 0.8)
      expect(Math.max(...positions)).toBeGreaterThanOrEqual(180)
      expect(Math.min(...positions)).toBeLessThan(20)
    }
  })
})

describe('a toy protocol: data, flush, then a commit block that is forced', () => {
  /** Appends values; block 0 holds how many there are. */
  const run = async (broken: boolean, mutation?: { readonly drop: 'flush' | 'fua'; readonly nth: number }) => {
    const recorded = await RecordedDisk.open({ blocks: 16 }, mutation === undefined ? {} : { mutation })
    const promised: number[] = []
    for (let n = 1; n <= 5; n++) {
      recorded.write(n, 1, 100 + n)
      if (!broken) recorded.flush()
      recorded.write(0, 1, n, BLOCK_FUA)
      promised.push(recorded.recording.position)
    }
    const failures: string[] = []
    for (const state of crashStates(recorded.recording)) {
      const values = blocksOf(state.image()).split(' ').map(Number)
      const acknowledged = promised.filter((position) => position <= state.position).length
      const intact = values.slice(1, values[0] + 1).every((value, i) => value === 101 + i)
      if (values[0] < acknowledged || !intact) failures.push(state.name)
    }
    return { failures, promises: recorded.recording.promises }
  }

  test('holds with its flush, and is caught without', async () => {
    expect((await run(false)).failures).toEqual([])
    expect((await run(true)).failures).not.toEqual([])
  })

  test('is caught when any single flush or forced write does nothing', async () => {
    const { promises } = await run(false)
    expect(promises).toEqual({ flush: 5, fua: 5, drain: 0 })
    for (const drop of ['flush', 'fua'] as const) {
      for (let nth = 1; nth <= promises[drop]; nth++) {
        expect((await run(false, { drop, nth })).failures, `${drop} ${nth}`).not.toEqual([])
      }
    }
  })
})

test('100,000 states of 256 KiB take seconds', { timeout: 60_000 }, async () => {
  const recorded = await RecordedDisk.open({ blocks: 512 })
  for (let i = 0; i < 500; i++) {
    recorded.write((i * 5) % 500, 4, i)
    if (i % 10 === 9) recorded.flush()
  }
  const limit = process.env.PARAKERNEL_LONG === '1' ? 100_000 : 10_000
  const start = performance.now()
  let states = 0
  let sum = 0
  for (const state of crashStates(recorded.recording, { limit })) {
    states++
    sum += state.image()[0]
  }
  const seconds = (performance.now() - start) / 1000
  console.log(`${states} states in ${seconds.toFixed(1)} s`)
  expect(sum).toBeGreaterThan(0)
  expect(states).toBeGreaterThan(limit * 0.9)
  expect(seconds).toBeLessThan(30)
})
