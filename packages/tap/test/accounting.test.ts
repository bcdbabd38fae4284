import { END_OF_PACKET, GRANT_REMOVED, type NetDeviceEvent } from '@parakernel/hal'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { labMissing } from './bridge-fixture.ts'
import { buildSegment } from './packets.ts'
import { WIRE_MAC } from './tap-wire.ts'
import { burstFor, load, pause, release, Testbed, until } from './testbed.ts'

const failing = vi.hoisted(() => ({ errno: 0 }))

// A kernel that has no memory for a packet, which a real one hardly ever lacks.
vi.mock('@parakernel/linux', async (original) => {
  const real = await original<typeof import('@parakernel/linux')>()
  const foreign = () => ({ ...real.foreign(), errno: () => failing.errno || real.foreign().errno() })
  const calls = () => {
    const table = Object.create(real.calls())
    const { writev } = real.calls()
    Object.defineProperty(table, 'writev', {
      value: (fd: number, vector: number, count: number) => (failing.errno === 0 ? writev(fd, vector, count) : -1),
    })
    return table
  }
  return { ...real, calls, foreign }
})

const [EAGAIN, ENOMEM, EINVAL, ENOBUFS] = [11, 12, 22, 105]

let bed: Testbed
beforeEach((context) => {
  const missing = labMissing()
  if (missing !== undefined) context.skip(missing)
  failing.errno = 0
  bed = new Testbed()
})
afterEach(async () => {
  failing.errno = 0
  await bed?.close()
})

const packet = (mac: string, payload = 60) =>
  buildSegment({
    protocol: 'udp',
    source: '192.0.2.1',
    destination: '192.0.2.2',
    sourceMac: WIRE_MAC,
    destinationMac: mac,
    payload,
  }).bytes

/** From the device to the wire. */
const outbound = (device: { readonly mac: string }, payload = 60) =>
  buildSegment({
    protocol: 'udp',
    source: '192.0.2.2',
    destination: '192.0.2.1',
    sourceMac: device.mac,
    destinationMac: WIRE_MAC,
    payload,
  }).bytes

describe('what the kernel does not take', () => {
  test.each([EAGAIN, ENOMEM, ENOBUFS])('for lack of room (errno %i) stays with the caller', async (errno) => {
    const device = await bed.open()
    const wire = bed.wire(device)
    const queue = bed.attach(device)
    const burst = burstFor(queue)
    for (let i = 0; i < 4; i++) load(queue, burst, outbound(device, 60 + i))
    burst.length[0] = 0
    failing.errno = errno
    // The bad one is refused all the same, and the rest waits.
    expect(queue.transmit(burst)).toBe(1)
    expect(burst.refused).toBe(1)
    expect(queue.transmit(burst, 1)).toBe(0)
    expect(device.queueStatistics(0)).toMatchObject({
      txRingFull: 2,
      txPackets: 0,
      txInvalidDescriptors: 1,
      txDropped: 0,
    })
    failing.errno = 0
    expect(queue.transmit(burst, 1)).toBe(3)
    queue.pool.release(burst.frame[0])
    const lengths: number[] = []
    await until('three packets', () => {
      for (let one = wire.receive(); one !== undefined; one = wire.receive()) lengths.push(one.length - 42)
      return lengths.length >= 3
    })
    expect(lengths).toEqual([61, 62, 63])
    queue.detach()
    expect(queue.pool.available).toBe(queue.pool.frameCount)
  })

  test("for its headers is refused, and is the caller's", async () => {
    const device = await bed.open()
    const queue = bed.attach(device)
    const burst = burstFor(queue)
    load(queue, burst, outbound(device))
    failing.errno = EINVAL
    expect(queue.transmit(burst)).toBe(1)
    expect(burst.refused).toBe(1)
    expect(device.queueStatistics(0).txInvalidDescriptors).toBe(1)
    release(queue, burst)
  })

  test('because the interface is down is counted as dropped', async () => {
    const device = await bed.open()
    const queue = bed.attach(device)
    bed.lab.ip('link set tap0 down')
    await until('the link to be down', () => !device.linkUp)
    const burst = burstFor(queue)
    for (let i = 0; i < 3; i++) load(queue, burst, outbound(device))
    expect(queue.transmit(burst)).toBe(3)
    expect(device.queueStatistics(0)).toMatchObject({ txDropped: 3, txPackets: 0 })
    expect(queue.pool.available).toBe(queue.pool.frameCount)
  })
})

