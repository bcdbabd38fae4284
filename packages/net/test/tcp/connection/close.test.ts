import { describe, expect, it } from 'vitest'
import { EVENT_CLOSED, EVENT_FAILED, EVENT_FLUSHED, EVENT_TIME_WAIT } from '../../../src/tcp/connection/events.ts'
import { TimeWaitState } from '../../../src/tcp/passive/time-wait.ts'
import { type Bench, IRS, ISS, NOTHING_REMAINS } from './support/bench.ts'
import {
  closeWait,
  closing,
  established,
  finWait1,
  finWait2,
  lastAck,
  synReceived,
  synSent,
  timeWait,
} from './support/states.ts'

const ack = (seq: number, number: number) => `. ${ISS + seq}+0 ack ${IRS + number}`

describe('RFC 9293 section 3.6: closing', () => {
  it('figure 12: the local user closes first: FIN-WAIT-1, FIN-WAIT-2, TIME-WAIT, closed after 2 MSL', () => {
    const bench = established()
    expect(bench.shutdownWrite()).toEqual([`F. ${ISS + 1}+0 ack ${IRS + 1}`])
    expect(bench.state).toBe('fin-wait-1')
    expect(bench.receive({ ack: ISS + 2 })).toEqual([])
    expect(bench.state).toBe('fin-wait-2')
    expect(bench.connection.events & EVENT_FLUSHED).toBe(EVENT_FLUSHED)
    expect(bench.receive({ flags: 'F.' })).toEqual([ack(2, 2)])
    expect(bench.state).toBe('time-wait')
    expect(bench.connection.events & EVENT_TIME_WAIT).toBe(EVENT_TIME_WAIT)
    bench.until(59_999)
    expect(bench.state).toBe('time-wait')
    bench.until(60_001)
    expect(bench.state).toBe('closed')
    expect(bench.connection.events & (EVENT_CLOSED | EVENT_FAILED)).toBe(EVENT_CLOSED)
  })

  it('figure 12, the other side: CLOSE-WAIT, LAST-ACK, closed', () => {
    const bench = established()
    expect(bench.receive({ flags: 'F.' })).toEqual([ack(1, 2)])
    expect(bench.state).toBe('close-wait')
    expect(bench.write('still')).toEqual([`P. ${ISS + 1}+5 ack ${IRS + 2}`])
    expect(bench.shutdownWrite()).toEqual([`F. ${ISS + 6}+0 ack ${IRS + 2}`])
    expect(bench.state).toBe('last-ack')
    expect(bench.receive({ ack: ISS + 7 })).toEqual([])
    expect(bench.state).toBe('closed')
    expect(bench.connection.failure).toBe(undefined)
  })

  it('figure 13: simultaneous close: CLOSING, then TIME-WAIT', () => {
    const bench = finWait1()
    expect(bench.receive({ flags: 'F.', ack: ISS + 1 })).toEqual([ack(2, 2)])
    expect(bench.state).toBe('closing')
    expect(bench.receive({ ack: ISS + 2 })).toEqual([])
    expect(bench.state).toBe('time-wait')
  })

  it('a FIN that acknowledges ours goes from FIN-WAIT-1 to TIME-WAIT at once', () => {
    const bench = finWait1()
    expect(bench.receive({ flags: 'F.', ack: ISS + 2 })).toEqual([ack(2, 2)])
    expect(bench.state).toBe('time-wait')
  })

  it('the FIN follows the data that was written, and goes with the last of it', () => {
    const bench = established({}, { win: 1000 })
    bench.write(1500)
    expect(bench.shutdownWrite()).toEqual([])
    expect(bench.state).toBe('fin-wait-1')
    expect(bench.receive({ ack: ISS + 1001, win: 1000 })).toEqual([`FP. ${ISS + 1001}+500 ack ${IRS + 1}`])
  })

  it('a FIN whose number the window has no room for waits', () => {
    const bench = established({}, { win: 1000 })
    bench.write(1000)
    bench.shutdownWrite()
    expect(bench.connection.finSent).toBe(false)
    expect(bench.receive({ ack: ISS + 1001, win: 1 })).toEqual([`F. ${ISS + 1001}+0 ack ${IRS + 1}`])
  })

  it('half close: after our FIN the peer goes on sending, in FIN-WAIT-1 and FIN-WAIT-2', () => {
    const bench = finWait1()
    bench.receive({ ack: ISS + 1, data: 'abc' })
    bench.receive({ ack: ISS + 2, data: 'def' })
    expect(bench.state).toBe('fin-wait-2')
    bench.receive({ data: 'ghi' })
    expect(bench.read()).toBe('abcdefghi')
    bench.until(1e6)
    expect(bench.state).toBe('fin-wait-2')
  })

  it('text in states behind the peer FIN is ignored and counted', () => {
    for (const make of [closeWait, lastAck, closing]) {
      const bench = make()
      bench.receive({ ack: bench.connection.sendUna, data: 'x' })
      expect(bench.counter('tcpDrop.DataAfterFin')).toBe(1)
      expect(bench.connection.readable).toBe(0)
    }
  })

  it('what was read before stays readable after an orderly end', () => {
    const bench = established()
    bench.receive({ flags: 'FP.', data: 'last words' })
    bench.shutdownWrite()
    bench.receive({ ack: ISS + 2 })
    expect(bench.state).toBe('closed')
    expect(bench.connection.ended).toBe(false)
    expect(bench.read()).toBe('last words')
    expect(bench.connection.ended).toBe(true)
    expect(bench.remains()).toEqual(NOTHING_REMAINS)
  })
})

