import { describe, expect, it } from 'vitest'
import { EVENT_PEER_CLOSED, EVENT_READABLE } from '../../../src/tcp/connection/events.ts'
import { CE } from '../../../src/tcp/segment.ts'
import { IRS, ISS, MSS, pattern } from './support/bench.ts'
import { established } from './support/states.ts'

const ack = (bytes: number) => `. ${ISS + 1}+0 ack ${IRS + 1 + bytes}`

describe('RFC 5681 section 4.2, RFC 1122 section 4.2.3.2: when an ACK is sent', () => {
  it('a single segment is acknowledged after the delay', () => {
    const bench = established()
    expect(bench.receive({ data: 'abc' })).toEqual([])
    expect(bench.until(39)).toEqual([])
    expect(bench.until(41).map(({ line }) => line)).toEqual([ack(3)])
    expect(bench.counter('tcpExt.DelayedAcks')).toBe(1)
  })

  it('every second full segment is acknowledged at once', () => {
    const bench = established()
    expect(bench.receive({ data: MSS })).toEqual([])
    expect(bench.receive({ data: MSS })).toEqual([ack(2 * MSS)])
    expect(bench.receive({ data: MSS })).toEqual([])
    expect(bench.receive({ data: MSS })).toEqual([ack(4 * MSS)])
  })

  it('at the start each segment is, as long as quickAcks lasts', () => {
    const bench = established({ settings: { quickAcks: 3 } })
    const answers = Array.from({ length: 6 }, () => bench.receive({ data: MSS }).length)
    expect(answers).toEqual([1, 1, 1, 0, 1, 0])
  })

  it('data that is sent carries the ACK, and saves one of its own', () => {
    const bench = established()
    bench.receive({ data: 'question' })
    expect(bench.write('answer')).toEqual([`P. ${ISS + 1}+6 ack ${IRS + 9}`])
    expect(bench.until(1000).filter(({ line }) => line.startsWith('. '))).toEqual([])
  })

  it('a conversation ends the acknowledging at once of the start', () => {
    const bench = established({ settings: { quickAcks: 16 } })
    bench.put({ data: 'question' })
    bench.write('answer')
    expect(bench.receive({ data: 'next' })).toEqual([])
  })

  it('a segment behind a gap is acknowledged at once, and so is the one that fills it', () => {
    const bench = established()
    expect(bench.receive({ seq: IRS + 11, data: 'second...x' })).toEqual([ack(0)])
    expect(bench.receive({ seq: IRS + 1, data: 'first....x' })).toEqual([ack(20)])
    expect(bench.read()).toBe('first....xsecond...x')
  })

  it('an old segment is acknowledged at once', () => {
    const bench = established()
    bench.receive({ data: 'abc' })
    expect(bench.receive({ seq: IRS + 1, data: 'abc' })).toEqual([ack(3)])
    expect(bench.counter('tcpExt.Duplicates')).toBe(1)
  })

  it('a FIN is acknowledged at once', () => {
    const bench = established()
    expect(bench.receive({ flags: 'F.' })).toEqual([ack(1)])
  })

  it('a burst is acknowledged once, whatever its length below ackStretch', () => {
    const bench = established(
      { settings: { receiveBufferInitial: 262_144, receiveBufferMaximum: 262_144, windowScaling: true } },
      { windowScale: 3 },
    )
    for (let i = 0; i < 32; i++) bench.put({ data: MSS })
    expect(bench.lines()).toEqual([ack(32 * MSS)])
  })

  it('an ACK covers no more than ackStretch: a longer burst gets several', () => {
    const bench = established({ settings: { ackStretch: 4 * MSS } })
    for (let i = 0; i < 10; i++) bench.put({ data: MSS })
    expect(bench.lines()).toEqual([ack(4 * MSS), ack(8 * MSS), ack(10 * MSS)])
  })

  it('segments behind a gap in a burst: one ACK with SACK, one for each without, so that duplicates can be counted', () => {
    const plain = established()
    for (let i = 1; i < 5; i++) plain.put({ seq: IRS + 1 + i * MSS, data: MSS })
    expect(plain.lines()).toEqual([ack(0), ack(0), ack(0), ack(0)])
    const sack = established({ settings: { sack: true } }, { sackPermitted: true })
    for (let i = 1; i < 5; i++) sack.put({ seq: IRS + 1 + i * MSS, data: MSS })
    const sent = sack.drain()
    expect(sent).toHaveLength(1)
    expect([sent[0].segment.sackLeft[0], sent[0].segment.sackRight[0]]).toEqual([IRS + 1 + MSS, IRS + 1 + 5 * MSS])
  })

  it('a super-segment counts as the segments that it was put together from', () => {
    const bench = established()
    expect(bench.receive({ data: 1400, segmentSize: 700 })).toEqual([ack(1400)])
  })
})

