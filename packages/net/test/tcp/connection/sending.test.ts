import { describe, expect, it } from 'vitest'
import { EVENT_FLUSHED, EVENT_WRITABLE } from '../../../src/tcp/connection/events.ts'
import { ECT_0, NOT_ECT } from '../../../src/tcp/segment.ts'
import { Bench, IRS, ISS, MSS, pattern } from './support/bench.ts'
import { closeWait, established, openPassive, synSent } from './support/states.ts'

const TAIL = ` ack ${IRS + 1}`
const at = (offset: number, length: number, flags = '.') => `${flags} ${ISS + 1 + offset}+${length}${TAIL}`

describe('segmentation', () => {
  it('full segments, and PSH on the one that empties the queue (RFC 9293 section 3.9.1.2)', () => {
    const bench = established({ settings: { nagle: 'off' } })
    expect(bench.write(3000)).toEqual([at(0, MSS), at(MSS, MSS), at(2 * MSS, 80, 'P.')])
  })

  it('the bytes are those that were written', () => {
    const bench = established({ settings: { nagle: 'off' } })
    const frame = bench.pool.allocate()
    const address = bench.pool.address(frame) + 128
    bench.pool.bytes.set(new TextEncoder().encode('hello'), address)
    bench.connection.write(frame, address, 5)
    expect(bench.drain()[0].data).toBe('hello')
  })

  it('super-segments of whole segments where the path cuts them, with the size of the pieces', () => {
    const bench = established({
      settings: { nagle: 'off', initialWindow: 40 },
      path: { superPacket: 10_000 },
      frames: 512,
    })
    bench.connection.sendQueue.push(...fill(bench, 1460))
    for (let i = 0; i < 14; i++) bench.connection.sendQueue.push(...fill(bench, 1460))
    bench.connection.stirred = true
    const sent = bench.drain()
    // Each pushes, so that a receiver that joins the pieces hands them on at their end.
    expect(sent.map(({ line }) => line)).toEqual([
      at(0, 6 * MSS, 'P.'),
      at(6 * MSS, 6 * MSS, 'P.'),
      at(12 * MSS, 3 * MSS, 'P.'),
    ])
    expect(sent.map(({ segment }) => segment.segmentSize)).toEqual([MSS, MSS, MSS])
  })

  it('a super-segment may end short where a short segment may go', () => {
    const bench = established({ settings: { initialWindow: 40 }, path: { superPacket: 64_000 } })
    for (const length of [1460, 1460, 100]) bench.connection.sendQueue.push(...fill(bench, length))
    bench.connection.stirred = true
    expect(bench.lines()).toEqual([at(0, 2 * MSS + 100, 'P.')])
  })

  it('no more than the peer window, and no more than the congestion window', () => {
    const narrow = established({}, { win: 3000 })
    expect(narrow.write(10_000)).toEqual([at(0, MSS), at(MSS, MSS)])
    const wide = established()
    expect(wide.write(30_000)).toHaveLength(10)
  })
})

function fill(bench: Bench, length: number): [number, number, number] {
  const frame = bench.pool.allocate()
  const address = bench.pool.address(frame) + 128
  bench.pool.bytes.set(new TextEncoder().encode(pattern(length)), address)
  return [frame, address, length]
}

