import { describe, expect, it } from 'vitest'
import { EVENT_CONNECTED, EVENT_READABLE } from '../../../src/tcp/connection/events.ts'
import { Bench, IRS, ISS, MSS } from './support/bench.ts'
import { established, openPassive, synReceived, synSent } from './support/states.ts'

describe('RFC 9293 section 3.5: the three-way handshake', () => {
  it('figure 6: active open sends SYN, answers SYN+ACK with ACK, and is established', () => {
    const bench = new Bench()
    bench.connection.openActive(ISS, 0, bench.now)
    expect(bench.lines()).toEqual([`S ${ISS}+0`])
    expect(bench.state).toBe('syn-sent')
    expect(bench.receive({ flags: 'S.', seq: IRS, ack: ISS + 1, mss: MSS })).toEqual([`. ${ISS + 1}+0 ack ${IRS + 1}`])
    expect(bench.state).toBe('established')
    expect(bench.connection.events & EVENT_CONNECTED).toBe(EVENT_CONNECTED)
  })

  it('figure 6: passive open answers SYN with SYN+ACK and is established by its ACK', () => {
    const bench = new Bench()
    openPassive(bench)
    expect(bench.lines()).toEqual([`S. ${ISS}+0 ack ${IRS + 1}`])
    expect(bench.state).toBe('syn-received')
    expect(bench.receive({ seq: IRS + 1, ack: ISS + 1 })).toEqual([])
    expect(bench.state).toBe('established')
  })

  it('figure 7: simultaneous open: both send SYN, then SYN+ACK, and both are established', () => {
    const bench = synSent()
    expect(bench.receive({ flags: 'S', seq: IRS, mss: MSS })).toEqual([`S. ${ISS}+0 ack ${IRS + 1}`])
    expect(bench.state).toBe('syn-received')
    expect(bench.receive({ flags: 'S.', seq: IRS, ack: ISS + 1, mss: MSS })).toEqual([])
    expect(bench.state).toBe('established')
  })

  it('figure 7: the window of the SYN+ACK is not scaled (RFC 7323 section 2.2)', () => {
    const bench = synSent({ settings: { windowScaling: true } })
    bench.receive({ flags: 'S', seq: IRS, mss: MSS, windowScale: 4 })
    bench.receive({ flags: 'S.', seq: IRS, ack: ISS + 1, mss: MSS, windowScale: 4, win: 6400 })
    expect(bench.connection.sendWindow).toBe(6400)
  })

  it('simultaneous open where the peer answers our SYN with a bare ACK', () => {
    const bench = synSent()
    bench.receive({ flags: 'S', seq: IRS, mss: MSS })
    expect(bench.receive({ seq: IRS + 1, ack: ISS + 1 })).toEqual([])
    expect(bench.state).toBe('established')
  })

  it('data beside a SYN+ACK is delivered', () => {
    const bench = synSent()
    expect(bench.receive({ flags: 'S.', seq: IRS, ack: ISS + 1, data: 'hello' })).toEqual([
      `. ${ISS + 1}+0 ack ${IRS + 6}`,
    ])
    expect(bench.connection.events & EVENT_READABLE).toBe(EVENT_READABLE)
    expect(bench.read()).toBe('hello')
  })

  it('data beside a SYN waits for the handshake (section 3.10.7.2)', () => {
    const bench = synReceived({}, { data: 'early' })
    expect(bench.connection.readable).toBe(0)
    bench.receive({ seq: IRS + 6, ack: ISS + 1 })
    expect(bench.read()).toBe('early')
  })

  it('a FIN beside a SYN+ACK ends the peer half at once', () => {
    const bench = synSent()
    bench.receive({ flags: 'SF.', seq: IRS, ack: ISS + 1 })
    expect(bench.state).toBe('close-wait')
  })

  it('data written before the handshake goes with the ACK that completes it', () => {
    const bench = synSent()
    expect(bench.write('early')).toEqual([])
    expect(bench.receive({ flags: 'S.', seq: IRS, ack: ISS + 1, mss: MSS })).toEqual([`P. ${ISS + 1}+5 ack ${IRS + 1}`])
  })
})

