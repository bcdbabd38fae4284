import { PerformanceObserver } from 'node:perf_hooks'
import { createPlainWindow, FramePool, NetBurst } from '@parakernel/hal'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { labMissing } from './bridge-fixture.ts'
import { buildSegment } from './packets.ts'
import { pause, Testbed } from './testbed.ts'

const PACKETS = 200_000
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

test(`allocates nothing per packet: ${PACKETS} packets out and in`, { timeout: 120_000 }, async () => {
  const [near, far] = [await bed.open(), await bed.open({ interface: 'tap1' })]
  bed.lab.ip(
    'link add br0 type bridge stp_state 0 mcast_snooping 0',
    'link set br0 addrgenmode none',
    'link set br0 up',
    'link set tap0 master br0',
    'link set tap1 master br0',
  )
  const attach = (device: typeof near) => {
    const window = createPlainWindow(1024)
    return bed.attach(device, 0, 1024, new FramePool(window))
  }
  const [a, b] = [attach(near), attach(far)]
  const { bytes } = buildSegment({
    protocol: 'udp',
    source: '192.0.2.1',
    destination: '192.0.2.2',
    sourceMac: near.mac,
    destinationMac: far.mac,
    payload: 20,
  })
  const out = new NetBurst(BURST, a.capabilities.columns)
  const back = new NetBurst(BURST, b.capabilities.columns)
  let received = 0
  const round = () => {
    out.count = 0
    while (out.count < BURST) {
      const frame = a.pool.allocate()
      const at = a.pool.address(frame) + a.pool.headroom
      for (let i = 0; i < bytes.length; i++) a.pool.bytes[at + i] = bytes[i]
      out.push(frame, a.pool.headroom, bytes.length)
    }
    a.transmit(out)
    b.receive(back)
    for (let i = 0; i < back.count; i++) b.pool.release(back.frame[i])
    received += back.count
    // Nothing there, which is answered too.
    b.receive(back)
  }
  for (let i = 0; i < 2000; i++) round()

  let collections = 0
  const observer = new PerformanceObserver((list) => {
    collections += list.getEntries().length
  })
  observer.observe({ entryTypes: ['gc'] })
  const trial = async () => {
    global.gc?.()
    await pause(20)
    collections = 0
    received = 0
    const heap = process.memoryUsage().heapUsed
    for (let i = 0; i < PACKETS / BURST; i++) round()
    const grown = process.memoryUsage().heapUsed - heap
    await pause(20)
    expect(received).toBeGreaterThan(PACKETS * 0.99)
    return { collections, grownPerPacket: Math.max(0, Math.round(grown / received)) }
  }
  // What runs beside the test may bring a collection about; what each packet allocates would in every trial.
  const trials = [await trial()]
  while (trials.length < 4 && trials.at(-1)?.collections !== 0) trials.push(await trial())
  observer.disconnect()
  expect(trials.at(-1)).toEqual({ collections: 0, grownPerPacket: 0 })
})
