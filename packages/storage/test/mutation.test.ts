import type { Mutation } from '@parakernel/probes'
import { describe, expect, it } from 'vitest'
import { type BlockShape, enumerate, type RecordedRun, recordBlockRun, recordPersistentRun } from './support/crash.ts'

const SHAPE: BlockShape = { blocks: 96, blockSize: 512, volatileCache: true, atomicUnit: 1 }
const LONG = process.env.PARAKERNEL_LONG === '1'
const STATES = LONG ? 3_000 : 500
const SEEDS = LONG ? [2, 3, 4] : [2]
const STEPS = LONG ? 24 : 10

/** Runs the same workload on a device that acknowledges one order and does nothing for it; that has to be noticed. */
async function survivors(
  record: (mutation?: Mutation) => Promise<RecordedRun>,
): Promise<{ tried: number; survived: string[] }> {
  const { promises } = (await record()).recording
  const survived: string[] = []
  let tried = 0
  for (const drop of ['flush', 'fua', 'drain'] as const) {
    for (let nth = 1; nth <= promises[drop]; nth++) {
      tried++
      const { broken } = await enumerate(await record({ drop, nth }), STATES)
      if (broken === undefined) survived.push(`${drop} ${nth}`)
    }
  }
  return { tried, survived }
}

describe.for(SEEDS)(
  'seed %i: without any single flush, forced write or drain',
  { timeout: LONG ? 900_000 : 120_000 },
  (seed) => {
    it('a promise is broken on blocks', async () => {
      const workload = { seed, steps: STEPS, longest: 1200, forced: true }
      const { tried, survived } = await survivors((mutation) => recordBlockRun(SHAPE, workload, mutation))
      expect(tried).toBeGreaterThan(10)
      expect(survived).toEqual([])
    })

    it('a promise is broken on persistent memory', async () => {
      const workload = { seed, steps: STEPS, longest: 600, forced: true }
      const { tried, survived } = await survivors((mutation) => recordPersistentRun(16_384, workload, mutation))
      expect(tried).toBeGreaterThan(10)
      expect(survived).toEqual([])
    })
  },
)
