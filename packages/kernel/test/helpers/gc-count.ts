import { PerformanceObserver } from 'node:perf_hooks'

/** Garbage collections, of whatever kind, while `body` runs. Call with a body that was run before, so that it is compiled. */
export async function gcCount(body: () => void): Promise<number> {
  let count = 0
  const observer = new PerformanceObserver((list) => {
    count += list.getEntries().length
  })
  await new Promise(setImmediate)
  globalThis.gc?.()
  await new Promise(setImmediate)
  observer.observe({ entryTypes: ['gc'] })
  body()
  await new Promise((resolve) => setTimeout(resolve, 5))
  await new Promise(setImmediate)
  observer.disconnect()
  return count
}
