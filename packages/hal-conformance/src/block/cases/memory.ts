import { PerformanceObserver } from 'node:perf_hooks'
import { BLOCK_READ, BlockBurst, BlockCompletions, type BlockQueue, FramePool } from '@parakernel/hal'
import { expect } from 'vitest'
import type { BlockGroup } from '../case.ts'

const BURST = 16
/** Milliseconds of each run, for devices that take their time. */
const LIMIT = 700

/** The hot path allocates nothing. */
export const memory: BlockGroup = {
  name: 'memory',
  cases: [
    {
      title: 'submit and complete allocate nothing',
      unless: ({ slow }) => slow,
      timeout: 60_000,
      run: async (session) => {
        const grant = session.grant()
        const queue = await session.attachWith(grant, new FramePool(grant.window))
        const count = Math.min(BURST, queue.capabilities.queueDepth)
        const frames = Array.from({ length: count }, () => queue.pool.allocate())
        const burst = new BlockBurst(count, count)
        const { firstLba, namespace, blocks } = session.range
        for (const [i, frame] of frames.entries()) {
          burst.push(BLOCK_READ, namespace, firstLba + (i % blocks), 1, i)
          burst.addSegment(frame, 0, session.blockSize)
        }
        const completions = new BlockCompletions(count)
        let least = Number.POSITIVE_INFINITY
        // The engine compiles and collects when it likes: what one of a few runs does without, none needs.
        for (let attempt = 0; attempt < 6 && least > 0; attempt++) {
          const excess = await excessOf(queue, burst, completions, session.operations * 100, () =>
            session.fixture.advance?.(),
          )
          least = Math.min(least, excess)
        }
        queue.detach()
        expect(least, 'bytes too many').toBeLessThanOrEqual(0)
      },
    },
  ],
}

/**
 * Bytes allocated in so many commands beyond what is allowed: a clock's answer for each call is a number on the heap, and there is noise.
 * Infinity when a collection got in between that they do not explain.
 */
async function excessOf(
  queue: BlockQueue,
  burst: BlockBurst,
  completions: BlockCompletions,
  commands: number,
  advance: () => void | Promise<void>,
): Promise<number> {
  let polls = 0
  let completed = 0
  const run = () => {
    const end = performance.now() + LIMIT
    polls = 0
    completed = 0
    let submitted = 0
    while (completed < commands && performance.now() < end) {
      while (submitted - completed < burst.count) {
        const taken = queue.submit(burst, (submitted - completed) % burst.count)
        if (taken === 0) break
        submitted += taken
      }
      void advance()
      polls++
      completed += queue.complete(completions)
    }
    while (completed < submitted && performance.now() < end + 5000) {
      void advance()
      completed += queue.complete(completions)
    }
    if (completed === 0) throw new Error('no command completed')
  }
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
  if (collections === 0) return grown - (4 * completed + 96 * polls + 65_536)
  // Where empty polls are by far the most, the numbers of the clock are what was collected.
  return collections <= Math.floor(polls / 40_000) ? 0 : Number.POSITIVE_INFINITY
}
