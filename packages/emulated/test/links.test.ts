import { SEGMENT_UDP } from '@parakernel/hal'
import { describe, expect, it } from 'vitest'
import { Lab, type Station } from './support/lab.ts'
import { build, payloadOf } from './support/packets.ts'

/** 100 bytes of packet are 124 on the wire: 992 ns at 1 Gbit/s. */
const GIGABIT = 1e9
const WIRE_NS = 992
const packet = (from: Station, to: Station, seed = 1) =>
  build({ from: from.nic.mac, to: to.nic.mac, payload: payloadOf(58, seed) }).bytes

describe('links', () => {
  it('deliver after the latency of both ends, not before', async () => {
    await using lab = new Lab()
    const [a, b] = [lab.station({ latency: 3_000 }), lab.station({ latency: 500 })]
    lab.clock.advance(10_000)
    a.send(packet(a, b))
    expect(b.queue.nextEvent?.()).toBe(13_500)
    expect(lab.network.nextDelivery()).toBe(13_500)
    expect(b.queue.arm()).toBe(false)
    lab.clock.advanceTo(13_499)
    expect(b.receive()).toEqual([])
    lab.clock.advance(1)
    expect(b.queue.arm()).toBe(true)
    expect(b.receive().map(({ timestamp }) => timestamp)).toEqual([13_500])
    expect(b.queue.nextEvent?.()).toBe(Number.POSITIVE_INFINITY)
    expect(lab.network.nextDelivery()).toBe(Number.POSITIVE_INFINITY)
  })

  it('take the time that the bits take, into the switch and out of it', async () => {
    await using lab = new Lab()
    const [a, b] = [lab.station({ rate: GIGABIT }), lab.station({ rate: GIGABIT })]
    for (let i = 0; i < 3; i++) a.send(packet(a, b))
    lab.clock.advance(1e6)
    expect(b.receive().map(({ timestamp }) => timestamp)).toEqual([2, 3, 4].map((n) => n * WIRE_NS))
  })

  it('of a direct cable are as slow as the slower end', async () => {
    await using lab = new Lab({ topology: 'direct' })
    const [a, b] = [lab.station({ rate: 10 * GIGABIT }), lab.station({ rate: GIGABIT })]
    for (let i = 0; i < 2; i++) a.send(packet(a, b))
    lab.clock.advance(1e6)
    expect(b.receive().map(({ timestamp }) => timestamp)).toEqual([WIRE_NS, 2 * WIRE_NS])
  })

  it('share a receiver between senders', async () => {
    await using lab = new Lab()
    const [a, b] = [lab.station(), lab.station()]
    const c = lab.station({ rate: GIGABIT })
    for (let i = 0; i < 2; i++) for (const sender of [a, b]) sender.send(packet(sender, c))
    lab.clock.advance(1e6)
    expect(c.receive().map(({ timestamp }) => timestamp)).toEqual([1, 2, 3, 4].map((n) => n * WIRE_NS))
  })

  it('tell how many packets nobody has taken yet, those under way too', async () => {
    await using lab = new Lab()
    const [a, b] = [lab.station({ latency: 1_000 }), lab.station()]
    expect(b.nic.queueBacklog(0)).toBe(0)
    for (let i = 0; i < 3; i++) a.send(packet(a, b, i))
    expect(b.nic.queueBacklog(0)).toBe(3)
    lab.clock.advance(1_000)
    b.receive()
    expect([a.nic.queueBacklog(0), b.nic.queueBacklog(0)]).toEqual([0, 0])
  })

  it('carry a super-frame as its segments', async () => {
    await using lab = new Lab()
    const [a, b] = [lab.station({ rate: GIGABIT }), lab.station()]
    const { bytes } = build({ from: a.nic.mac, to: b.nic.mac, payload: payloadOf(158) })
    a.send(bytes, { flags: SEGMENT_UDP, segmentSize: 58, headerLength: 42 })
    lab.clock.advance(1e6)
    // 58 + 58 + 42 bytes of payload.
    expect(b.receive().map(({ timestamp }) => timestamp)).toEqual([992, 1984, 1984 + 864])
  })

  it('deliver in order of arrival, whoever sent', async () => {
    await using lab = new Lab()
    const [a, b, c] = [lab.station({ latency: 5_000 }), lab.station({ latency: 1_000 }), lab.station()]
    a.send(packet(a, c, 1))
    lab.clock.advance(1_000)
    b.send(packet(b, c, 2))
    lab.clock.advance(3_500)
    b.send(packet(b, c, 3))
    lab.clock.advance(1e6)
    const received = c.receive()
    expect(received.map(({ timestamp }) => timestamp)).toEqual([2_000, 5_000, 5_500])
    expect(received.map(({ bytes }) => bytes)).toEqual([packet(b, c, 2), packet(a, c, 1), packet(b, c, 3)])
  })

  it('hold a frame until it has left; a full transmit ring takes no more', async () => {
    await using lab = new Lab()
    const [a, b] = [lab.station({ rate: GIGABIT, ringSize: 4 }), lab.station()]
    const sent = Array.from({ length: 6 }, () => a.send(packet(a, b)))
    expect(sent).toEqual([1, 1, 1, 1, 0, 0])
    expect(a.nic.statistics()).toMatchObject({ txPackets: 4, txRingFull: 2 })
    expect(a.pool.available).toBe(a.pool.frameCount - 4)
    expect(a.queue.nextEvent?.()).toBe(WIRE_NS)
    lab.clock.advance(WIRE_NS)
    expect(a.queue.reap()).toBe(1)
    expect(a.send(packet(a, b))).toBe(1)
    expect(a.send(packet(a, b))).toBe(0)
    a.queue.detach()
    expect(a.pool.available).toBe(a.pool.frameCount)
    lab.clock.advance(1e6)
    expect(b.receive()).toHaveLength(5)
  })

  it('find a frame that is written while it is being sent', async () => {
    await using lab = new Lab()
    const [a, b] = [lab.station({ rate: GIGABIT }), lab.station()]
    a.send(packet(a, b))
    const frame = a.burst.frame[0]
    a.pool.bytes[a.pool.address(frame) + 70] ^= 1
    lab.clock.advance(1e6)
    expect(() => a.queue.reap()).toThrow(/while a device was transmitting/)
    a.pool.bytes[a.pool.address(frame) + 70] ^= 1
    a.queue.reap()
  })
})

