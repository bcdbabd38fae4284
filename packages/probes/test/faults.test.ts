import {
  assertNoLeaks,
  CHECKSUM_VERIFIED,
  CHECKSUM_WANTED,
  END_OF_PACKET,
  GRANT_RECLAIMED,
  REFUSED,
  SEGMENT_UDP,
  VirtualClock,
} from '@parakernel/hal'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FaultQueue } from '../src/faults/queue.ts'
import { type FaultOptions, faultSettings } from '../src/faults/settings.ts'
import { faults } from '../src/index.ts'
import { load, take, takeAll } from './support/bursts.ts'
import { FakeQueue, numbered, numberOf } from './support/fake-queue.ts'

function open(options: FaultOptions, inner = new FakeQueue()) {
  const clock = new VirtualClock(1_000)
  return { inner, clock, queue: new FaultQueue(inner, inner.grant, faultSettings(options), clock) }
}

/** Feeds `count` packets and answers the numbers of those that came through. */
function receiveMany(options: FaultOptions, count: number, queueNumber = 0): number[] {
  const { inner, queue } = open(options, new FakeQueue(undefined, queueNumber))
  const numbers: number[] = []
  for (let i = 0; i < count; i += 32) {
    for (let k = i; k < Math.min(count, i + 32); k++) inner.feed(numbered(k))
    for (const { bytes } of takeAll(queue)) numbers.push(numberOf(bytes))
  }
  queue.detach()
  assertNoLeaks(inner.pool)
  return numbers
}

describe('options', () => {
  test.each([
    [{ loss: 1.5 }, 'faults.loss'],
    [{ loss: -0.1 }, 'faults.loss'],
    [{ loss: Number.NaN }, 'faults.loss'],
    [{ receive: { delay: -1 } }, 'faults.receive.delay'],
    [{ transmit: { lost: 1 } }, 'faults.transmit.lost'],
    [{ capacity: 8 }, 'faults.capacity'],
    [{ seed: 0.5 }, 'faults.seed'],
  ])('%j is refused by name', (options, subject) => {
    expect(() => faultSettings(options as FaultOptions)).toThrow(
      expect.objectContaining({ code: 'EINVAL', subject, remedy: expect.stringMatching(/./) }),
    )
  })

  test('a direction overrides what holds for both', () => {
    const { receive, transmit } = faultSettings({ loss: 0.1, delay: 5, receive: { loss: 0.2 } })
    expect([receive.loss, transmit.loss, receive.delay, transmit.delay]).toEqual([0.2, 0.1, 5, 5])
  })

  test('disabled, the device is not wrapped', () => {
    const device = {} as never
    expect(faults.wrap(device, { enabled: false, loss: 1 }, { clock: new VirtualClock() })).toBe(device)
  })
})

describe('loss', () => {
  test.each([0, 0.01, 0.1, 0.5, 0.9, 1])('received packets are lost at a rate of %d, and counted', (loss) => {
    const total = 20_000
    const { inner, queue } = open({ receive: { loss } })
    let came = 0
    for (let i = 0; i < total; i += 32) {
      for (let k = 0; k < 32; k++) inner.feed(numbered(i + k))
      came += takeAll(queue).length
    }
    expectRate(total - came, total, loss)
    const counted = queue.counters.snapshot()
    expect(counted.rxPackets).toBe(came)
    expect(counted.rxBytes).toBe(64 * came)
    expect(counted.rxDroppedFault).toBe(total - came)
    assertNoLeaks(inner.pool)
  })

  test('transmitted packets are lost at their own rate, and counted', () => {
    const { inner, queue } = open({ transmit: { loss: 0.25 } })
    const total = 16_000
    for (let i = 0; i < total; i += 16) {
      const burst = load(
        queue,
        Array.from({ length: 16 }, (_, k) => [numbered(i + k)]),
      )
      expect(queue.transmit(burst)).toBe(16)
    }
    expectRate(total - inner.sent.length, total, 0.25)
    const counted = queue.counters.snapshot()
    expect(counted.txPackets).toBe(inner.sent.length)
    expect(counted.txPackets + counted.txDropped).toBe(total)
    assertNoLeaks(inner.pool)
  })

  test('the next packet is lost as often after a loss as after none', () => {
    const came = new Set(receiveMany({ loss: 0.3, seed: 7 }, 20_000))
    let pairs = 0
    let both = 0
    for (let i = 1; i < 20_000; i++) {
      if (came.has(i - 1)) continue
      pairs++
      if (!came.has(i)) both++
    }
    expectRate(both, pairs, 0.3)
  })
})

