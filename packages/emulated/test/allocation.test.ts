import { constants, PerformanceObserver } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { createPlainWindow, FramePool, MonotonicClock, NetBurst, VirtualClock } from '@parakernel/hal'
import { expect, it } from 'vitest'
import { backend, createNetwork, type NicOptions } from '../src/index.ts'
import { build } from './support/packets.ts'

const BURST = 32
const PACKETS = 1_200_000

/** Ping-pong of two queues, each sending back what it received, in place. Answers the collections that this caused. */
async function forward(options: NicOptions, virtual: boolean): Promise<{ collections: number; packets: number }> {
  const virtualClock = new VirtualClock()
  const clock = virtual ? virtualClock : new MonotonicClock()
  const network = createNetwork({ clock })
  const open = () => {
    const nic = network.nic(options)
    const window = createPlainWindow(256)
    const pool = new FramePool(window)
    const queue = backend.attach(nic.grant(0, window), { pool, clock })
    return { nic, pool, queue, burst: new NetBurst(BURST, nic.capabilities.columns) }
  }
  const [a, b] = [open(), open()]
  const { bytes } = build({ from: a.nic.mac, to: b.nic.mac })
  const swap = (side: typeof a) => {
    virtualClock.advance(10_000)
    const { burst, pool } = side
    const count = side.queue.receive(burst)
    for (let i = 0; i < count; i++) {
      const at = pool.address(burst.frame[i]) + burst.offset[i]
      for (let n = 0; n < 6; n++) {
        const byte = pool.bytes[at + n]
        pool.bytes[at + n] = pool.bytes[at + n + 6]
        pool.bytes[at + n + 6] = byte
      }
    }
    side.queue.transmit(burst)
    return count
  }
  for (let i = 0; i < BURST; i++) {
    const frame = a.pool.allocate()
    a.pool.bytes.set(bytes, a.pool.address(frame) + a.pool.headroom)
    a.burst.push(frame, a.pool.headroom, bytes.length)
  }
  a.queue.transmit(a.burst)
  for (let round = 0; round < 10_000; round++) {
    swap(b)
    swap(a)
  }
  ;(globalThis as { gc?: () => void }).gc?.()
  await sleep(20)
  let collections = 0
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { kind } = (entry as unknown as { detail: { kind: number } }).detail
      if (kind !== constants.NODE_PERFORMANCE_GC_INCREMENTAL) collections++
    }
  })
  observer.observe({ entryTypes: ['gc'] })
  let packets = 0
  while (packets < PACKETS) packets += swap(b) + swap(a)
  await sleep(20)
  observer.disconnect()
  await network.close()
  return { collections, packets }
}

it.each([
  ['with every offload', {}, false],
  ['without', { checksumVerify: false, hash: false, vlan: false, timestamps: false }, false],
  ['over links with latency and rate', { latency: 100, rate: 1e12 }, true],
])('forwarding a million packets %s allocates nothing', async (_, options, virtual) => {
  const { collections, packets } = await forward(options, virtual)
  expect(packets).toBeGreaterThanOrEqual(PACKETS)
  expect(collections).toBe(0)
})
