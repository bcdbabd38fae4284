import { PerformanceObserver } from 'node:perf_hooks'
import { setTimeout as pause } from 'node:timers/promises'
import { createPlainRegion, persistentCopy } from '@parakernel/hal'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Testbed } from './testbed.ts'

const ROUNDS = 100_000

let bed: Testbed
beforeEach((context) => {
  bed = new Testbed(context)
})
afterEach(() => bed.close())

test.each([
  ['cache lines: nothing', { force: true }, 0],
  // The address that each msync gets is a heap number; a round has three.
  ['pages: an address for each msync', { granularity: 'page' as const }, 56],
])(
  `what ${ROUNDS} flushes, drains, copies and persists allocate: %s`,
  { timeout: 60_000 },
  async (_name, options, bytes) => {
    const device = await bed.open({ path: bed.memoryPath(), size: 1 << 20, ...options })
    const region = bed.attach(device)
    const words = new Int32Array(region.region.buffer)
    const copy = persistentCopy(region, createPlainRegion(65_536))
    const one = [0, 64]
    const two = Float64Array.of(0, 8, 0, 200)
    const round = (i: number) => {
      const offset = (i * 192) & 0x7ffc0
      words[offset >> 2] = i
      one[0] = two[2] = offset
      region.flush(two)
      region.drain()
      region.persist(one)
      copy.copy(offset, i & 0xfff, 80)
      copy.persist(offset, i & 0xfff, 93)
      region.poisonedFrom(offset)
    }
    for (let i = 0; i < 5000; i++) round(i)

    let collections = 0
    const observer = new PerformanceObserver((list) => {
      collections += list.getEntries().length
    })
    observer.observe({ entryTypes: ['gc'] })
    const trial = async () => {
      global.gc?.()
      await pause(20)
      collections = 0
      const heap = process.memoryUsage().heapUsed
      for (let i = 0; i < ROUNDS; i++) round(i)
      const grown = process.memoryUsage().heapUsed - heap
      await pause(20)
      return { collections, grownPerRound: Math.max(0, Math.round(grown / ROUNDS)) }
    }
    // What runs beside the test may bring a collection about; what each round allocates would in every trial.
    const trials = [await trial()]
    while (trials.length < 4 && trials.at(-1)?.collections !== 0) trials.push(await trial())
    observer.disconnect()
    if (bytes === 0) expect(trials.at(-1)?.collections).toBe(0)
    // Noise of the whole process; the smallest object takes 16.
    expect(trials.at(-1)?.grownPerRound).toBeLessThanOrEqual(bytes + 2)
  },
)