describe('TIME-WAIT', () => {
  it('section 3.10.7.4: the FIN again is acknowledged, and 2 MSL start anew', () => {
    const bench = timeWait()
    bench.until(50_000)
    expect(bench.receive({ flags: 'F.', seq: IRS + 1 })).toEqual([ack(2, 2)])
    bench.until(109_000)
    expect(bench.state).toBe('time-wait')
    bench.until(111_000)
    expect(bench.state).toBe('closed')
  })

  it('old data is answered with an ACK, at a limited rate', () => {
    const bench = timeWait()
    let answers = 0
    for (let i = 0; i < 20; i++) answers += bench.receive({ seq: IRS - 100, data: 'old' }).length
    expect(answers).toBe(10)
    expect(bench.counter('tcpDrop.InTimeWait')).toBe(20)
  })

  it('becomes a compact record; bytes not read stay with the connection', () => {
    const bench = finWait2()
    bench.receive({ flags: 'FP.', data: 'tail' })
    const record = new TimeWaitState()
    bench.connection.releaseTimeWait(record)
    expect(record).toMatchObject({ sendNext: ISS + 2, receiveNext: IRS + 6, hasTimestamps: false })
    expect(bench.state).toBe('closed')
    expect(bench.connection.pollAt).toBe(0)
    expect(bench.lines()).toEqual([])
    expect(bench.read()).toBe('tail')
    expect(bench.remains()).toEqual(NOTHING_REMAINS)
  })
})

describe('the socket is gone', () => {
  it('RFC 1122 section 4.2.2.13: closing with unread data resets', () => {
    const bench = established()
    bench.receive({ data: 'unread' })
    expect(bench.close()).toEqual([`R. ${ISS + 1}+0 ack ${IRS + 7}`])
    expect(bench.state).toBe('closed')
    expect(bench.counter('tcpExt.AbortOnClose')).toBe(1)
    expect(bench.remains()).toEqual(NOTHING_REMAINS)
  })

  it('RFC 1122 section 4.2.2.13: data after closing resets', () => {
    for (const make of [finWait1, finWait2]) {
      const bench = make({}, true)
      expect(bench.receive({ ack: bench.connection.sendUna, data: 'x' })).toEqual([`R. ${ISS + 2}+0 ack ${IRS + 1}`])
      expect(bench.state).toBe('closed')
      expect(bench.counter('tcpDrop.DataAfterClose')).toBe(1)
    }
  })

  it('a peer that does not end its stream is left after finWait2', () => {
    const bench = finWait2({}, true)
    expect(bench.until(59_000)).toEqual([])
    expect(bench.state).toBe('fin-wait-2')
    bench.until(61_000)
    expect(bench.state).toBe('closed')
    expect(bench.counter('tcpExt.AbortOnFinWait2')).toBe(1)
  })

  it('the same when our half was closed before', () => {
    const bench = finWait2()
    bench.until(100_000)
    bench.close()
    bench.until(161_000)
    expect(bench.state).toBe('closed')
  })

  it('linger 0 resets and drops what is unsent', () => {
    const bench = established({ settings: { linger: 0 } }, { win: 0 })
    bench.write('unsent')
    expect(bench.close()).toEqual([`R. ${ISS + 1}+0 ack ${IRS + 1}`])
    expect(bench.remains()).toEqual(NOTHING_REMAINS)
  })

  it('linger resets when the time is over, and not when everything was acknowledged before', () => {
    const late = established({ settings: { linger: 2e9, timestamps: false } }, { win: 0 })
    late.write('unsent')
    late.close()
    const sent = late.until(3000)
    expect(sent.at(-1)?.line).toBe(`R. ${ISS + 1}+0 ack ${IRS + 1}`)
    expect(late.counter('tcpExt.AbortOnLinger')).toBe(1)
    const early = established({ settings: { linger: 2e9 } })
    early.write('sent')
    early.close()
    early.receive({ ack: ISS + 6 })
    early.until(3000)
    expect(early.state).toBe('fin-wait-2')
  })

  it('gives up after orphanRetries, silently', () => {
    const bench = established({ settings: { orphanRetries: 2 } })
    bench.write('x')
    bench.close()
    expect(bench.until(1e6).length).toBeGreaterThan(0)
    expect(bench.state).toBe('closed')
    expect(bench.remains()).toEqual(NOTHING_REMAINS)
  })

  it('in SYN-SENT it is gone without a word (section 3.10.4)', () => {
    const bench = synSent()
    expect(bench.close()).toEqual([])
    expect(bench.state).toBe('closed')
  })
})

describe('RFC 9293 section 3.10.5: ABORT', () => {
  it('resets in SYN-RECEIVED, ESTABLISHED, FIN-WAIT-1, FIN-WAIT-2, CLOSE-WAIT, and is silent elsewhere', () => {
    const says: readonly [() => Bench, boolean][] = [
      [synSent, false],
      [synReceived, true],
      [established, true],
      [finWait1, true],
      [finWait2, true],
      [closeWait, true],
      [closing, false],
      [lastAck, false],
      [timeWait, false],
    ]
    for (const [make, resets] of says) {
      const bench = make()
      const { state } = bench
      const { sendNext, receiveNext } = bench.connection
      expect([state, bench.abort()]).toEqual([state, resets ? [`R. ${sendNext}+0 ack ${receiveNext}`] : []])
      expect(bench.state).toBe('closed')
    }
  })
})
