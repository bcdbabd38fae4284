import { expect, test } from 'vitest'
import { aftermath, enumerate, prepare, record } from './support/crash.ts'
import { blockGround, persistentGround, SHAPE } from './support/ground.ts'
import type { Step } from './support/model.ts'
import { EVERY_ORDER, randomSteps, SETUP, sequences } from './support/workloads.ts'

const LONG = process.env['PARAKERNEL_LONG'] === '1'

test('every pair of operations, cut at every point', { timeout: LONG ? 3_600_000 : 300_000 }, async () => {
  const base = await prepare(SETUP)
  let states = 0
  for (const steps of sequences(LONG ? 3 : 2)) {
    const run = await record(base, steps)
    const { states: some, broken } = await enumerate(run, LONG ? 16 : 14)
    expect(broken, JSON.stringify(steps)).toBeUndefined()
    states += some
  }
  console.log(`${states} crash states of short workloads`)
  expect(states).toBeGreaterThan(LONG ? 20_000 : 2000)
})

test('long workloads, cut at every point', { timeout: LONG ? 3_600_000 : 300_000 }, async () => {
  const base = await prepare(SETUP)
  let states = 0
  for (let seed = 1; seed <= (LONG ? 60 : 6); seed++) {
    const steps: Step[] = randomSteps(seed, 60)
    // Commands overtake each other, caches lose nothing, units are larger: each in some of the runs.
    const overtaking = seed % 2 === 0 ? { latency: 1000, jitter: 20_000 } : {}
    const shape = { ...SHAPE, atomicUnit: seed % 3 === 0 ? 8 : 1, volatileCache: seed % 5 !== 0, ...overtaking }
    const ground = blockGround(shape)
    const run = await record(base, steps, undefined, ground)
    const { states: some, broken } = await enumerate(run, LONG ? 600 : 350, seed, ground)
    expect(broken, `seed ${seed}`).toBeUndefined()
    states += some
  }
  console.log(`${states} crash states of long workloads`)
  expect(states).toBeGreaterThan(LONG ? 30_000 : 1500)
})

test('long workloads on persistent memory, cut at every point', { timeout: LONG ? 3_600_000 : 300_000 }, async () => {
  const ground = persistentGround(SHAPE.blocks * SHAPE.blockSize)
  const base = await prepare(SETUP, ground)
  let states = 0
  for (let seed = 1; seed <= (LONG ? 20 : 2); seed++) {
    const run = await record(base, randomSteps(100 + seed, 50), undefined, ground)
    const { states: some, broken } = await enumerate(run, LONG ? 600 : 300, seed, ground)
    expect(broken, `seed ${seed}`).toBeUndefined()
    states += some
  }
  console.log(`${states} crash states on persistent memory`)
  expect(states).toBeGreaterThan(LONG ? 5000 : 300)
})

test('without any one flush or forced write, promises are broken', { timeout: 600_000 }, async () => {
  const base = await prepare(SETUP)
  const sound = await record(base, EVERY_ORDER, undefined, undefined, false)
  expect((await enumerate(sound, 300)).broken).toBeUndefined()
  // One at the mount, one with the snapshot, and one because the journal was full.
  expect(sound.checkpoints).toBeGreaterThanOrEqual(3)
  const unnoticed: string[] = []
  let tried = 0
  for (const drop of ['flush', 'fua'] as const) {
    for (let nth = 1; nth <= sound.recording.promises[drop]; nth++) {
      tried++
      const mutation = { drop, nth }
      const run = await record(base, EVERY_ORDER, mutation, undefined, false)
      const { broken } = await enumerate(run, 700, 1, undefined, aftermath(sound, mutation))
      if (broken === undefined) unnoticed.push(`${drop} ${nth}`)
    }
  }
  console.log(`${tried} flushes and forced writes, each left out once`)
  expect(unnoticed).toEqual([])
})