describe('RFC 9293 section 3.10.7.3: SYN-SENT', () => {
  it('first check: an ACK of what was not sent is answered with RST and dropped', () => {
    for (const ack of [ISS, ISS + 2, ISS - 100]) {
      const bench = synSent()
      expect(bench.receive({ flags: 'S.', seq: IRS, ack })).toEqual([`R ${ack}+0`])
      expect(bench.state).toBe('syn-sent')
      expect(bench.counter('tcpDrop.SynSentBadAck')).toBe(1)
    }
  })

  it('first check: a RST with such an ACK is dropped silently', () => {
    const bench = synSent()
    expect(bench.receive({ flags: 'R.', seq: 0, ack: ISS + 2 })).toEqual([])
    expect(bench.state).toBe('syn-sent')
  })

  it('second check: a RST that acknowledges our SYN refuses the connection', () => {
    const bench = synSent()
    expect(bench.receive({ flags: 'R.', seq: 0, ack: ISS + 1 })).toEqual([])
    expect(bench.state).toBe('closed')
    expect(bench.connection.failure).toBe('ECONNREFUSED')
    expect(bench.counter('tcp.tcpAttemptFails')).toBe(1)
  })

  it('second check: a RST without ACK is dropped (RFC 5961 section 3.2)', () => {
    const bench = synSent()
    bench.receive({ flags: 'R', seq: IRS })
    expect(bench.state).toBe('syn-sent')
    expect(bench.counter('tcpDrop.SynSentBadReset')).toBe(1)
  })

  it('a bare ACK of our SYN is dropped', () => {
    const bench = synSent()
    expect(bench.receive({ seq: IRS, ack: ISS + 1 })).toEqual([])
    expect(bench.state).toBe('syn-sent')
    expect(bench.counter('tcpDrop.SynSentNoSyn')).toBe(1)
  })

  it('the SYN is sent again after 1, 2, 4, ... seconds, and fails with ETIMEDOUT after synRetries', () => {
    const bench = synSent({ settings: { synRetries: 3 } })
    const times = bench.until(20_000).map(({ line }) => line)
    expect(times).toEqual([`S ${ISS}+0`, `S ${ISS}+0`, `S ${ISS}+0`])
    expect(bench.state).toBe('closed')
    expect(bench.connection.failure).toBe('ETIMEDOUT')
    expect(bench.counter('tcpExt.SynRetransmissions')).toBe(3)
  })
})

describe('RFC 9293 section 3.10.7.4: SYN-RECEIVED', () => {
  it('the SYN again is answered with the SYN+ACK again', () => {
    const bench = synReceived()
    expect(bench.receive({ flags: 'S', seq: IRS, ack: 0 })).toEqual([`S. ${ISS}+0 ack ${IRS + 1}`])
    expect(bench.counter('tcpDrop.SynRepeated')).toBe(1)
  })

  it('a SYN+ACK that was owed again is not, once the handshake is complete', () => {
    const bench = synReceived()
    bench.put({ flags: 'S', seq: IRS, ack: 0 })
    bench.put({ seq: IRS + 1, ack: ISS + 1 })
    expect(bench.lines()).toEqual([])
    expect(bench.state).toBe('established')
  })

  it('fifth check: an ACK that is not of our SYN is answered with RST', () => {
    for (const ack of [ISS, ISS + 2]) {
      const bench = synReceived()
      expect(bench.receive({ seq: IRS + 1, ack })).toEqual([`R ${ack}+0`])
      expect(bench.state).toBe('syn-received')
    }
  })

  it('second check: an exact RST ends a passive open with ECONNRESET, a simultaneous one with ECONNREFUSED', () => {
    const passive = synReceived()
    expect(passive.receive({ flags: 'R', seq: IRS + 1 })).toEqual([])
    expect(passive.connection.failure).toBe('ECONNRESET')
    const simultaneous = synSent()
    simultaneous.receive({ flags: 'S', seq: IRS })
    simultaneous.receive({ flags: 'R', seq: IRS + 1 })
    expect(simultaneous.connection.failure).toBe('ECONNREFUSED')
  })

  it('fourth check: another SYN in the window ends a passive open, and is challenged in a simultaneous one', () => {
    const passive = synReceived()
    passive.receive({ flags: 'S', seq: IRS + 100 })
    expect(passive.state).toBe('closed')
    const simultaneous = synSent()
    simultaneous.receive({ flags: 'S', seq: IRS })
    expect(simultaneous.receive({ flags: 'S', seq: IRS + 100 })).toEqual([`. ${ISS + 1}+0 ack ${IRS + 1}`])
    expect(simultaneous.state).toBe('syn-received')
  })

  it('a segment without ACK is dropped', () => {
    const bench = synReceived()
    expect(bench.receive({ flags: 'P', seq: IRS + 1, data: 'x' })).toEqual([])
    expect(bench.counter('tcpDrop.NoAck')).toBe(1)
  })

  it('the ACK may carry data and a FIN', () => {
    const bench = synReceived()
    expect(bench.receive({ flags: 'FP.', seq: IRS + 1, ack: ISS + 1, data: 'all' })).toEqual([
      `. ${ISS + 1}+0 ack ${IRS + 5}`,
    ])
    expect(bench.state).toBe('close-wait')
    expect(bench.read()).toBe('all')
  })

  it('the SYN+ACK is sent again, and the connection fails after synAckRetries', () => {
    const bench = synReceived({ settings: { synAckRetries: 2 } })
    expect(bench.until(20_000).map(({ line }) => line)).toEqual([
      `S. ${ISS}+0 ack ${IRS + 1}`,
      `S. ${ISS}+0 ack ${IRS + 1}`,
    ])
    expect(bench.state).toBe('closed')
    expect(bench.connection.failure).toBe('ETIMEDOUT')
  })

  it('a user that has closed already sends the FIN behind the handshake', () => {
    const bench = synReceived()
    expect(bench.shutdownWrite()).toEqual([])
    expect(bench.receive({ seq: IRS + 1, ack: ISS + 1 })).toEqual([`F. ${ISS + 1}+0 ack ${IRS + 1}`])
    expect(bench.state).toBe('fin-wait-1')
  })
})

