import { PerformanceObserver } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { Bench, Driver, pass, Requests, serve } from '../bench/request-driver.ts'

it('a million native requests allocate nothing', async () => {
  const bench = new Bench(64 << 20)
  serve(bench, 16)
  const driver = new Driver(bench)
  const one = { name: 'mixed', keyBytes: 8, valueBytes: 8, distribution: 'zipf', gets: 0.5 } as const
  for (const perPacket of [1, 16]) {
    const requests = new Requests(one, perPacket, false)
    const rounds = Math.ceil(1_000_000 / requests.operations)
    // Until the code is compiled for good, the compiler allocates.
    pass(driver, requests, rounds, true)
    globalThis.gc?.()
    await sleep(50)
    let collections = 0
    const observer = new PerformanceObserver((list) => {
      collections += list.getEntries().length
    })
    observer.observe({ entryTypes: ['gc'] })
    pass(driver, requests, rounds, true)
    await sleep(50)
    observer.disconnect()
    expect([perPacket, collections]).toEqual([perPacket, 0])
  }
})