describe('RFC 2018 and RFC 2883: SACK', () => {
  const sacking = () => established({ settings: { sack: true } }, { sackPermitted: true })
  const blocks = (bench: ReturnType<typeof sacking>) =>
    bench
      .drain()
      .map(({ segment }) =>
        Array.from({ length: segment.sackCount }, (_, i) => [segment.sackLeft[i] - IRS, segment.sackRight[i] - IRS]),
      )

  it('RFC 2018 section 4: the block that changed last comes first', () => {
    const bench = sacking()
    bench.put({ seq: IRS + 101, data: 100 })
    expect(blocks(bench)).toEqual([[[101, 201]]])
    bench.put({ seq: IRS + 301, data: 100 })
    expect(blocks(bench)).toEqual([
      [
        [301, 401],
        [101, 201],
      ],
    ])
    bench.put({ seq: IRS + 201, data: 100 })
    expect(blocks(bench)).toEqual([[[101, 401]]])
  })

  it('RFC 2883 section 4: a duplicate is reported once, before the others', () => {
    const bench = sacking()
    bench.put({ data: 100 })
    bench.put({ seq: IRS + 301, data: 100 })
    bench.drain()
    bench.put({ seq: IRS + 1, data: 50 })
    expect(blocks(bench)).toEqual([
      [
        [1, 51],
        [301, 401],
      ],
    ])
    bench.put({ seq: IRS + 401, data: 100 })
    expect(blocks(bench)).toEqual([[[301, 501]]])
  })

  it('data segments make room for the blocks that they carry (RFC 9293 section 3.7.1)', () => {
    const bench = sacking()
    bench.receive({ seq: IRS + 101, data: 100 })
    expect(bench.write(MSS)[0]).toBe(`. ${ISS + 1}+${MSS - 36} ack ${IRS + 1}`)
  })
})

describe('RFC 9293 section 3.8.6: the receive window', () => {
  const small = { settings: { receiveBufferInitial: 6000, receiveBufferMaximum: 6000 } }

  it('closes as data waits, and never shrinks', () => {
    const bench = established(small)
    let edge = 0
    for (let i = 0; i < 6; i++) {
      bench.put({ data: 1000 })
      for (const { segment } of bench.drain()) {
        const right = segment.acknowledgment + segment.window
        expect(right).toBeGreaterThanOrEqual(edge)
        edge = right
      }
    }
    expect(edge).toBe(IRS + 1 + 6000)
  })

  it('section 3.8.6.2.2: opens by half the buffer or a segment, not by less', () => {
    const bench = established(small)
    for (let i = 0; i < 6; i++) bench.receive({ data: 1000 })
    bench.read(500)
    expect(bench.lines()).toEqual([])
    bench.read(959)
    expect(bench.lines()).toEqual([])
    bench.read(1)
    const [update] = bench.drain()
    expect(update.segment.window).toBe(1460)
    expect(bench.counter('tcpExt.WindowUpdates')).toBe(1)
  })

  it('an update is sent when the window can be doubled; smaller steps go with the ACKs of data', () => {
    const bench = established(small)
    bench.receive({ data: 1460 })
    bench.receive({ data: 1460 })
    bench.read()
    expect(bench.lines()).toEqual([])
    bench.receive({ data: 1460 })
    const [next] = bench.until(100)
    expect(next.segment.acknowledgment + next.segment.window).toBe(IRS + 1 + 2 * 1460 + 6000)
  })

  it('a probe of a closed window is answered, and its octet is not taken', () => {
    const bench = established(small)
    for (let i = 0; i < 6; i++) bench.receive({ data: 1000 })
    for (let i = 0; i < 20; i++) {
      bench.put({ data: 'p' })
      const [answer] = bench.drain()
      expect([answer.segment.acknowledgment, answer.segment.window]).toEqual([IRS + 6001, 0])
    }
    expect(bench.connection.readable).toBe(6000)
  })

  it('a FIN needs no buffer: it is taken with the window closed', () => {
    const bench = established(small)
    for (let i = 0; i < 6; i++) bench.receive({ data: 1000 })
    bench.receive({ flags: 'F.' })
    expect(bench.state).toBe('close-wait')
  })

  it('under memory pressure the window does not open beyond a segment', () => {
    const bench = established({ ...small, frames: 16 })
    for (let i = 0; i < 4; i++) bench.receive({ data: 1460 })
    const frames: number[] = []
    for (let frame = bench.pool.allocate(); frame >= 0; frame = bench.pool.allocate()) frames.push(frame)
    const right = bench.connection.receiveRight
    bench.read()
    bench.until(1000)
    expect(bench.connection.receiveRight).toBe(right)
    for (const frame of frames) bench.pool.release(frame)
  })
})

