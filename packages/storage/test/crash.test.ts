import { describe, expect, it } from 'vitest'
import { type BlockShape, enumerate, recordBlockRun, recordPersistentRun } from './support/crash.ts'

const LONG = process.env.PARAKERNEL_LONG === '1'
const SHAPES: readonly BlockShape[] = [
  { blocks: 96, blockSize: 512, volatileCache: true, atomicUnit: 1 },
  { blocks: 96, blockSize: 512, volatileCache: true, atomicUnit: 4, reorder: true },
  { blocks: 96, blockSize: 512, volatileCache: false, atomicUnit: 1 },
  { blocks: 64, blockSize: 4096, volatileCache: true, atomicUnit: 1 },
]
const STATES = LONG ? 2_700 : 330
const SEEDS = LONG ? 4 : 3

describe('a power cut at any moment', { timeout: LONG ? 600_000 : 60_000 }, () => {
  for (const shape of SHAPES) {
    const { blockSize, volatileCache, atomicUnit } = shape
    const title = `${volatileCache ? 'volatile cache' : 'no cache'}, ${blockSize} bytes, atomic unit ${atomicUnit}`
    it(`leaves what was acknowledged, and nothing else: ${title}`, async () => {
      let states = 0
      for (let seed = 1; seed <= SEEDS; seed++) {
        const run = await recordBlockRun(shape, { seed, steps: 40, longest: 3 * blockSize })
        const result = await enumerate(run, STATES, seed)
        expect(result.broken, `seed ${seed}`).toBeUndefined()
        states += result.states
      }
      expect(states).toBeGreaterThanOrEqual((SEEDS * STATES) / 2)
    })
  }

  it('leaves what was acknowledged, and nothing else: persistent memory', async () => {
    let states = 0
    for (let seed = 1; seed <= SEEDS; seed++) {
      const run = await recordPersistentRun(16_384, { seed, steps: 40, longest: 600 })
      const result = await enumerate(run, STATES, seed)
      expect(result.broken, `seed ${seed}`).toBeUndefined()
      states += result.states
    }
    expect(states).toBeGreaterThanOrEqual((SEEDS * STATES) / 2)
  })
})
