import { describe, expect, it } from 'vitest'
import { EVENT_CONNECTED } from '../../../src/tcp/connection/events.ts'
import { Handshake } from '../../../src/tcp/connection/handshake.ts'
import { ACK, Segment } from '../../../src/tcp/segment.ts'
import { tcpSettings } from '../../../src/tcp/settings.ts'
import { Bench, IRS, ISS, MSS, NOTHING_REMAINS, PLAIN } from './support/bench.ts'
import { closeWait, established, timeWait } from './support/states.ts'

function handshake(changes: Partial<Handshake> = {}): Handshake {
  return Object.assign(new Handshake(), { localSequence: ISS, remoteSequence: IRS, mss: MSS }, changes)
}

/** A connection from a backlog, which has seen `ack` complete the handshake. */
function accepted(agreed: Handshake, ack: Partial<Segment> = {}, settings = {}): Bench {
  const bench = new Bench({ settings })
  bench.now[0] = 100e6
  const segment = Object.assign(new Segment(), {
    sequence: IRS + 1,
    acknowledgment: ISS + 1,
    flags: ACK,
    window: 1000,
    ...ack,
  })
  bench.connection.openFromHandshake(agreed, segment, bench.now)
  return bench
}

describe('a handshake that a backlog or a cookie has made', () => {
  it('becomes an established connection with what was agreed', () => {
    const agreed = handshake({ windowScale: 4, localWindowScale: 2, sackPermitted: true, mss: 1400 })
    const bench = accepted(agreed)
    expect(bench.state).toBe('established')
    expect(bench.connection.events & EVENT_CONNECTED).toBe(EVENT_CONNECTED)
    expect(bench.connection).toMatchObject({
      sendWindow: 16_000,
      sendScale: 4,
      receiveScale: 2,
      sack: true,
      segmentSize: 1400,
    })
    expect(bench.lines()).toEqual([])
    expect(bench.write('hello')).toEqual([`P. ${ISS + 1}+5 ack ${IRS + 1}`])
    expect(bench.counter('tcp.tcpPassiveOpens')).toBe(1)
  })

  it('measures the round trip when the SYN+ACK was sent once, and not else', () => {
    const once = handshake({ sentAt: Float64Array.of(40e6) })
    expect(accepted(once).connection.recovery.smoothedRtt).toBe(60e6)
    expect(accepted(handshake()).connection.recovery.smoothedRtt).toBeNaN()
  })

  it('takes the data of the segment that completed it', () => {
    const bench = new Bench()
    const frame = bench.pool.allocate()
    const address = bench.pool.address(frame) + 128
    bench.pool.bytes.set(new TextEncoder().encode('first'), address)
    const ack = Object.assign(new Segment(), {
      sequence: IRS + 1,
      acknowledgment: ISS + 1,
      flags: ACK,
      window: 1000,
      frame,
      address,
      length: 5,
    })
    bench.connection.openFromHandshake(handshake(), ack, bench.now)
    expect(ack.frame).toBe(-1)
    expect(bench.read()).toBe('first')
    bench.abort()
    expect(bench.remains()).toEqual(NOTHING_REMAINS)
  })

  it('two repeated SYN+ACKs leave a window of one segment (RFC 5681 section 3.1)', () => {
    const bench = accepted(handshake({ retransmissions: 2 }), { window: 0xffff })
    expect(bench.write(5 * MSS)).toHaveLength(1)
  })
})

describe('socket options on a living connection', () => {
  it('noDelay lets go what Nagle holds back', () => {
    const bench = established()
    bench.write('a')
    expect(bench.write('b')).toEqual([])
    bench.connection.configure(tcpSettings({ ...PLAIN, nagle: 'off' }))
    expect(bench.lines()).toEqual([`P. ${ISS + 2}+1 ack ${IRS + 1}`])
  })

  it('maximumSegment shortens segments from now on', () => {
    const bench = established()
    bench.connection.configure(tcpSettings({ ...PLAIN, maximumSegment: 500, nagle: 'off' }))
    expect(bench.write(1200).map((line) => line.replace(/ ack.*/, ''))).toEqual([
      `. ${ISS + 1}+500`,
      `. ${ISS + 501}+500`,
      `P. ${ISS + 1001}+200`,
    ])
  })

  it('a larger receive buffer opens the window, a smaller one takes nothing back', () => {
    const bench = established({ settings: { receiveBufferInitial: 4000, receiveBufferMaximum: 4000 } })
    bench.connection.setBuffers(20_000, 0)
    bench.put({ data: 'x' })
    const [wide] = bench.until(100)
    expect(wide.segment.window).toBe(19_999)
    bench.connection.setBuffers(2000, 0)
    bench.put({ data: 'y' })
    const [narrow] = bench.until(200)
    expect(narrow.segment.acknowledgment + narrow.segment.window).toBe(
      wide.segment.acknowledgment + wide.segment.window,
    )
  })

  it('the send buffer bounds what may be written', () => {
    const bench = established()
    bench.connection.setBuffers(0, 5000)
    expect(bench.connection.canWrite).toBe(5000)
  })
})

describe('the application', () => {
  it('reads as much as it asks for, and the rest later', () => {
    const bench = established()
    bench.receive({ data: 'one' })
    bench.receive({ data: 'two' })
    expect(bench.read(4)).toBe('onet')
    expect(bench.connection.readable).toBe(2)
    expect(bench.read()).toBe('wo')
  })

  it('hears of the end when everything is read', () => {
    const bench = closeWait()
    expect(bench.connection.ended).toBe(true)
    const waiting = established()
    expect(waiting.connection.ended).toBe(false)
    waiting.receive({ flags: 'FP.', data: 'x' })
    expect(waiting.connection.ended).toBe(false)
    waiting.read()
    expect(waiting.connection.ended).toBe(true)
    expect(timeWait().connection.ended).toBe(true)
  })

  it('short of memory, gives back what lies beyond a gap; its sender sends it again', () => {
    const bench = established()
    bench.receive({ seq: IRS + 1001, data: 1000 })
    bench.receive({ seq: IRS + 3001, data: 1000 })
    expect(bench.connection.relieve()).toBe(2)
    expect(bench.counter('tcpExt.Renegings')).toBe(1)
    expect(bench.pool.available).toBe(bench.pool.frameCount)
    bench.receive({ data: 1000 })
    bench.receive({ data: 1000 })
    expect(bench.connection.readable).toBe(2000)
  })
})