describe('RFC 9293 section 3.7.4: Nagle', () => {
  it('rfc896: a short segment waits for everything in flight', () => {
    const bench = established({ settings: { nagle: 'rfc896' } })
    expect(bench.write('a')).toEqual([at(0, 1, 'P.')])
    expect(bench.write('b')).toEqual([])
    expect(bench.write('c')).toEqual([])
    expect(bench.receive({ ack: ISS + 2 })).toEqual([at(1, 2, 'P.')])
  })

  it('minshall: a short segment waits only for another short one', () => {
    const bench = established()
    expect(bench.write(MSS + 10)).toEqual([at(0, MSS), at(MSS, 10, 'P.')])
    expect(bench.write('x')).toEqual([])
    expect(bench.receive({ ack: ISS + 1 + MSS })).toEqual([])
    expect(bench.receive({ ack: ISS + 1 + MSS + 10 })).toEqual([at(MSS + 10, 1, 'P.')])
  })

  it('rfc896 holds the end of a message back that minshall sends', () => {
    const bench = established({ settings: { nagle: 'rfc896' } })
    expect(bench.write(MSS + 10)).toEqual([at(0, MSS)])
  })

  it('off: at once', () => {
    const bench = established({ settings: { nagle: 'off' } })
    bench.write('a')
    expect(bench.write('b')).toEqual([at(1, 1, 'P.')])
  })

  it('what waits goes when it has grown to a full segment, or with the FIN', () => {
    const bench = established()
    bench.write('a')
    expect(bench.write(MSS - 1)).toEqual([])
    expect(bench.write('z')).toEqual([at(1, MSS, 'P.')])
    bench.write('end')
    expect(bench.shutdownWrite()).toEqual([at(1 + MSS, 3, 'FP.')])
  })
})

describe('RFC 9293 section 3.8.6.2.1: silly window avoidance of the sender', () => {
  it('a window smaller than a segment and than half of the largest is not used while something is in flight', () => {
    const bench = established()
    bench.write(MSS)
    bench.write(MSS)
    expect(bench.receive({ ack: ISS + 1 + MSS, win: MSS + 500 })).toEqual([])
    expect(bench.write(2 * MSS)).toEqual([])
  })

  it('half of the largest window is used at once', () => {
    const bench = established({}, { win: 1000 })
    expect(bench.write(600)).toEqual([at(0, 600, 'P.')])
    bench.write(1200)
    expect(bench.receive({ ack: ISS + 601, win: 500 })).toEqual([at(600, 500)])
  })

  it('after the override timeout a small window is used as it is', () => {
    const bench = established({}, { win: 3 * MSS })
    expect(bench.write(6000)).toHaveLength(3)
    expect(bench.receive({ ack: ISS + 1 + 3 * MSS, win: 100 })).toEqual([])
    expect(bench.next().map(({ line }) => line)).toEqual([at(3 * MSS, 100)])
    expect(bench.milliseconds).toBe(200)
  })
})

describe('RFC 9293 section 3.8.6.1: zero windows', () => {
  it('a closed window is probed with one octet, at intervals that double, for as long as the peer answers', () => {
    const bench = established({}, { win: 0 })
    expect(bench.write('abc')).toEqual([])
    const times: number[] = []
    for (let i = 0; i < 30; i++) {
      const [probe] = bench.next()
      expect(probe.line).toBe(at(0, 1))
      expect(probe.data).toBe('a')
      times.push(bench.milliseconds)
      bench.receive({ ack: ISS + 1, win: 0 })
    }
    const gaps = times.slice(1).map((time, i) => time - times[i])
    for (let i = 1; i < 6; i++) expect(gaps[i] / gaps[i - 1]).toBeCloseTo(2)
    expect(gaps.at(-1)).toBeCloseTo(60_000)
    expect(bench.receive({ ack: ISS + 1, win: 1000 })).toEqual([at(0, 3, 'P.')])
    expect(bench.counter('tcpExt.WindowProbes')).toBe(30)
  })

  it('a peer that does not answer is given up after windowProbes', () => {
    const bench = established({ settings: { windowProbes: 3 } }, { win: 0 })
    bench.write('abc')
    expect(bench.until(1e6)).toHaveLength(3)
    expect(bench.state).toBe('closed')
    expect(bench.connection.failure).toBe('ETIMEDOUT')
  })

  it('a peer that takes the octet after all acknowledges it', () => {
    const bench = established({}, { win: 0 })
    bench.write('abc')
    bench.next()
    expect(bench.receive({ ack: ISS + 2, win: 2 })).toEqual([at(1, 2, 'P.')])
    bench.receive({ ack: ISS + 4 })
    expect(bench.connection.sendQueue.bytes).toBe(0)
  })

  it('a FIN that waits is the octet of the probe', () => {
    const bench = established({}, { win: 0 })
    expect(bench.shutdownWrite()).toEqual([])
    expect(bench.state).toBe('fin-wait-1')
    expect(bench.next()[0].line).toBe(at(0, 0, 'F.'))
    bench.receive({ ack: ISS + 2, win: 0 })
    expect(bench.state).toBe('fin-wait-2')
  })

  it('section 3.8.6: a peer that shrinks its window is borne, and its connection not given up while it answers', () => {
    const bench = established({ settings: { retries: 3 } })
    bench.write(3000)
    bench.receive({ ack: ISS + 1 + MSS, win: 0 })
    expect(bench.counter('tcpExt.WindowShrunk')).toBe(1)
    for (let i = 0; i < 12; i++) {
      const [again] = bench.next()
      expect(again.segment.sequence).toBe(ISS + 1 + MSS)
      bench.receive({ ack: ISS + 1 + MSS, win: 0 })
    }
    expect(bench.state).toBe('established')
    bench.receive({ ack: ISS + 3001, win: 5000 })
    expect(bench.connection.sendQueue.bytes).toBe(0)
  })

  it('an ACK while the window is shrunk carries a number that the peer accepts', () => {
    const bench = established()
    bench.write(3000)
    bench.receive({ ack: ISS + 1 + MSS, win: 100 })
    expect(bench.receive({ flags: 'S', seq: IRS + 9 })).toEqual([at(MSS + 100, 0)])
  })
})