describe('what comes', () => {
  test('while nobody holds the queue is counted as dropped, and no news for its next holder', async () => {
    const device = await bed.open({ ringSize: 16 })
    const wire = bed.wire(device)
    for (let i = 0; i < 40; i++) wire.send(packet(device.mac))
    await pause(200)
    const queue = bed.attach(device)
    expect(device.queueStatistics(0).rxDroppedRingFull).toBe(40)
    const burst = burstFor(queue)
    expect(queue.receive(burst)).toBe(0)
    wire.send(packet(device.mac))
    await until('a packet', () => queue.receive(burst) === 1)
    release(queue, burst)
    expect(device.statistics()).toMatchObject({ rxPackets: 1, rxDroppedRingFull: 40 })
  })

  test('for others is dropped by the filter of all queues, whichever it comes to', async () => {
    const device = await bed.open({ queues: 2 })
    device.steer({ protocol: 'udp', destinationPort: 5002, queue: 1 })
    const wire = bed.wire(device)
    const [first, second] = [bed.attach(device, 0), bed.attach(device, 1)]
    const burst = burstFor(second)
    const group = '01:00:5e:00:00:09'
    wire.send(packet(group))
    wire.send(packet('02:00:00:00:00:99'))
    await until('both to be left out', () => second.receive(burst) === 0 && device.statistics().rxDroppedFilter === 2)
    first.setReceiveFilter({ multicast: [group] })
    wire.send(packet(group))
    await until('the group', () => second.receive(burst) === 1)
    release(second, burst)
    expect(() => first.setReceiveFilter({ multicast: ['02:00:00:00:00:01'] })).toThrow(
      expect.objectContaining({ code: 'EINVAL' }),
    )
    // What was asked for before is still there.
    wire.send(packet(group))
    await until('the group again', () => second.receive(burst) === 1)
    release(second, burst)
    first.detach()
    wire.send(packet(group))
    await until('nobody to want it', () => second.receive(burst) === 0 && device.statistics().rxDroppedFilter === 3)
  })
})

test('an interface that is removed between a packet and the next', async () => {
  const device = await bed.open()
  const wire = bed.wire(device)
  const queue = bed.attach(device)
  const burst = burstFor(queue)
  const events: NetDeviceEvent[] = []
  device.subscribe((event) => void events.push(event))
  wire.send(packet(device.mac))
  await until('a packet', () => queue.receive(burst) === 1)
  bed.lab.ip('link del tap0')
  // The news has not come yet: what is sent now is lost, and says so.
  burst.flags[0] = END_OF_PACKET
  expect(queue.transmit(burst)).toBe(1)
  expect(queue.receive(burst)).toBe(0)
  await until('the removal', () => queue.control.state === GRANT_REMOVED)
  expect(events.at(-1)).toEqual({ kind: 'removed' })
  expect(device.statistics()).toMatchObject({ rxPackets: 1, txDropped: 1, txPackets: 0 })
  expect(device.linkUp).toBe(false)
  expect(() => bed.attach(device)).toThrow(expect.objectContaining({ code: 'ENODEV' }))
  expect(() => device.steer({ protocol: 'udp', queue: 0 })).toThrow(expect.objectContaining({ code: 'ENODEV' }))
  queue.detach()
  expect(queue.pool.available).toBe(queue.pool.frameCount)
})

test('a holder that lets go late reads nothing and writes nothing of its successor', async () => {
  const device = await bed.open()
  const wire = bed.wire(device)
  const late = bed.attach(device)
  const { descriptor } = late.grant.transport as { descriptor: number }
  device.reclaim(late.grant)
  const queue = bed.attach(device)
  expect((queue.grant.transport as { descriptor: number }).descriptor).not.toBe(descriptor)
  const burst = burstFor(late)
  wire.send(packet(device.mac))
  await pause(100)
  expect(late.receive(burst)).toBe(0)
  expect(late.arm()).toBe(false)
  await until('the packet', () => queue.receive(burst) === 1)
  release(queue, burst)
  late.detach()
  expect(late.pool.available).toBe(late.pool.frameCount)
})
