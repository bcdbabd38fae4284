import { faults } from '@parakernel/probes'
import type { QueueDescriptor } from '@parakernel/queue'
import { describe, expect, it } from 'vitest'
import { pattern, StreamPair } from './support/pair.ts'

/** Sends `total` bytes of the pattern from a's `client` and reads them at b, in turn; whether all came as they were. */
function transfer(pair: StreamPair, client: QueueDescriptor, server: QueueDescriptor, total: number): boolean {
  const { a, b } = pair
  let sent = 0
  let received = 0
  let push = pair.push(a, client, pattern(0))
  while (received < total) {
    while (sent < total && !a.runtime.isPending(push)) {
      a.runtime.wait(push)
      const length = Math.min(8192, total - sent)
      push = pair.push(a, client, pattern(length, sent))
      sent += length
    }
    const bytes = pair.read(b, server)
    if (Buffer.compare(bytes, pattern(bytes.length, received)) !== 0) return false
    received += bytes.length
  }
  a.runtime.wait(push)
  return true
}

describe('a transfer arrives as it was sent', () => {
  const hard = { loss: 0.02, duplicate: 0.01, corrupt: 0.01, delay: 200_000, jitter: 300_000, seed: 5 }
  it.each([
    ['over a clean link', {}],
    ['cut by the device', { nic: { transmitSegmentation: true } }],
    ['in super-frames that arrive whole', { nic: { transmitSegmentation: true, receiveSegmentation: true } }],
    ['in short chains', { nic: { transmitSegmentation: true, receiveSegmentation: true, maxChain: 3 } }],
    ['without chains', { nic: { maxChain: 1 } }],
    ['in packets of several frames', { nic: { mtu: 9000 } }],
    ['with checksums of our own', { options: { checksum: 'software' as const } }],
    [
      'over a link that loses, doubles, reorders and corrupts',
      { wrap: (d: never, { clock }: never) => faults.wrap(d, hard, { clock }) },
    ],
    [
      'through a transmit ring of four entries',
      { nic: { ringSize: 4, flowControl: true, transmitSegmentation: false }, options: { transmitBacklog: 66 } },
    ],
    ['out of a pool that is always short', { frames: 96, deviceReserve: 32, nic: { ringSize: 16 } }],
  ])('%s', async (_, setup) => {
    const pair = await StreamPair.create(setup as Parameters<typeof StreamPair.create>[0])
    const { client, server } = pair.connect()
    expect(transfer(pair, client, server, 1_000_003)).toBe(true)
    pair.a.close(client)
    expect(pair.read(pair.b, server)).toHaveLength(0)
    pair.b.close(server)
    pair.run(100)
    expect(await pair.close()).toBe(0)
  })
})

describe('a reader that does not read', () => {
  it('closes its window, takes nothing from others, and goes on where it stopped', async () => {
    const pair = await StreamPair.create({ frames: 512 })
    const { a, b } = pair
    const slow = Array.from({ length: 4 }, () => pair.connect())
    const pushes = slow.map(({ client }) =>
      Array.from({ length: 4 }, (_, i) => pair.push(a, client, pattern(16_000, i * 16_000))),
    )
    pair.run(2000)
    // Nothing that arrived was thrown away for want of memory.
    expect(pair.counter(b, 'tcpDrop.DataNoMemory')).toBe(0)
    const quick = pair.connect()
    expect(transfer(pair, quick.client, quick.server, 200_000)).toBe(true)
    for (const [i, { server }] of slow.entries()) {
      for (let at = 0; at < 4 * 16_000; ) {
        const bytes = pair.read(b, server)
        expect(Buffer.compare(bytes, pattern(bytes.length, at)), `connection ${i} at ${at}`).toBe(0)
        at += bytes.length
      }
    }
    for (const token of pushes.flat()) expect(a.runtime.wait(token).kind).toBe('push')
    expect(await pair.close()).toBe(0)
  })

  it('of many small messages holds few frames when these are short', async () => {
    const pair = await StreamPair.create({ frames: 256, debug: false })
    const { a, b } = pair
    const all = Array.from({ length: 100 }, () => pair.connect((qd) => a.setsockopt(qd, 'noDelay', true)))
    for (let round = 0; round < 10; round++) {
      for (const { client } of all) a.runtime.wait(pair.push(a, client, pattern(20, round * 20)))
      pair.run(100)
    }
    for (const { server } of all) {
      let at = 0
      while (at < 200) {
        const bytes = pair.read(b, server)
        expect(Buffer.compare(bytes, pattern(bytes.length, at))).toBe(0)
        at += bytes.length
      }
    }
    expect(await pair.close()).toBe(0)
  })
})

describe('connections share a link fairly', () => {
  it('each gets its part of a full transmit queue', async () => {
    const pair = await StreamPair.create({ nic: { rate: 1e8, latency: 50_000, ringSize: 256 }, frames: 2048 })
    const { a, b } = pair
    const counts = new Map<number, number>()
    b.serveStreams(pair.listener, (burst) => {
      for (let i = 0; i < burst.count; i++) {
        counts.set(burst.qd[i], (counts.get(burst.qd[i]) ?? 0) + burst.length[i])
      }
    })
    const frame = a.pool.allocate()
    const address = a.pool.address(frame) + a.pool.headroom
    const clients = Array.from({ length: 8 }, () => {
      const qd = a.socket('stream')
      pair.wait(a, a.connect(qd, { address: '10.0.0.2', port: 80 }), 'connect')
      return qd
    })
    const fill = (qd: QueueDescriptor) => {
      for (;;) {
        a.pool.retain(frame)
        if (!a.sendStream(qd, frame, address, 1400)) break
      }
      a.pool.release(frame)
    }
    for (const qd of clients) {
      a.serveStreams(qd, (burst) => {
        for (let i = 0; i < burst.count; i++) fill(burst.qd[i] as QueueDescriptor)
      })
      fill(qd)
    }
    pair.run(2000)
    const shares = [...counts.values()]
    expect(shares).toHaveLength(8)
    const sum = shares.reduce((x, y) => x + y, 0)
    const jain = sum ** 2 / (8 * shares.reduce((x, y) => x + y * y, 0))
    expect(jain).toBeGreaterThan(0.8)
    expect((sum * 8) / 2 / 1e8).toBeGreaterThan(0.8)
    a.pool.release(frame)
    expect(await pair.close()).toBe(0)
  })
})
