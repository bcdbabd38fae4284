import { describe, expect, it } from 'vitest'
import type { Bench } from './support/bench.ts'
import { IRS, ISS } from './support/bench.ts'
import {
  closeWait,
  closing,
  established,
  finWait1,
  finWait2,
  lastAck,
  synReceived,
  timeWait,
} from './support/states.ts'

const ACK_NOW = `. ${ISS + 1}+0 ack ${IRS + 1}`
const WINDOW = 60_000

describe('RFC 9293 section 3.10.7.4, first check: the sequence number', () => {
  it('a segment before the window is answered with an ACK and dropped', () => {
    const bench = established()
    expect(bench.receive({ seq: IRS - 100, data: 'x' })).toEqual([ACK_NOW])
    expect(bench.connection.readable).toBe(0)
    expect(bench.counter('tcpDrop.DataDuplicate')).toBe(1)
  })

  it('a segment behind the window is answered with an ACK and dropped', () => {
    const bench = established()
    expect(bench.receive({ seq: IRS + 2 + WINDOW, data: 'x' })).toEqual([ACK_NOW])
    expect(bench.counter('tcpDrop.OutsideWindow')).toBe(1)
  })

  it('what reaches beyond the window is cut off, its FIN with it, and answered', () => {
    const bench = established({ settings: { receiveBufferInitial: 5000, receiveBufferMaximum: 5000 } })
    expect(bench.connection.receiveRight - bench.connection.receiveNext).toBe(5000)
    for (let i = 0; i < 4; i++) bench.receive({ data: 1200 })
    expect(bench.receive({ flags: 'FP.', data: 300 })).toEqual([`. ${ISS + 1}+0 ack ${IRS + 5001}`])
    expect(bench.counter('tcpDrop.DataBeyondWindow')).toBe(1)
    expect(bench.state).toBe('established')
  })

  it('with a window of zero only the acknowledgment of a segment counts', () => {
    const bench = established({ settings: { receiveBufferInitial: 2000, receiveBufferMaximum: 2000 } })
    bench.write('abc')
    bench.receive({ ack: ISS + 1, data: 1000 })
    bench.receive({ ack: ISS + 1, data: 1000 })
    expect(bench.receive({ data: 'p', ack: ISS + 4 })).toEqual([`. ${ISS + 4}+0 ack ${IRS + 2001}`])
    expect(bench.connection.sendUna).toBe(ISS + 4)
    expect(bench.connection.readable).toBe(2000)
  })

  it('data that overlaps what is there is taken from where it is new', () => {
    const bench = established()
    bench.receive({ seq: IRS + 1, data: 'abcdef' })
    bench.receive({ seq: IRS + 4, data: 'defghi' })
    expect(bench.read()).toBe('abcdefghi')
  })

  it('a bare ACK at the right edge of the window is taken, where a sender that filled it stands', () => {
    const bench = established()
    bench.write('abc')
    bench.receive({ seq: IRS + 1 + WINDOW, ack: ISS + 4 })
    expect(bench.connection.sendUna).toBe(ISS + 4)
  })

  it('every state from SYN-RECEIVED on checks it', () => {
    for (const make of [synReceived, established, finWait1, finWait2, closing, closeWait, lastAck]) {
      const bench = make()
      const { state } = bench
      const { receiveNext, sendNext } = bench.connection
      const answer = bench.receive({ seq: IRS - 5000, data: 'x' })
      expect([state, answer]).toEqual([state, [`. ${sendNext}+0 ack ${receiveNext}`]])
      expect(bench.state).toBe(state)
    }
  })
})