describe('duplication', () => {
  test('a received packet comes twice, in frames of its own', () => {
    const { inner, queue } = open({ receive: { duplicate: 1 } })
    inner.feed(numbered(1, 100), numbered(2, 50))
    const packets = take(queue)
    expect(packets).toHaveLength(2)
    expect(packets[0].bytes).toEqual(packets[1].bytes)
    expect(packets[0].bytes).toHaveLength(150)
    expect(queue.counters.get('rxPackets')).toBe(2)
    expect(queue.counters.get('rxBytes')).toBe(300)
    assertNoLeaks(inner.pool)
  })

  test('a transmitted packet leaves twice, and its frame comes back once', () => {
    const { inner, queue } = open({ transmit: { duplicate: 1 } })
    const burst = load(queue, [[numbered(1)], [numbered(2, 40), numbered(3, 30)]])
    expect(queue.transmit(burst)).toBe(3)
    expect(inner.sent.map(({ bytes }) => numberOf(bytes))).toEqual([1, 1, 2, 2])
    expect(inner.sent[2].bytes).toEqual(inner.sent[3].bytes)
    assertNoLeaks(inner.pool)
  })

  test('happens at its rate', () => {
    const numbers = receiveMany({ duplicate: 0.2 }, 10_000)
    expectRate(numbers.length - 10_000, 10_000, 0.2)
    expect(new Set(numbers).size).toBe(10_000)
  })
})

describe('corruption', () => {
  test('flips one bit of a received packet, which the device then no longer vouches for', () => {
    const { inner, queue } = open({ receive: { corrupt: 1 } })
    const places = new Set<number>()
    for (let i = 0; i < 500; i++) {
      const packet = numbered(i)
      inner.fed.push({ fragments: [packet], flags: CHECKSUM_VERIFIED, vlan: 0 })
      const [{ bytes, flags }] = take(queue)
      expect(flags).toBe(END_OF_PACKET)
      places.add(onlyFlippedBit(bytes, packet))
    }
    // Of 512 bits, 500 draws hit about 318 different ones.
    expect(places.size).toBeGreaterThan(250)
    assertNoLeaks(inner.pool)
  })

  test('flips a bit in any fragment of a chain', () => {
    const { inner, queue } = open({ transmit: { corrupt: 1 } })
    const fragments = [numbered(1, 32), numbered(2, 32), numbered(3, 32)]
    const touched = new Set<number>()
    for (let i = 0; i < 100; i++) {
      queue.transmit(load(queue, [fragments]))
      touched.add(onlyFlippedBit(inner.sent[i].bytes, Buffer.concat(fragments)) >> 8)
    }
    expect([...touched].toSorted()).toEqual([0, 1, 2])
    assertNoLeaks(inner.pool)
  })

  test('a frame that others read is not touched', () => {
    const { inner, queue } = open({ transmit: { corrupt: 1 } })
    const packet = numbered(9)
    const burst = load(queue, [[packet]])
    const [frame] = burst.frame
    queue.pool.retain(frame)
    expect(queue.transmit(burst)).toBe(1)
    onlyFlippedBit(inner.sent[0].bytes, packet)
    const start = queue.pool.address(frame) + queue.pool.headroom
    expect(queue.pool.bytes.slice(start, start + packet.length)).toEqual(packet)
    expect(queue.pool.count(frame)).toBe(1)
    queue.pool.release(frame)
    assertNoLeaks(inner.pool)
  })

  test('the device is not asked to sum over a flipped bit, and super-frames are lost instead', () => {
    const { inner, queue } = open({ transmit: { corrupt: 1 } })
    const burst = load(queue, [[numbered(1)], [numbered(2)]])
    burst.flags[0] |= CHECKSUM_WANTED
    burst.checksumStart[0] = 34
    burst.checksumOffset[0] = 6
    burst.flags[1] |= SEGMENT_UDP
    burst.segmentSize[1] = 10
    burst.headerLength[1] = 42
    expect(queue.transmit(burst)).toBe(2)
    expect(inner.sent.map(({ flags }) => flags)).toEqual([END_OF_PACKET])
    expect(queue.counters.get('txDropped')).toBe(1)
    assertNoLeaks(inner.pool)
  })
})