describe('retransmission', () => {
  it('RFC 6298: after the timeout the first segment goes again, and the interval doubles', () => {
    const bench = established()
    bench.write('abc')
    const times: number[] = []
    for (let i = 0; i < 4; i++) {
      const [again] = bench.next()
      expect(again.line).toBe(at(0, 3, 'P.'))
      times.push(bench.milliseconds)
    }
    const gaps = times.slice(1).map((time, i) => time - times[i])
    expect(Math.round(gaps[1] / gaps[0])).toBe(2)
    expect(Math.round(gaps[2] / gaps[1])).toBe(2)
    expect(bench.counter('tcp.tcpRetransSegs')).toBe(4)
  })

  it('RFC 1122 section 4.2.3.5: R2 retransmissions fail the connection with ETIMEDOUT', () => {
    const bench = established({ settings: { retries: 4 } })
    bench.write('abc')
    expect(bench.until(1e6)).toHaveLength(4)
    expect(bench.connection.failure).toBe('ETIMEDOUT')
    expect(bench.counter('tcpExt.AbortOnTimeout')).toBe(1)
  })

  it('three duplicate ACKs retransmit the first segment at once', () => {
    const bench = established()
    bench.write(5 * MSS)
    const answers = [1, 2, 3].flatMap(() => bench.receive({ ack: ISS + 1 }))
    expect(answers).toContain(at(0, MSS))
    expect(bench.milliseconds).toBe(0)
  })

  it('with SACK the hole is filled at once (RFC 8985)', () => {
    const bench = established({ settings: { sack: true } }, { sackPermitted: true })
    bench.until(1)
    bench.write(5 * MSS)
    bench.until(30)
    expect(bench.receive({ ack: ISS + 1, sack: [[ISS + 1 + MSS, ISS + 1 + 4 * MSS]] })).toContain(at(0, MSS))
  })

  it('the FIN is sent again, alone and with data', () => {
    const bench = established()
    bench.write('abc')
    expect(bench.shutdownWrite()).toEqual([at(3, 0, 'F.')])
    expect(bench.next()[0].line).toBe(at(0, 3, 'FP.'))
    bench.receive({ ack: ISS + 4 })
    expect(bench.next()[0].line).toBe(at(3, 0, 'F.'))
  })
})

