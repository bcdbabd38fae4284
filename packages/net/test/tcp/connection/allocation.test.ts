import { describe, expect, it } from 'vitest'
import { expectAllocation } from '../../support/allocation.ts'
import { BackToBack } from './support/back-to-back.ts'

const SEGMENTS = 1_000_000

/** A million segments that `round` moves allocate nothing. */
async function allocatesNothing(pair: BackToBack, round: () => void): Promise<void> {
  const move = (segments: number) => {
    for (const end = pair.segments + segments; pair.segments < end; ) round()
  }
  // The optimizer works beside us: on a busy machine it takes its time.
  move(400_000)
  await expectAllocation(() => move(SEGMENTS), SEGMENTS / 2)
}

describe('a connection allocates nothing per segment', { timeout: 120_000 }, () => {
  it('for a million segments of bulk data and their ACKs', async () => {
    const pair = new BackToBack()
    await allocatesNothing(pair, () => pair.round(32))
    expect(pair.bytes).toBeGreaterThan(SEGMENTS * 100)
    pair.memory.shared.clear()
    expect(pair.pool.available).toBe(pair.pool.frameCount)
  })

  it('for a million segments of questions and answers', async () => {
    const pair = new BackToBack()
    await allocatesNothing(pair, () => pair.ask(64))
    expect(pair.bytes).toBeGreaterThan(SEGMENTS * 10)
  })
})

describe('memory', () => {
  it('of an idle connection is bounded', () => {
    const made: BackToBack['a'][] = []
    const pair = new BackToBack()
    const make = () => {
      const connection = pair.another()
      made.push(connection)
    }
    // What the engine compiles on the way is not the connections'.
    for (let i = 0; i < 2000; i++) make()
    globalThis.gc?.()
    const before = process.memoryUsage()
    const count = 10_000
    for (let i = 0; i < count; i++) make()
    globalThis.gc?.()
    const after = process.memoryUsage()
    const each = (after.heapUsed - before.heapUsed) / count
    const outside = (after.external - before.external) / count
    console.log(`an idle connection: ${Math.round(each)} bytes of heap, ${Math.round(outside)} outside`)
    expect(made.every(({ state }) => state === pair.a.state)).toBe(true)
    // Its row of timers and what lies in the pool come on top.
    expect(each).toBeLessThan(2048)
  })
})