describe('time', () => {
  test('a delayed packet comes when it is due, and nextEvent says when', () => {
    const { inner, queue, clock } = open({ receive: { delay: 5_000 } })
    expect(queue.nextEvent()).toBe(Infinity)
    inner.feed(numbered(1))
    expect(queue.arm()).toBe(true)
    expect(take(queue)).toHaveLength(0)
    expect(queue.nextEvent()).toBe(6_000)
    expect(queue.arm()).toBe(false)
    clock.advanceTo(5_999)
    expect(take(queue)).toHaveLength(0)
    clock.advanceTo(6_000)
    expect(queue.arm()).toBe(true)
    expect(take(queue)).toHaveLength(1)
    expect(queue.nextEvent()).toBe(Infinity)
  })

  test('a delayed transmission leaves when it is due, with any call', () => {
    for (const call of ['receive', 'reap', 'transmit'] as const) {
      const { inner, queue, clock } = open({ transmit: { delay: 5_000 } })
      queue.transmit(load(queue, [[numbered(1)]]))
      expect(inner.sent).toHaveLength(0)
      expect(queue.nextEvent()).toBe(6_000)
      clock.advanceTo(6_000)
      expect(queue.arm()).toBe(true)
      if (call === 'receive') take(queue)
      else if (call === 'reap') queue.reap()
      else queue.transmit(load(queue, []))
      expect(inner.sent, call).toHaveLength(1)
      assertNoLeaks(inner.pool)
    }
  })

  test('reordered packets come later than their followers, and none is lost', () => {
    const { inner, queue, clock } = open({ receive: { reorder: 0.3, reorderDelay: 100 } })
    const numbers: number[] = []
    for (let i = 0; i < 1_000; i++) {
      inner.feed(numbered(i))
      for (const { bytes } of take(queue)) numbers.push(numberOf(bytes))
      clock.advance(10)
    }
    clock.advance(1_000)
    for (const { bytes } of takeAll(queue)) numbers.push(numberOf(bytes))
    expect(numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 1_000 }, (_, i) => i))
    const late = numbers.filter((number, i) => i > 0 && number < Math.max(...numbers.slice(0, i))).length
    expectRate(late, 1_000, 0.3)
  })

  test('jitter stays within its bounds', () => {
    const { inner, queue, clock } = open({ receive: { delay: 1_000, jitter: 500 } })
    const waits: number[] = []
    for (let i = 0; i < 200; i++) {
      const start = clock.now()
      inner.feed(numbered(i))
      expect(take(queue)).toHaveLength(0)
      clock.advanceTo(queue.nextEvent())
      expect(take(queue)).toHaveLength(1)
      waits.push(clock.now() - start)
    }
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(1_000)
    expect(Math.min(...waits)).toBeLessThan(1_050)
    expect(Math.max(...waits)).toBeLessThanOrEqual(1_500)
    expect(Math.max(...waits)).toBeGreaterThan(1_450)
  })

  test('a rate limit spaces packets by their length, and drops what would wait too long', () => {
    // 8 Mbit/s is a byte a microsecond: 64 us for each of these packets, and 640 us at most.
    const { inner, queue, clock } = open({ receive: { rate: 8e6, rateLatency: 640_000 } })
    const start = clock.now()
    for (let i = 0; i < 20; i++) inner.feed(numbered(i))
    const times: number[] = []
    expect(take(queue)).toHaveLength(0)
    while (queue.nextEvent() < Infinity) {
      clock.advanceTo(queue.nextEvent())
      for (const _ of take(queue)) times.push(clock.now() - start)
    }
    expect(times).toEqual(Array.from({ length: 11 }, (_, i) => (i + 1) * 64_000))
    expect(queue.counters.get('rxDroppedFault')).toBe(9)
    assertNoLeaks(inner.pool)
  })
})

