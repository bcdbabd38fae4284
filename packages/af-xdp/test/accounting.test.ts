import { execFileSync } from 'node:child_process'
import { createFrameWindow, createPlainRegion, DebugFramePool, NetBurst } from '@parakernel/hal'
import { PacketSocket } from '@parakernel/linux'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { backend } from '../src/index.ts'
import { ipv4Packet } from './packets.ts'
import { clock, drain, pause, Testbed, until } from './testbed.ts'
import { labMissing } from './veth-fixture.ts'

let bed: Testbed
beforeEach((context) => {
  const missing = labMissing()
  if (missing !== undefined) context.skip(missing)
  bed = new Testbed()
})
afterEach(async () => {
  await bed?.close()
})

test('frames that nobody makes room for are counted, one by one', async () => {
  const pair = bed.pair({ label: 'an' })
  const device = await bed.open({ interface: pair.interface, take: 'all', ringSize: 64 })
  const queue = bed.attach(device)
  // Frames are posted when the holder looks.
  expect(drain(queue)).toBe(0)
  const peer = pair.inside(() => new PacketSocket(pair.peer))
  const packet = ipv4Packet({})
  const arrived = () => {
    const { rxPackets, rxDroppedNoFrame, rxDroppedRingFull } = device.queueStatistics(0)
    return rxPackets + rxDroppedNoFrame + rxDroppedRingFull
  }
  // 64 frames are posted; the rest finds none. In portions, so that the cable itself never overflows.
  for (let sent = 0; sent < 320; sent += 32) {
    for (let i = 0; i < 32; i++) peer.send(packet)
    await until('the kernel to see them', () => arrived() >= sent + 32 - 64 || sent < 64)
    await pause(1)
  }
  await until('256 drops', () => arrived() === 256)
  expect(drain(queue)).toBe(64)
  expect(device.queueStatistics(0)).toMatchObject({ rxPackets: 64, rxDroppedNoFrame: 256, rxDroppedTooLong: 0 })
  // It goes on where it stopped.
  peer.send(packet)
  await until('the next frame', () => drain(queue) === 1)
  peer.close()
})

test('a frame that is too long is counted, whether the kernel drops it or the window has no room for it', async () => {
  const pair = bed.pair({ label: 'at' })
  const device = await bed.open({ interface: pair.interface, take: 'all', mode: 'skb' })
  const region = createPlainRegion(64 * 2048)
  const window = createFrameWindow({ region, frameCount: 64, tailroom: 200 })
  const pool = new DebugFramePool(window)
  const queue = backend.attach(device.grant(0, window), { pool, clock })
  execFileSync('ip', ['link', 'set', pair.interface, 'mtu', '3000'])
  pair.run('ip', 'link', 'set', pair.peer, 'mtu', '3000')
  const peer = pair.inside(() => new PacketSocket(pair.peer))
  const sized = (length: number) => {
    const packet = new Uint8Array(length)
    packet.set(ipv4Packet({}).subarray(0, 42))
    return packet
  }
  // 2048 - 262 = 1786 bytes fit into a frame, 1586 of them before the tailroom.
  peer.send(sized(2500))
  peer.send(sized(1700))
  peer.send(sized(1586))
  const lengths: number[] = []
  await until('the frame that fits', () => drain(queue, ({ length }) => void lengths.push(length)) > 0)
  expect(lengths).toEqual([1586])
  expect(device.queueStatistics(0)).toMatchObject({ rxPackets: 1, rxDroppedTooLong: 2, rxDroppedNoFrame: 0 })
  queue.detach()
  expect(pool.available).toBe(64)
  peer.close()
})

test('what was accepted and never left is counted when the queue ends', async () => {
  const pair = bed.pair({ label: 'au' })
  const device = await bed.open({ interface: pair.interface, take: 'all' })
  const queue = bed.attach(device)
  execFileSync('ip', ['link', 'set', pair.interface, 'down'])
  const burst = new NetBurst(10)
  for (let i = 0; i < 10; i++) burst.push(queue.pool.allocate(), queue.pool.headroom, 60)
  expect(queue.transmit(burst)).toBe(10)
  expect(device.queueStatistics(0)).toMatchObject({ txPackets: 10, txBytes: 600, txDropped: 0 })
  queue.detach()
  expect(device.queueStatistics(0)).toMatchObject({ txPackets: 0, txBytes: 0, txDropped: 10 })
  expect(queue.pool.available).toBe(512)
})