describe('RFC 5961 section 3: resets', () => {
  const states: readonly [(options?: object) => Bench, string | undefined][] = [
    [established, 'ECONNRESET'],
    [finWait1, 'ECONNRESET'],
    [finWait2, 'ECONNRESET'],
    [closeWait, 'ECONNRESET'],
    [closing, undefined],
    [lastAck, undefined],
  ]

  it('section 3.2: exactly RCV.NXT resets, in every synchronized state', () => {
    for (const [make, failure] of states) {
      const bench = make()
      expect(bench.receive({ flags: 'R' })).toEqual([])
      expect(bench.state).toBe('closed')
      expect(bench.connection.failure).toBe(failure)
    }
  })

  it('section 3.2: elsewhere in the window is challenged, outside dropped silently', () => {
    for (const [make] of states) {
      const bench = make()
      const { state } = bench
      const { receiveNext, sendNext } = bench.connection
      expect(bench.receive({ flags: 'R', seq: receiveNext + 1 })).toEqual([`. ${sendNext}+0 ack ${receiveNext}`])
      expect(bench.receive({ flags: 'R', seq: receiveNext - 1 })).toEqual([])
      expect(bench.receive({ flags: 'R', seq: receiveNext + 70_000 })).toEqual([])
      expect(bench.state).toBe(state)
      expect(bench.counter('tcpDrop.ResetNotExact')).toBe(1)
      expect(bench.counter('tcpDrop.ResetOutsideWindow')).toBe(2)
    }
  })

  it('RFC 1337: TIME-WAIT ignores resets', () => {
    const bench = timeWait()
    expect(bench.receive({ flags: 'R' })).toEqual([])
    expect(bench.state).toBe('time-wait')
    expect(bench.counter('tcpDrop.ResetInTimeWait')).toBe(1)
  })
})

describe('RFC 5961 section 4: a SYN in a synchronized state', () => {
  it('is challenged whatever its sequence number, and changes nothing', () => {
    for (const seq of [IRS, IRS + 1, IRS + 1000, IRS + 100_000, IRS - 100_000]) {
      const bench = established()
      expect(bench.receive({ flags: 'S', seq })).toEqual([ACK_NOW])
      expect(bench.receive({ flags: 'S.', seq })).toEqual([ACK_NOW])
      expect(bench.state).toBe('established')
      expect(bench.counter('tcpExt.ChallengeAcks')).toBe(2)
    }
  })
})

describe('RFC 5961 section 5: the range of acknowledgments', () => {
  it('an ACK of what was not sent is challenged and dropped, with its data', () => {
    const bench = established()
    expect(bench.receive({ ack: ISS + 2, data: 'x' })).toEqual([ACK_NOW])
    expect(bench.connection.readable).toBe(0)
    expect(bench.counter('tcpDrop.AckOfUnsent')).toBe(1)
  })

  it('an ACK older than the largest window is challenged and dropped, a younger one only ignored', () => {
    const bench = established()
    bench.write('abcdef')
    bench.receive({ ack: ISS + 7, win: 1000 })
    expect(bench.receive({ ack: ISS + 7 - 65_536, data: 'x' })).toEqual([`. ${ISS + 7}+0 ack ${IRS + 1}`])
    expect(bench.counter('tcpDrop.AckTooOld')).toBe(1)
    bench.receive({ ack: ISS + 2, data: 'yes' })
    expect(bench.read()).toBe('yes')
  })

  it('a segment without ACK is dropped', () => {
    const bench = established()
    expect(bench.receive({ flags: 'P', data: 'x' })).toEqual([])
    expect(bench.counter('tcpDrop.NoAck')).toBe(1)
  })
})

describe('RFC 5961 section 7: throttling', () => {
  it('ten challenge ACKs in five seconds, the others are counted', () => {
    const bench = established()
    const answers = Array.from({ length: 25 }, () => bench.receive({ flags: 'S', seq: IRS + 500 }).length)
    expect(answers.reduce((sum, n) => sum + n)).toBe(10)
    expect(bench.counter('tcpExt.ChallengeAcksSkipped')).toBe(15)
    bench.until(5000)
    expect(bench.receive({ flags: 'S', seq: IRS + 500 })).toEqual([ACK_NOW])
  })

  it('two sides out of step do not answer each other for ever', () => {
    const bench = established()
    let answered = 0
    for (let i = 0; i < 100; i++) answered += bench.receive({ seq: IRS + 200_000, ack: ISS + 1 }).length
    expect(answered).toBe(10)
  })
})

describe('a closed connection', () => {
  it('drops and counts', () => {
    const bench = established()
    bench.abort()
    expect(bench.receive({ data: 'x' })).toEqual([])
    expect(bench.counter('tcpDrop.Closed')).toBe(1)
  })
})
