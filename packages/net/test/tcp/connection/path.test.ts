import { describe, expect, it } from 'vitest'
import { searchOf } from '../../../src/tcp/connection/path/path-search.ts'
import { IRS, ISS, MSS } from './support/bench.ts'
import { established, synSent, timeWait } from './support/states.ts'

const TAIL = ` ack ${IRS + 1}`
const at = (offset: number, length: number, flags = '.') => `${flags} ${ISS + 1 + offset}+${length}${TAIL}`

describe('RFC 1191 and RFC 8201: ICMP shortens segments', () => {
  it('what is in flight goes again in shorter segments, and the congestion window stays', () => {
    const bench = established()
    bench.write(3 * MSS)
    const { window } = bench.connection.recovery.congestion
    expect(bench.connection.packetTooBig(1000, ISS + 1, bench.now)).toBe(true)
    expect(bench.connection.segmentSize).toBe(960)
    const sent = bench.drain()
    expect(sent.map(({ line }) => line)).toContain(at(0, 960))
    expect(Math.max(...sent.map(({ segment }) => segment.length))).toBe(960)
    expect(bench.connection.recovery.congestion.window).toBeGreaterThanOrEqual(Math.min(window, 3 * MSS))
    expect(bench.counter('tcpExt.MtuReductions')).toBe(1)
  })

  it('RFC 5927 section 4.1: a quoted sequence number that is not in flight is not believed', () => {
    const bench = established()
    bench.write(MSS)
    for (const quoted of [ISS, ISS + 1 + MSS, ISS + 100_000]) {
      expect(bench.connection.packetTooBig(600, quoted, bench.now)).toBe(false)
    }
    expect(bench.connection.segmentSize).toBe(MSS)
    expect(bench.counter('tcpExt.IcmpOutOfWindow')).toBe(3)
  })

  it('RFC 5927 section 7.2: once packets as long have been acknowledged, only a timeout makes it believable', () => {
    const bench = established()
    bench.write(MSS)
    bench.receive({ ack: ISS + 1 + MSS })
    bench.write(MSS)
    expect(bench.connection.packetTooBig(1000, ISS + 1 + MSS, bench.now)).toBe(false)
    expect(bench.counter('tcpExt.MtuPostponed')).toBe(1)
    expect(bench.connection.segmentSize).toBe(MSS)
    const [again] = bench.next()
    expect(again.segment.length).toBe(960)
  })

  it('RFC 5927 section 7.2: an acknowledgment of that very segment shows that it was a forgery', () => {
    const bench = established()
    bench.write(MSS)
    bench.receive({ ack: ISS + 1 + MSS })
    bench.write(MSS)
    bench.connection.packetTooBig(1000, ISS + 1 + MSS, bench.now)
    bench.receive({ ack: ISS + 1 + 2 * MSS })
    expect(bench.connection.search?.pending).toBe(0)
    bench.write(MSS)
    bench.next()
    expect(bench.connection.segmentSize).toBe(MSS)
  })

  it('no packet is made shorter than any link takes', () => {
    const bench = established()
    bench.write(MSS)
    bench.connection.packetTooBig(68, ISS + 1, bench.now)
    expect(bench.connection.segmentSize).toBe(552 - 40)
  })

  it('a longer MTU than ours is no news', () => {
    const bench = established()
    bench.write(MSS)
    expect(bench.connection.packetTooBig(1500, ISS + 1, bench.now)).toBe(false)
    expect(bench.connection.packetTooBig(9000, ISS + 1, bench.now)).toBe(false)
  })

  it('a path that changes makes segments shorter and longer', () => {
    const bench = established()
    bench.connection.mtuChanged(1280, bench.now)
    expect(bench.connection.segmentSize).toBe(1240)
    bench.connection.mtuChanged(9000, bench.now)
    expect(bench.connection.segmentSize).toBe(MSS)
  })
})

describe('RFC 4821: packetization layer path MTU discovery', () => {
  it('timeouts in a row with long segments in flight mean a black hole; short segments do not', () => {
    const bench = established()
    bench.write(2 * MSS)
    bench.next()
    bench.next()
    expect(bench.connection.segmentSize).toBe(MSS)
    const [third] = bench.next()
    expect(third.segment.length).toBe(1024)
    expect(bench.counter('tcpExt.BlackHoles')).toBe(1)
    const short = established()
    short.write('x')
    for (let i = 0; i < 8; i++) short.next()
    expect(short.counter('tcpExt.BlackHoles')).toBe(0)
  })

  it('after a black hole a longer packet is tried, and taken when it arrives', () => {
    const bench = established()
    bench.write(2 * MSS)
    for (let i = 0; i < 3; i++) bench.next()
    bench.receive({ ack: ISS + 1 + 2 * MSS })
    searchOf(bench.connection).tooLong = 0
    bench.connection.recovery.congestion.window = 20_000
    const lengths = bench.write(10 * 1024).map((line) => Number(/\+(\d+)/.exec(line)?.[1]))
    expect(lengths[0]).toBe(1460)
    bench.receive({ ack: ISS + 1 + 2 * MSS + 1460 })
    expect(bench.connection.segmentSize).toBe(1460)
    expect(bench.counter('tcpExt.MtuProbeSuccesses')).toBe(1)
  })

  it('always: begins with the base size', () => {
    const bench = established({ settings: { mtuProbing: 'always' } })
    expect(bench.connection.segmentSize).toBe(1024)
  })
})

describe('ICMP destination unreachable', () => {
  it('RFC 1122 section 4.2.3.9: a hard error ends a connection that is being opened', () => {
    const bench = synSent()
    expect(bench.connection.unreachable(true, 'ECONNREFUSED', ISS)).toBe(true)
    expect(bench.state).toBe('closed')
    expect(bench.connection.failure).toBe('ECONNREFUSED')
  })

  it('RFC 1122 section 4.2.3.9: a soft error does not, but is the reason for the timeout', () => {
    const bench = synSent()
    bench.connection.unreachable(false, 'EHOSTUNREACH', ISS)
    expect(bench.state).toBe('syn-sent')
    bench.until(1e6)
    expect(bench.connection.failure).toBe('EHOSTUNREACH')
  })

  it('RFC 5927 section 5.2: no error ends an established connection', () => {
    const bench = established()
    bench.write('x')
    expect(bench.connection.unreachable(true, 'ECONNREFUSED', ISS + 1)).toBe(true)
    expect(bench.state).toBe('established')
  })

  it('RFC 5927 section 4.1: what is not in flight is not believed', () => {
    const bench = synSent()
    expect(bench.connection.unreachable(true, 'ECONNREFUSED', ISS + 1)).toBe(false)
    expect(bench.state).toBe('syn-sent')
    expect(timeWait().connection.unreachable(true, 'ECONNREFUSED', ISS)).toBe(false)
  })
})