describe('the send buffer', () => {
  it('says when it is full, and when there is room again', () => {
    const bench = established({ settings: { sendBufferInitial: 6000, sendBufferMaximum: 6000 } })
    expect(bench.connection.canWrite).toBe(6000)
    bench.write(6000)
    expect(bench.connection.canWrite).toBe(0)
    bench.connection.events = 0
    bench.receive({ ack: ISS + 1 + 1460 })
    expect(bench.connection.events & EVENT_WRITABLE).toBe(0)
    bench.receive({ ack: ISS + 1 + 2920 })
    expect(bench.connection.events & EVENT_WRITABLE).toBe(EVENT_WRITABLE)
    bench.receive({ ack: bench.connection.sendNext })
    expect(bench.connection.events & EVENT_FLUSHED).toBe(EVENT_FLUSHED)
  })

  it('notSentLowWater bounds what waits unsent', () => {
    const bench = established({ settings: { notSentLowWater: 2000 } }, { win: 0 })
    expect(bench.connection.canWrite).toBe(2000)
    bench.write(2000)
    expect(bench.connection.canWrite).toBe(0)
    bench.receive({ ack: ISS + 1, win: 10_000 })
    expect(bench.connection.canWrite).toBe(2000)
  })

  it('takes nothing after the end of our half, and leaves the reference to the caller', () => {
    const bench = closeWait()
    bench.shutdownWrite()
    expect(bench.connection.canWrite).toBe(0)
    expect(() => bench.write('x')).toThrow('no more')
    bench.memory.shared.clear()
    expect(bench.pool.available).toBe(bench.pool.frameCount)
  })
})

describe('RFC 3168: ECN of the sender', () => {
  it('section 6.1.1: SYN with ECE and CWR, SYN+ACK with ECE, agree', () => {
    const bench = new Bench({ settings: { ecn: 'active' } })
    bench.connection.openActive(ISS, 0, bench.now)
    expect(bench.lines()).toEqual([`SEW ${ISS}+0`])
    bench.receive({ flags: 'SE.', seq: IRS, ack: ISS + 1, mss: MSS })
    expect(bench.connection.ecn).toBe(true)
    const other = new Bench({ settings: { ecn: 'passive' } })
    openPassive(other, { flags: 'SEW' })
    expect(other.lines()).toEqual([`S.E ${ISS}+0 ack ${IRS + 1}`])
    expect(other.connection.ecn).toBe(true)
  })

  it('section 6.1.1: no agreement with a peer that copies the flags back, or sends none, or when we want none', () => {
    for (const flags of ['SEW.', 'S.', 'SW.']) {
      const bench = synSent({ settings: { ecn: 'active' } })
      bench.receive({ flags, seq: IRS, ack: ISS + 1 })
      expect(bench.connection.ecn).toBe(false)
    }
    const off = new Bench({ settings: { ecn: 'off' } })
    openPassive(off, { flags: 'SEW' })
    expect(off.lines()).toEqual([`S. ${ISS}+0 ack ${IRS + 1}`])
  })

  it('section 6.1.1.1: a SYN that is sent again asks for nothing, and means it', () => {
    const bench = synSent({ settings: { ecn: 'active' } })
    expect(bench.until(1000).map(({ line }) => line)).toEqual([`S ${ISS}+0`])
    bench.receive({ flags: 'SE.', seq: IRS, ack: ISS + 1 })
    expect(bench.connection.ecn).toBe(false)
    expect(bench.counter('tcpExt.EcnFallbacks')).toBe(1)
  })

  it('sections 6.1.4 to 6.1.6: ECT on new data only, and CWR once after an echo', () => {
    const bench = established({ settings: { ecn: 'active', nagle: 'off' } }, { flags: 'SE.' })
    bench.put({ data: 'x' })
    const [ack] = bench.until(100)
    expect(ack.segment.ecn).toBe(NOT_ECT)
    bench.write('a')
    const [again] = bench.next()
    expect([again.segment.length, again.segment.ecn]).toEqual([1, NOT_ECT])
    bench.receive({ ack: bench.connection.sendNext })
    bench.receive({ flags: '.' })
    const frame = fill(bench, 1000)
    bench.connection.write(...frame)
    const [data] = bench.drain()
    expect(data.segment.ecn).toBe(ECT_0)
    bench.receive({ flags: '.E' })
    expect(bench.counter('tcpExt.EcnEchoes')).toBe(1)
    expect(bench.write('c')[0]).toMatch(/W/)
    expect(bench.write('d')[0]).not.toMatch(/W/)
  })
})
