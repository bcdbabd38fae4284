import { PerformanceObserver } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { createPlainWindow, FramePool, NetBurst, type NetQueue, recordRingBuffer, VirtualClock } from '@parakernel/hal'
import { expect, test } from 'vitest'
import { FaultQueue } from '../src/faults/queue.ts'
import { faultSettings } from '../src/faults/settings.ts'
import { TraceQueue } from '../src/trace/queue.ts'
import { EndlessQueue } from './support/endless-queue.ts'

/** Receives and transmits a million packets, and answers how often the collector ran. */
async function collections(queue: NetQueue, clock = new VirtualClock()): Promise<number> {
  const burst = new NetBurst(32, queue.capabilities.columns)
  let seen = 0
  const run = (packets: number) => {
    for (let done = 0; done < packets; done += 32) {
      clock.advance(1_000)
      queue.receive(burst)
      seen += burst.count
      const taken = queue.transmit(burst)
      for (let i = taken; i < burst.count; i++) queue.pool.release(burst.frame[i])
    }
  }
  run(300_000)
  globalThis.gc?.()
  await sleep(20)
  let runs = 0
  const observer = new PerformanceObserver((list) => {
    runs += list.getEntries().length
  })
  observer.observe({ entryTypes: ['gc'] })
  await sleep(20)
  seen = 0
  run(1_000_000)
  await sleep(20)
  observer.disconnect()
  // The packets did pass through.
  expect(seen).toBeGreaterThan(100_000)
  return runs
}

const endless = () => new EndlessQueue(new FramePool(createPlainWindow(2048, { frameSize: 512 })))

test('the test itself allocates nothing', async () => {
  expect(await collections(endless())).toBe(0)
})

test.each([
  ['without any', {}],
  ['that hardly ever strike', { loss: 1e-12 }],
  ['with all of them', { loss: 0.1, duplicate: 0.1, reorder: 0.1, reorderDelay: 0, corrupt: 0.1, rate: 1e11 }],
])('faults %s allocate nothing', async (_, options) => {
  const inner = endless()
  const clock = new VirtualClock()
  const queue = new FaultQueue(inner, inner.grant, faultSettings(options), clock)
  expect(await collections(queue, clock)).toBe(0)
})

test('trace allocates nothing', async () => {
  const inner = endless()
  const clock = new VirtualClock()
  const queue = new TraceQueue(inner, inner.grant, { ring: recordRingBuffer(1024) }, clock)
  expect(await collections(queue, clock)).toBe(0)
})
