import { type ScatterGatherArray, sgaFromBytes } from '@parakernel/queue'
import { describe, expect, it } from 'vitest'
import { pattern, StreamPair } from './support/pair.ts'

describe('what is pushed and freed at once', () => {
  it("is the stack's until its peer has it, over a link that takes its time", async () => {
    // A tenth of a second each way.
    const pair = await StreamPair.create({ nic: { latency: 100_000_000 } })
    const { a, b } = pair
    const { client, server } = pair.connect()
    const content = pattern(8000)
    const sga = sgaFromBytes(a.pool, content)
    const frames = sga.segments.map(({ frame }) => frame)
    const push = a.push(client, sga)
    sga.free()
    expect(pair.wait(a, push, 'push').bytes).toBe(8000)
    pair.run(50)
    // On its way, and perhaps to be sent again: nobody else gets these frames, however many are asked for.
    const others: number[] = []
    for (let frame = a.pool.allocate(); frame >= 0; frame = a.pool.allocate()) others.push(frame)
    for (const frame of frames) {
      expect(a.pool.count(frame)).toBeGreaterThan(0)
      expect(others).not.toContain(frame)
    }
    for (const frame of others) a.pool.release(frame)
    const received: number[] = []
    while (received.length < 8000) received.push(...pair.read(b, server))
    expect(Uint8Array.from(received)).toEqual(content)
    pair.run(1000)
    for (const frame of frames) expect(a.pool.count(frame)).toBe(0)
    a.close(client)
    expect(pair.read(b, server)).toHaveLength(0)
    b.close(server)
    pair.run(2000)
    expect(await pair.close()).toBe(0)
  })
})

describe('an application that keeps what it pops', () => {
  it('leaves the devices their frames, and loses nothing', async () => {
    const pair = await StreamPair.create({ frames: 384, deviceReserve: 96, nic: { ringSize: 32 } })
    const { a, b } = pair
    const { client, server } = pair.connect()
    const total = 1_500_000
    const hoard: ScatterGatherArray[] = []
    let sent = 0
    let push = pair.push(a, client, pattern(0))
    let pop = b.pop(server)
    const turn = (keep: (sga: ScatterGatherArray) => void) => {
      while (sent < total && !a.runtime.isPending(push)) {
        a.runtime.wait(push)
        const length = Math.min(8192, total - sent)
        push = pair.push(a, client, pattern(length, sent))
        sent += length
      }
      pair.run(5)
      if (b.runtime.isPending(pop)) return
      keep(pair.wait(b, pop, 'pop').sga)
      pop = b.pop(server)
    }
    for (let i = 0; i < 300; i++) turn((sga) => hoard.push(sga))
    const held = hoard.reduce((sum, sga) => sum + sga.byteLength, 0)
    expect(held).toBeGreaterThan(50_000)
    expect(held).toBeLessThan(total)
    // Its peer is held up, as by a reader that does not read; what the devices need is there, and frames to answer from.
    expect(b.pool.available).toBeGreaterThan(32)
    expect(b.pool.misuses).toBe(0)
    const other = b.socket('datagram')
    b.bind(other, { address: '10.0.0.2', port: 7 })
    let served = 0
    b.serveDatagrams(other, (burst) => {
      served += burst.count
    })
    const sender = a.socket('datagram')
    const hello = sgaFromBytes(a.pool, pattern(100))
    for (let i = 0; i < 20; i++) {
      pair.wait(a, a.pushTo(sender, hello, { address: '10.0.0.2', port: 7 }), 'push')
      pair.run(1)
    }
    hello.free()
    expect(served).toBe(20)
    let at = 0
    const check = (sga: ScatterGatherArray) => {
      const bytes = sga.toBytes()
      sga.free()
      expect(Buffer.compare(bytes, pattern(bytes.length, at))).toBe(0)
      at += bytes.length
    }
    for (const sga of hoard) check(sga)
    for (let i = 0; at < total && i < 20_000; i++) turn(check)
    expect(at).toBe(total)
    b.runtime.cancel(pop)
    b.runtime.wait(pop)
    a.close(client)
    b.close(server)
    pair.run(2000)
    expect(await pair.close()).toBe(0)
  }, 60_000)
})