describe('rings', () => {
  it('drop what does not fit, and count it at the receiver', async () => {
    await using lab = new Lab()
    const [a, b] = [lab.station(), lab.station({ ringSize: 8 })]
    for (let i = 0; i < 11; i++) expect(a.send(packet(a, b, i))).toBe(1)
    expect(b.receive().map(({ bytes }) => bytes)).toEqual([0, 1, 2, 3, 4, 5, 6, 7].map((i) => packet(a, b, i)))
    expect(b.nic.statistics()).toMatchObject({ rxPackets: 8, rxDroppedRingFull: 3 })
    a.send(packet(a, b))
    expect(b.receive()).toHaveLength(1)
  })

  it('make senders wait under flow control, and lose nothing', async () => {
    await using lab = new Lab()
    const [a, b] = [lab.station(), lab.station({ ringSize: 8, flowControl: true })]
    let sent = 0
    let received = 0
    for (let round = 0; round < 50; round++) {
      while (a.send(packet(a, b, sent)) === 1) sent++
      for (const { bytes } of b.receive()) expect(bytes).toEqual(packet(a, b, received++))
    }
    expect([sent, received]).toEqual([400, 400])
    expect(a.nic.statistics()).toMatchObject({ txPackets: 400, txRingFull: 50 })
    expect(b.nic.statistics().rxDroppedRingFull).toBe(0)
  })

  it('count what nobody can take: a queue without a holder, packets left behind', async () => {
    await using lab = new Lab()
    const a = lab.station()
    const idle = lab.network.nic()
    const { bytes } = build({ from: a.nic.mac, to: idle.mac })
    a.send(bytes)
    expect(idle.statistics().rxDroppedNoFrame).toBe(1)
    const b = lab.station()
    for (let i = 0; i < 3; i++) a.send(packet(a, b))
    b.nic.reclaim(b.queue.grant)
    expect(b.nic.statistics()).toMatchObject({ rxPackets: 0, rxDroppedNoFrame: 3 })
    await b.nic.close()
    expect(b.nic.statistics()).toMatchObject({ rxPackets: 0, rxDroppedNoFrame: 3 })
  })

  it('give every sender its turn', async () => {
    await using lab = new Lab()
    const senders = [lab.station(), lab.station(), lab.station()]
    const receiver = lab.station()
    for (const sender of senders) for (let i = 0; i < 128; i++) sender.send(packet(sender, receiver))
    const seen = new Map(senders.map(({ nic }) => [nic.mac.slice(-2), 0]))
    for (let round = 0; round < 3; round++) {
      receiver.queue.receive(receiver.burst)
      for (let i = 0; i < receiver.burst.count; i++) {
        const from = receiver.pool.bytes[receiver.pool.address(receiver.burst.frame[i]) + receiver.burst.offset[i] + 11]
        const key = from.toString(16).padStart(2, '0')
        seen.set(key, (seen.get(key) ?? 0) + 1)
        receiver.pool.release(receiver.burst.frame[i])
      }
    }
    expect([...seen.values()]).toEqual([64, 64, 64])
    receiver.receive()
  })
})
