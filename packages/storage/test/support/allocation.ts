import { PerformanceObserver } from 'node:perf_hooks'
import { setImmediate as turn } from 'node:timers/promises'
import { expect } from 'vitest'

const TRIALS = 8

/**
 * Expects that `work` allocates less than `limit` bytes and brings no garbage collection about. What runs beside it may do either;
 * what the work itself allocates, it allocates in every trial, so that one that is clean is proof.
 */
export async function expectAllocation(
  work: () => void,
  limit: number,
  between: () => Promise<unknown>,
): Promise<void> {
  let least = Infinity
  for (let i = 0; i < TRIALS && least >= limit; i++) {
    await between()
    let collections = 0
    const observer = new PerformanceObserver((list) => {
      collections += list.getEntries().length
    })
    globalThis.gc?.()
    await turn()
    observer.observe({ entryTypes: ['gc'] })
    const before = process.memoryUsage().heapUsed
    work()
    const growth = process.memoryUsage().heapUsed - before
    await turn()
    collections += observer.takeRecords().length
    observer.disconnect()
    if (collections === 0) least = Math.min(least, growth)
  }
  expect(least, 'bytes').toBeLessThan(limit)
}
