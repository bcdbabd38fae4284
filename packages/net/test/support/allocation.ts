import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks'
import { setImmediate as turn } from 'node:timers/promises'
import { expect } from 'vitest'

const TRIALS = 5

/**
 * Expects that `work` allocates less than `limit` bytes, and not so much that garbage is collected. What runs beside it (the
 * optimizer, the runner) may allocate or bring a collection about; what the work itself allocates, it does in every trial, so one
 * that is clean is proof.
 */
export async function expectAllocation(work: () => void, limit: number): Promise<void> {
  let trial = await measure(work)
  for (let i = 1; i < TRIALS && (trial.collections > 0 || trial.growth >= limit); i++) trial = await measure(work)
  expect(trial.collections, 'collections').toBe(0)
  expect(trial.growth, 'bytes').toBeLessThan(limit)
}

/** Garbage collections while `work` runs, and by how many bytes the heap grew, which is what was allocated if there were none. */
async function measure(work: () => void): Promise<{ collections: number; growth: number }> {
  let collections = 0
  const note = (entries: readonly PerformanceEntry[]) => {
    // Steps of incremental marking follow from time and from the memory of earlier tests, not from what is allocated here.
    for (const { detail } of entries as unknown as { detail: { kind: number } }[]) {
      if (detail.kind !== constants.NODE_PERFORMANCE_GC_INCREMENTAL) collections++
    }
  }
  const observer = new PerformanceObserver((list) => note(list.getEntries()))
  globalThis.gc?.()
  await turn()
  observer.observe({ entryTypes: ['gc'] })
  const before = process.memoryUsage().heapUsed
  work()
  const growth = process.memoryUsage().heapUsed - before
  await turn()
  note(observer.takeRecords())
  observer.disconnect()
  return { collections, growth }
}