describe('determinism', () => {
  const everything = {
    loss: 0.1,
    duplicate: 0.1,
    reorder: 0.1,
    reorderDelay: 300,
    corrupt: 0.1,
    delay: 100,
    jitter: 200,
    rate: 1e9,
  }

  const transcript = (seed: number, queueNumber = 0) => {
    const { inner, queue, clock } = open({ seed, ...everything }, new FakeQueue(undefined, queueNumber))
    const log: string[] = []
    for (let i = 0; i < 400; i++) {
      inner.feed(numbered(i, 60 + (i % 40)))
      queue.transmit(load(queue, [[numbered(i)]]))
      for (const { bytes } of take(queue)) log.push(`${clock.now()} in ${Buffer.from(bytes).toString('hex')}`)
      for (const { bytes } of inner.sent.splice(0)) log.push(`${clock.now()} out ${Buffer.from(bytes).toString('hex')}`)
      clock.advance(50)
    }
    queue.detach()
    assertNoLeaks(inner.pool)
    return log
  }

  test('the same seed gives the same bytes at the same times', () => {
    expect(transcript(42)).toEqual(transcript(42))
  })

  test('other seeds and other queues give others', () => {
    const one = transcript(42).join()
    expect(transcript(43).join()).not.toBe(one)
    expect(transcript(42, 1).join()).not.toBe(one)
  })

  test('turning another fault on does not change which packets are lost', () => {
    const alone = receiveMany({ loss: 0.2, seed: 5 }, 2_000)
    const together = receiveMany({ loss: 0.2, duplicate: 0.3, corrupt: 0, seed: 5 }, 2_000)
    expect([...new Set(together)]).toEqual(alone)
  })
})

