import { PerformanceObserver } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'

/** How often the garbage collector ran while `work` did, after a warm-up of the same. */
export async function collectionsDuring(work: () => void): Promise<number> {
  work()
  globalThis.gc?.()
  await sleep(20)
  let runs = 0
  const observer = new PerformanceObserver((list) => {
    runs += list.getEntries().length
  })
  observer.observe({ entryTypes: ['gc'] })
  await sleep(20)
  work()
  await sleep(20)
  observer.disconnect()
  return runs
}
