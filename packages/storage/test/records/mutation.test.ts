import type { Mutation } from '@parakernel/probes'
import { describe, expect, it } from 'vitest'
import type { BlockShape } from '../support/crash.ts'
import { enumerateRecords, type RecordsRun, recordBlocksRun, recordPersistentRun } from './support/crash.ts'

const SHAPE: BlockShape = { blocks: 128, blockSize: 512, volatileCache: true, atomicUnit: 1 }
const LONG = process.env.PARAKERNEL_LONG === '1'
const STATES = LONG ? 2_000 : 150
const SEEDS = LONG ? [1, 2, 3] : [1]
/**
 * How many of them have to be found out. Flushes are what acknowledged writes and compaction stand on: all but those that a later one
 * makes good before anything was promised. Forced writes and drains also store what nothing depends on: a pointer to a checkpoint, the
 * superblock of an epoch in which nothing was written.
 */
const SHARES = { flush: LONG ? 0.9 : 1, fua: 0.4, drain: 0.4 } as const

/** Runs the workload on devices that acknowledge one order and do nothing for it. How many of them broke a promise. */
async function caught(record: (mutation?: Mutation) => Promise<RecordsRun>, drop: Mutation['drop'], most: number) {
  const total = (await record()).recording.promises[drop]
  const stride = Math.max(1, Math.floor(total / most))
  let tried = 0
  let noticed = 0
  for (let nth = 1; nth <= total; nth += stride) {
    tried++
    try {
      const { broken } = await enumerateRecords(await record({ drop, nth }), STATES)
      if (broken !== undefined) noticed++
    } catch {
      noticed++
    }
  }
  return { tried, noticed }
}

describe.for(SEEDS)('seed %i: a device that ignores an order', { timeout: LONG ? 1_800_000 : 120_000 }, (seed) => {
  const options = { seed, steps: 12, keys: 12, longest: 1000 }

  it.for(['flush', 'fua'] as const)('is found out on blocks: %s', async (drop) => {
    const { tried, noticed } = await caught(
      (mutation) => recordBlocksRun(SHAPE, options, mutation),
      drop,
      LONG ? 1000 : 5,
    )
    expect(tried).toBeGreaterThan(3)
    expect(noticed / tried, `${noticed} of ${tried}`).toBeGreaterThanOrEqual(SHARES[drop])
  })

  it('is found out on persistent memory', async () => {
    const record = (mutation?: Mutation) => recordPersistentRun(49_152, options, mutation)
    const { tried, noticed } = await caught(record, 'drain', LONG ? 1000 : 5)
    expect(tried).toBeGreaterThan(3)
    expect(noticed / tried, `${noticed} of ${tried}`).toBeGreaterThanOrEqual(SHARES.drain)
  })
})
