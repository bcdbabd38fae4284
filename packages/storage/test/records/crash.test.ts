import { describe, expect, it } from 'vitest'
import type { BlockShape } from '../support/crash.ts'
import { enumerateRecords, recordBlocksRun, recordPersistentRun } from './support/crash.ts'

const LONG = process.env.PARAKERNEL_LONG === '1'
const SHAPES: readonly BlockShape[] = [
  { blocks: 128, blockSize: 512, volatileCache: true, atomicUnit: 1 },
  { blocks: 128, blockSize: 512, volatileCache: true, atomicUnit: 4, reorder: true },
  { blocks: 128, blockSize: 512, volatileCache: false, atomicUnit: 1 },
]
const STATES = LONG ? 2_600 : 370
const SEEDS = LONG ? 4 : 2
const STEPS = 40

describe('a power cut at any moment', { timeout: LONG ? 1_200_000 : 60_000 }, () => {
  for (const shape of SHAPES) {
    const title = `${shape.volatileCache ? 'volatile cache' : 'no cache'}, atomic unit ${shape.atomicUnit}`
    it(`leaves the store as after a write that was not taken back: ${title}`, async () => {
      let states = 0
      for (let seed = 1; seed <= SEEDS; seed++) {
        const run = await recordBlocksRun(shape, { seed, steps: STEPS, keys: 20, longest: 1500 })
        expect(run.oracle.movedBytes).toBeGreaterThan(0)
        expect(run.oracle.checkpoints).toBeGreaterThan(0)
        const result = await enumerateRecords(run, STATES, seed)
        expect(result.broken, `seed ${seed}`).toBeUndefined()
        states += result.states
      }
      if (LONG) console.info(`${title}: ${states} states`)
      // Without a cache there are fewer states than the limit, and these are all.
      expect(states).toBeGreaterThanOrEqual((SEEDS * Math.min(STATES, 1500)) / 2)
    })
  }

  it('leaves the store as after a write that was not taken back: persistent memory', async () => {
    let states = 0
    for (let seed = 1; seed <= SEEDS; seed++) {
      const run = await recordPersistentRun(49_152, { seed, steps: STEPS, keys: 20, longest: 1000 })
      expect(run.oracle.movedBytes).toBeGreaterThan(0)
      expect(run.oracle.checkpoints).toBeGreaterThan(0)
      const result = await enumerateRecords(run, STATES, seed)
      expect(result.broken, `seed ${seed}`).toBeUndefined()
      states += result.states
    }
    expect(states).toBeGreaterThanOrEqual((SEEDS * STATES) / 2)
  })
})
