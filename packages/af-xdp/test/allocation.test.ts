import { PerformanceObserver } from 'node:perf_hooks'
import { createPlainWindow, FramePool, NetBurst, type NetQueue } from '@parakernel/hal'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type AfXdpDevice, backend } from '../src/index.ts'
import { ipv4Packet } from './packets.ts'
import { clock, pause, Testbed } from './testbed.ts'
import { labMissing } from './veth-fixture.ts'

const PACKETS = 1_000_000
const BURST = 32

let bed: Testbed
beforeEach((context) => {
  const missing = labMissing()
  if (missing !== undefined) context.skip(missing)
  bed = new Testbed()
})
afterEach(async () => {
  await bed?.close()
})

function attach(device: AfXdpDevice): NetQueue {
  const window = createPlainWindow(1024)
  return backend.attach(device.grant(0, window), { pool: new FramePool(window), clock })
}

test(`allocates nothing per packet: ${PACKETS} packets out and in`, { timeout: 120_000 }, async () => {
  const pair = bed.pair({ label: 'al' })
  // Both ends are ours: what one transmits the other receives, and sends back.
  const near = await bed.open({ interface: pair.interface, take: 'all' })
  const a = attach(near)
  const b = pair.inside(() => attach(bed.openNow({ interface: pair.peer, take: 'all' })))
  const packet = ipv4Packet({})
  const out = new NetBurst(BURST)
  const back = new NetBurst(BURST)
  let received = 0
  const round = () => {
    out.count = 0
    while (out.count < BURST) {
      const frame = a.pool.allocate()
      if (frame < 0) break
      const at = a.pool.address(frame) + a.pool.headroom
      for (let i = 0; i < 50; i++) a.pool.bytes[at + i] = packet[i]
      out.push(frame, a.pool.headroom, 50)
    }
    const sent = a.transmit(out)
    for (let i = sent; i < out.count; i++) a.pool.release(out.frame[i])
    b.receive(back)
    const returned = b.transmit(back)
    for (let i = returned; i < back.count; i++) b.pool.release(back.frame[i])
    a.receive(back)
    for (let i = 0; i < back.count; i++) a.pool.release(back.frame[i])
    received += back.count
  }
  for (let i = 0; i < 2000; i++) round()

  let collections = 0
  const observer = new PerformanceObserver((list) => {
    collections += list.getEntries().length
  })
  observer.observe({ entryTypes: ['gc'] })
  global.gc?.()
  await pause(20)
  collections = 0
  received = 0
  const heap = process.memoryUsage().heapUsed
  // Out and back: each counts twice, once on each queue.
  while (received < PACKETS / 2) for (let i = 0; i < 1000; i++) round()
  const grown = process.memoryUsage().heapUsed - heap
  await pause(20)
  observer.disconnect()
  expect({ collections, grownPerPacket: Math.round((grown / received) * 10) / 10 }).toEqual({
    collections: 0,
    grownPerPacket: expect.toSatisfy((bytes: number) => bytes < 1),
  })
})