describe('RFC 9293 section 3.10.7.4, seventh and eighth step: text and FIN', () => {
  it('a FIN before the bytes in front of it waits for them', () => {
    const bench = established()
    expect(bench.receive({ flags: 'FP.', seq: IRS + 4, data: 'def' })).toEqual([ack(0)])
    expect(bench.state).toBe('established')
    expect(bench.receive({ seq: IRS + 1, data: 'abc' })).toEqual([ack(7)])
    expect(bench.state).toBe('close-wait')
    expect(bench.read()).toBe('abcdef')
    expect(bench.connection.ended).toBe(true)
    expect(bench.connection.events & (EVENT_READABLE | EVENT_PEER_CLOSED)).toBe(EVENT_READABLE | EVENT_PEER_CLOSED)
  })

  it('a FIN alone behind a gap waits too', () => {
    const bench = established()
    bench.receive({ flags: 'F.', seq: IRS + 4 })
    bench.receive({ seq: IRS + 1, data: 'abc' })
    expect(bench.state).toBe('close-wait')
  })

  it('nothing follows a FIN: text beyond its place is cut off and counted', () => {
    const bench = established()
    bench.receive({ flags: 'F.', seq: IRS + 4 })
    bench.receive({ seq: IRS + 1, data: 'abcdef' })
    expect(bench.read()).toBe('abc')
    expect(bench.state).toBe('close-wait')
    expect(bench.counter('tcpDrop.DataAfterFin')).toBe(1)
  })

  it('a second FIN elsewhere is dropped and counted', () => {
    const bench = established()
    bench.receive({ flags: 'F.', seq: IRS + 4 })
    bench.receive({ flags: 'F.', seq: IRS + 9 })
    expect(bench.counter('tcpDrop.FinBad')).toBe(1)
    bench.receive({ seq: IRS + 1, data: 'abc' })
    expect(bench.state).toBe('close-wait')
  })

  it('RFC 6093: urgent data is data in the stream', () => {
    const bench = established()
    bench.receive({ flags: 'UP.', data: 'urgent' })
    expect(bench.read()).toBe('urgent')
    expect(bench.counter('tcpExt.UrgentIgnored')).toBe(1)
  })

  it('many segments in any order are delivered in order', () => {
    const bench = established()
    const text = pattern(3000)
    for (let i = 29; i >= 0; i--) bench.put({ seq: IRS + 1 + 100 * i, data: text.slice(100 * i, 100 * i + 100) })
    bench.drain()
    expect(bench.read()).toBe(text)
  })
})

describe('RFC 3168 section 6.1.3: the receiver of marks', () => {
  const ecn = () => established({ settings: { ecn: 'active' } }, { flags: 'SE.' })

  it('echoes from a mark on until CWR, and tells a change at once', () => {
    const bench = ecn()
    expect(bench.receive({ data: 'a', ecn: CE })).toEqual([`.E ${ISS + 1}+0 ack ${IRS + 2}`])
    bench.receive({ data: 'b', ecn: CE })
    expect(bench.until(100).map(({ line }) => line)).toEqual([`.E ${ISS + 1}+0 ack ${IRS + 3}`])
    expect(bench.receive({ flags: 'W.', data: 'c' })).toEqual([`. ${ISS + 1}+0 ack ${IRS + 4}`])
    expect(bench.counter('tcpExt.CongestionMarks')).toBe(2)
  })

  it('a mark on a segment with CWR begins a new echo', () => {
    const bench = ecn()
    bench.receive({ data: 'a', ecn: CE })
    expect(bench.receive({ flags: 'W.', data: 'b', ecn: CE }).concat(bench.until(100).map(({ line }) => line))).toEqual(
      [`.E ${ISS + 1}+0 ack ${IRS + 3}`],
    )
  })

  it('without ECN marks mean nothing', () => {
    const bench = established()
    bench.receive({ data: 'a', ecn: CE })
    expect(bench.until(100).map(({ line }) => line)).toEqual([ack(1)])
  })
})