describe('frames', () => {
  test('detach gives back what is delayed in both directions, and counts it', () => {
    const { inner, queue } = open({ delay: 1e9 })
    for (let i = 0; i < 5; i++) inner.feed(numbered(i), numbered(i))
    expect(take(queue)).toHaveLength(0)
    queue.transmit(load(queue, [[numbered(1)], [numbered(2), numbered(3)], [numbered(4)]]))
    queue.detach()
    queue.detach()
    const counted = queue.counters.snapshot()
    expect(counted).toMatchObject({ rxPackets: 0, rxBytes: 0, rxDroppedFault: 5, txDropped: 3, txPackets: 0 })
    assertNoLeaks(inner.pool)
  })

  test('a grant that ends takes the delayed packets with it', () => {
    const { inner, queue } = open({ delay: 1_000 })
    inner.feed(numbered(1))
    take(queue)
    queue.transmit(load(queue, [[numbered(1)]]))
    inner.control.end(GRANT_RECLAIMED)
    expect(take(queue)).toHaveLength(0)
    expect(queue.counters.snapshot()).toMatchObject({ rxDroppedFault: 1, txDropped: 1 })
    expect(queue.nextEvent()).toBe(Infinity)
    assertNoLeaks(inner.pool)
  })

  test('a full device ring holds packets back without losing or reordering them', () => {
    const { inner, queue, clock } = open({ transmit: { delay: 1 }, capacity: 64 })
    inner.room = 0
    let taken = 0
    for (let i = 0; i < 200; i++) {
      const burst = load(queue, [[numbered(i)]])
      const done = queue.transmit(burst)
      if (done === 0) queue.pool.release(burst.frame[0])
      taken += done
      clock.advance(10)
    }
    expect(taken).toBeLessThan(200)
    expect(queue.counters.get('txRingFull')).toBeGreaterThan(0)
    expect(queue.nextEvent()).toBeLessThanOrEqual(clock.now())
    inner.room = Infinity
    for (let i = 0; i < 4; i++) queue.reap()
    expect(inner.sent.map(({ bytes }) => numberOf(bytes))).toEqual(Array.from({ length: taken }, (_, i) => i))
    assertNoLeaks(inner.pool)
  })

  test('a device that refuses what passed the check: counted by it, and no frame is lost', () => {
    const { inner, queue, clock } = open({ transmit: { delay: 1 } })
    inner.refuses = true
    expect(queue.transmit(load(queue, [[numbered(1)], [numbered(2), numbered(3)]]))).toBe(3)
    clock.advance(10)
    queue.reap()
    expect(queue.counters.snapshot()).toMatchObject({ txUnsupported: 2, txPackets: 0, txDropped: 0 })
    assertNoLeaks(inner.pool)
  })

  test('a bad descriptor is refused before it waits', () => {
    const { queue } = open({ transmit: { delay: 1 } })
    const burst = load(queue, [[numbered(1)], [numbered(2)]])
    burst.length[0] = 0
    expect(queue.transmit(burst)).toBe(2)
    expect(burst.refused).toBe(1)
    expect(burst.flags[0] & REFUSED).toBe(REFUSED)
    queue.pool.release(burst.frame[0])
    queue.detach()
    assertNoLeaks(queue.pool)
  })

  test('a chain that no burst of the caller holds is dropped and counted, and does not block', () => {
    const { inner, queue } = open({ receive: { loss: 1e-12 } })
    inner.feed(numbered(1), numbered(2), numbered(3))
    inner.feed(numbered(4))
    expect(takeAll(queue, 2).map(({ bytes }) => numberOf(bytes))).toEqual([4])
    expect(queue.counters.snapshot()).toMatchObject({ rxDroppedTooLong: 1, rxDroppedFault: 0, rxPackets: 1 })
    assertNoLeaks(inner.pool)
  })

  test('a write to a frame that waits is found out', () => {
    const { queue, clock } = open({ transmit: { delay: 10 } })
    const burst = load(queue, [[numbered(1)]])
    queue.transmit(burst)
    queue.pool.bytes[queue.pool.address(burst.frame[0]) + queue.pool.headroom] ^= 1
    clock.advance(10)
    expect(() => queue.reap()).toThrow(expect.objectContaining({ code: 'EFAULT' }))
  })

  test('whatever happens, every packet is counted once and every frame comes back', () => {
    const rate = fc.double({ min: 0, max: 1, noNaN: true })
    const time = fc.integer({ min: 0, max: 2_000 })
    const options = fc.record({
      seed: fc.integer(),
      loss: rate,
      duplicate: rate,
      reorder: rate,
      reorderDelay: time,
      corrupt: rate,
      delay: time,
      jitter: time,
      rate: fc.constantFrom(0, 1e6, 1e9),
      rateLatency: time,
      capacity: fc.constantFrom(64, 256),
    })
    const sizes = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 20 })
    const step = fc.record({ fed: sizes, sent: sizes, advance: time, room: fc.integer({ min: 0, max: 30 }) })
    fc.assert(
      fc.property(options, fc.array(step, { maxLength: 20 }), (settings, steps) => {
        const { inner, queue, clock } = open(settings)
        let delivered = 0
        let fed = 0
        let consumed = 0
        for (const { fed: chains, sent, advance, room } of steps) {
          inner.room = room
          for (const fragments of chains) inner.feed(...Array.from({ length: fragments }, (_, i) => numbered(i, 16)))
          fed += chains.length
          delivered += take(queue, 40).length
          const burst = load(
            queue,
            sent.map((fragments) => Array.from({ length: fragments }, (_, i) => numbered(i, 16))),
          )
          const done = queue.transmit(burst)
          for (let i = 0; i < burst.count; i++) {
            if (i >= done) queue.pool.release(burst.frame[i])
            else if ((burst.flags[i] & END_OF_PACKET) !== 0) consumed++
          }
          clock.advance(advance)
        }
        queue.detach()
        const counted = queue.counters.snapshot()
        expect(counted.rxPackets).toBe(delivered)
        expect(counted.txPackets).toBe(inner.sent.length)
        if (settings.duplicate === 0) {
          expect(delivered + counted.rxDroppedFault + inner.fed.length).toBe(fed)
          expect(counted.txPackets + counted.txDropped).toBe(consumed)
        } else {
          expect(delivered + counted.rxDroppedFault + inner.fed.length).toBeGreaterThanOrEqual(fed)
          expect(counted.txPackets + counted.txDropped).toBeGreaterThanOrEqual(consumed)
        }
        assertNoLeaks(inner.pool)
      }),
      { numRuns: 200 },
    )
  })
})

/** Four standard deviations of a binomial, and exactly at 0 and 1. */
function expectRate(hits: number, total: number, probability: number): void {
  const deviation = 4 * Math.sqrt(total * probability * (1 - probability))
  expect(Math.abs(hits - total * probability)).toBeLessThanOrEqual(deviation)
}

function onlyFlippedBit(got: Uint8Array, wanted: Uint8Array): number {
  const flipped: number[] = []
  for (let bit = 0; bit < wanted.length * 8; bit++) {
    if ((((got[bit >> 3] ^ wanted[bit >> 3]) >> (bit & 7)) & 1) === 1) flipped.push(bit)
  }
  expect(flipped).toHaveLength(1)
  return flipped[0]
}