test('a window in the middle of a region is all that the kernel touches', async () => {
  const pair = bed.pair({ label: 'aw' })
  const device = await bed.open({ interface: pair.interface, take: 'all', ringSize: 64 })
  const region = createPlainRegion(96 * 2048)
  const bytes = new Uint8Array(region.buffer).fill(0xa5)
  const window = createFrameWindow({ region, byteOffset: 32 * 2048, frameCount: 32 })
  const queue = backend.attach(device.grant(0, window), { pool: new DebugFramePool(window), clock })
  const peer = pair.inside(() => new PacketSocket(pair.peer))
  let got = 0
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < 16; i++) peer.send(ipv4Packet({}))
    await until('sixteen frames', () => {
      got += drain(queue)
      return got === (round + 1) * 16
    })
  }
  queue.detach()
  const outside = [...bytes.subarray(0, 32 * 2048), ...bytes.subarray(64 * 2048)]
  expect(outside.every((byte) => byte === 0xa5)).toBe(true)
  peer.close()
})

test('a memfd region serves as frames too', async () => {
  const pair = bed.pair({ label: 'af' })
  const device = await bed.open({ interface: pair.interface, take: 'all' })
  const region = bed.context.host.createRegion(256 * 2048, 'pk-test')
  const window = createFrameWindow({ region, frameCount: 256 })
  const queue = backend.attach(device.grant(0, window), { pool: new DebugFramePool(window), clock })
  const twin = new Uint8Array(bed.context.host.mapRegion(region.fd, region.byteLength).buffer)
  const peer = pair.inside(() => new PacketSocket(pair.peer))
  const packet = ipv4Packet({ destinationPort: 777 })
  peer.send(packet)
  const burst = new NetBurst(4)
  await until('the frame', () => queue.receive(burst) === 1)
  const at = queue.pool.address(burst.frame[0]) + burst.offset[0]
  // Another mapping of the memfd, as another process has it, sees the bytes.
  expect(twin.slice(at, at + packet.length)).toEqual(packet)
  queue.pool.release(burst.frame[0])
  queue.detach()
  bed.context.host.closeRegion(region)
  peer.close()
})

test('two windows of one region serve two queues, without touching each other', async () => {
  const pair = bed.pair({ label: 'ax', queues: 2 })
  const device = await bed.open({ interface: pair.interface, take: 'all', ringSize: 64 })
  const region = createPlainRegion(128 * 2048)
  const windows = [0, 1].map((i) => createFrameWindow({ region, byteOffset: i * 64 * 2048, frameCount: 64 }))
  const queues = windows.map((window, i) =>
    backend.attach(device.grant(i, window), { pool: new DebugFramePool(window), clock }),
  )
  const peer = pair.inside(() => new PacketSocket(pair.peer))
  const counts = [0, 0]
  for (let port = 0; port < 256; port++) {
    peer.send(ipv4Packet({ destinationPort: port }))
    queues.forEach((queue, i) => {
      counts[i] += drain(queue)
    })
  }
  await until('all of them', () => {
    queues.forEach((queue, i) => {
      counts[i] += drain(queue)
    })
    return counts[0] + counts[1] === 256
  })
  expect(Math.min(...counts)).toBeGreaterThan(0)
  for (const queue of queues) queue.detach()
  peer.close()
})

test('queues that share a pool leave half of it for transmission', async () => {
  const pair = bed.pair({ label: 'as', queues: 4 })
  const device = await bed.open({ interface: pair.interface, take: 'all' })
  const region = createPlainRegion(256 * 2048)
  const window = createFrameWindow({ region, frameCount: 256 })
  const pool = new DebugFramePool(window)
  const queues = [0, 1, 2, 3].map((i) => backend.attach(device.grant(i, window), { pool, clock }))
  for (const queue of queues) drain(queue)
  expect(pool.available).toBe(128)
  for (const queue of queues.splice(1)) queue.detach()
  drain(queues[0])
  expect(pool.available).toBe(128)
  queues[0].detach()
  expect(pool.available).toBe(256)
})