describe('options of the handshake', () => {
  it('RFC 9293 section 3.7.1: MSS is announced from the interface, and 536 is assumed when the peer says nothing', () => {
    const bench = new Bench({ path: { mtu: 9000, interfaceMtu: 9000 } })
    bench.connection.openActive(ISS, 0, bench.now)
    expect(bench.drain()[0].segment.mss).toBe(8960)
    bench.receive({ flags: 'S.', seq: IRS, ack: ISS + 1 })
    expect(bench.connection.segmentSize).toBe(536)
  })

  it('the segment size is the least of the peer MSS, the path and the user limit, less what timestamps take', () => {
    expect(established({}, { mss: 1400 }).connection.segmentSize).toBe(1400)
    expect(established({ path: { mtu: 1280 } }).connection.segmentSize).toBe(1240)
    expect(established({ settings: { maximumSegment: 500 } }).connection.segmentSize).toBe(500)
    const stamped = established({ settings: { timestamps: true } }, { timestamp: [7, 0] })
    expect(stamped.connection.segmentSize).toBe(MSS - 12)
    expect(established({}, { mss: 8 }).connection.segmentSize).toBe(88)
  })

  it('RFC 7323 section 2.2: windows are scaled when both sides said so, and never in a SYN', () => {
    const settings = { windowScaling: true, receiveBufferInitial: 1 << 20, receiveBufferMaximum: 1 << 20 }
    const bench = new Bench({ settings })
    bench.connection.openActive(ISS, 0, bench.now)
    const [syn] = bench.drain()
    expect(syn.segment.windowScale).toBe(5)
    expect(syn.segment.window).toBe(65_535)
    bench.put({ flags: 'S.', seq: IRS, ack: ISS + 1, win: 1000, windowScale: 7, mss: MSS })
    expect(bench.connection.sendWindow).toBe(1000)
    expect(bench.drain()[0].segment.window).toBe((1 << 20) >> 5)
    bench.receive({ win: 1000 })
    expect(bench.connection.sendWindow).toBe(128_000)
    const plain = established({ settings })
    expect(plain.connection.sendScale).toBe(0)
    expect(plain.connection.receiveScale).toBe(0)
  })

  it('RFC 7323 section 2.3: a shift above 14 is taken for 14', () => {
    const bench = established({ settings: { windowScaling: true } }, { windowScale: 20 })
    expect(bench.connection.sendScale).toBe(14)
  })

  it('a SYN+ACK offers only what the SYN offered', () => {
    const settings = { timestamps: true, sack: true, windowScaling: true }
    const bench = new Bench({ settings })
    openPassive(bench, {})
    const [plain] = bench.drain()
    expect(plain.segment).toMatchObject({ windowScale: -1, sackPermitted: false, hasTimestamp: false })
    const other = new Bench({ settings })
    openPassive(other, { windowScale: 3, sackPermitted: true, timestamp: [77, 0] })
    const [full] = other.drain()
    expect(full.segment).toMatchObject({ windowScale: 0, sackPermitted: true, hasTimestamp: true, timestampEcho: 77 })
  })
})
