import { PerformanceObserver } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { do_not_optimize, measure } from 'mitata'

/**
 * Nanoseconds of one of `operations`, which `run` does. The best of several trials: other programs disturb, but never
 * help. The first trials also warm up.
 */
export function bestNanoseconds(operations: number, run: (operations: number) => void, trials = 20): number {
  let best = Number.POSITIVE_INFINITY
  for (let trial = 0; trial < trials; trial++) {
    const start = performance.now()
    run(operations)
    best = Math.min(best, performance.now() - start)
  }
  return (best * 1e6) / operations
}

/** Median nanoseconds of a call that takes less than a clock read does; calls are batched. */
export async function perCall(call: () => unknown): Promise<number> {
  const { p50 } = await measure(call)
  return p50
}

/** Keeps the optimizer from dropping what computes a value that nobody uses. */
export const keep: (value: unknown) => void = do_not_optimize

/** CPU time of this thread, or of the process before Node 23.9, to about a microsecond. */
export function threadCpuNanoseconds(): number {
  // Linux accounts a running thread every few milliseconds, and at once when the process's own time is asked for.
  const whole = process.cpuUsage()
  const { user, system } = process.threadCpuUsage?.() ?? whole
  return (user + system) * 1000
}

/** Garbage collections that `run` causes. What happened before does not count, where the process has `--expose-gc`. */
export async function collectionsDuring(run: () => void): Promise<number> {
  let count = 0
  const observer = new PerformanceObserver((list) => {
    count += list.getEntries().length
  })
  observer.observe({ entryTypes: ['gc'] })
  globalThis.gc?.()
  // Entries are delivered from the event loop.
  await sleep(50)
  const before = count
  run()
  await sleep(50)
  observer.disconnect()
  return count - before
}
