import { describe, expect, it } from 'vitest'
import { EVENT_PATH_SUSPECT } from '../../../src/tcp/connection/events.ts'
import { IRS, ISS } from './support/bench.ts'
import { established, finWait2, synSent } from './support/states.ts'

const KEEP = { keepAlive: true, keepAliveIdle: 10e9, keepAliveInterval: 2e9, keepAliveProbes: 3 }
const PROBE = `. ${ISS}+0 ack ${IRS + 1}`

describe('RFC 9293 section 3.8.4: keepalive', () => {
  it('asks after silence, then at intervals, and gives up with a reset and ETIMEDOUT', () => {
    const bench = established({ settings: KEEP })
    const sent: [number, string][] = []
    while (bench.state !== 'closed') for (const { line } of bench.next()) sent.push([bench.milliseconds, line])
    expect(sent).toEqual([
      [10_000, PROBE],
      [12_000, PROBE],
      [14_000, PROBE],
      [16_000, `R. ${ISS + 1}+0 ack ${IRS + 1}`],
    ])
    expect(bench.connection.failure).toBe('ETIMEDOUT')
    expect(bench.counter('tcpExt.AbortOnKeepAlive')).toBe(1)
  })

  it('an answer, or any other segment, starts the silence anew', () => {
    const bench = established({ settings: KEEP })
    bench.until(10_500)
    bench.receive({})
    expect(bench.until(20_400)).toEqual([])
    expect(bench.until(20_600).map(({ line }) => line)).toEqual([PROBE])
    bench.receive({ data: 'alive' })
    expect(bench.until(30_000).map(({ line }) => line)).toEqual([`. ${ISS + 1}+0 ack ${IRS + 6}`])
    expect(bench.state).toBe('established')
  })

  it('does not ask while data is under way, whose own timer decides', () => {
    const bench = established({ settings: { ...KEEP, keepAliveIdle: 1e9 } })
    bench.write('x')
    bench.until(20_000)
    expect(bench.counter('tcpExt.KeepAlives')).toBe(0)
    expect(bench.counter('tcpExt.Timeouts')).toBeGreaterThan(2)
  })

  it('is on and off by a socket option at any time', () => {
    const bench = established()
    expect(bench.connection.pollAt).toBe(Number.POSITIVE_INFINITY)
    bench.connection.configure({ ...bench.settings, ...KEEP })
    bench.drain()
    expect(bench.connection.pollAt).toBe(10e9)
    bench.connection.configure(bench.settings)
    bench.drain()
    expect(bench.connection.pollAt).toBe(Number.POSITIVE_INFINITY)
  })

  it('runs in FIN-WAIT-2, where a silent peer would hold the connection for ever', () => {
    const bench = finWait2({ settings: KEEP })
    bench.until(100_000)
    expect(bench.connection.failure).toBe('ETIMEDOUT')
  })
})

describe('RFC 5482: user timeout', () => {
  it('data that stays unacknowledged fails the connection', () => {
    const bench = established({ settings: { userTimeout: 5e9 } })
    bench.until(100_000)
    expect(bench.state).toBe('established')
    bench.write('x')
    bench.until(104_900)
    expect(bench.state).toBe('established')
    bench.until(105_100)
    expect(bench.connection.failure).toBe('ETIMEDOUT')
    expect(bench.counter('tcpExt.AbortOnUserTimeout')).toBe(1)
  })

  it('decides alone: later than the retries would, too', () => {
    const bench = established({ settings: { userTimeout: 900e9, retries: 3 } })
    bench.write('x')
    bench.until(899_000)
    expect(bench.state).toBe('established')
    bench.until(901_000)
    expect(bench.connection.failure).toBe('ETIMEDOUT')
  })

  it('progress starts it anew', () => {
    const bench = established({ settings: { userTimeout: 5e9, nagle: 'off' } })
    bench.write('a')
    bench.until(4000)
    bench.write('b')
    bench.receive({ ack: ISS + 2 })
    bench.until(8900)
    expect(bench.state).toBe('established')
    bench.receive({ ack: ISS + 3 })
    bench.until(100_000)
    expect(bench.state).toBe('established')
  })

  it('counts for data that a closed window keeps back', () => {
    const bench = established({ settings: { userTimeout: 5e9 } }, { win: 0 })
    bench.write('x')
    while (bench.milliseconds < 6000 && bench.state === 'established') {
      bench.next()
      bench.receive({ ack: ISS + 1, win: 0 })
    }
    expect(bench.connection.failure).toBe('ETIMEDOUT')
  })

  it('counts for the SYN', () => {
    const bench = synSent({ settings: { userTimeout: 2e9 } })
    bench.until(2100)
    expect(bench.connection.failure).toBe('ETIMEDOUT')
  })

  it('section 3.1: is told in the SYN, and the longer of both holds, within limits', () => {
    const settings = { userTimeout: 200e9, announceUserTimeout: true }
    const bench = synSent({ settings })
    const [again] = bench.until(1000)
    expect(again.segment.userTimeout).toBe(200)
    bench.receive({ flags: 'S.', seq: IRS, ack: ISS + 1, userTimeout: 0x8000 | 10 })
    expect(bench.connection.userTimeout).toBe(600e9)
    bench.receive({ userTimeout: 0x8000 | 0x7fff })
    expect(bench.connection.userTimeout).toBe(3600e9)
    bench.receive({ userTimeout: 1 })
    expect(bench.connection.userTimeout).toBe(200e9)
  })

  it('the option means nothing to who did not ask for it', () => {
    const bench = established()
    bench.receive({ userTimeout: 300 })
    expect(bench.connection.userTimeout).toBe(0)
  })
})

describe('RFC 1122 section 4.2.3.5: R1', () => {
  it('tells that the path is suspect', () => {
    const bench = established({ settings: { retriesSuspect: 2 } })
    bench.write('x')
    bench.next()
    expect(bench.connection.events & EVENT_PATH_SUSPECT).toBe(0)
    bench.next()
    expect(bench.connection.events & EVENT_PATH_SUSPECT).toBe(EVENT_PATH_SUSPECT)
  })
})
