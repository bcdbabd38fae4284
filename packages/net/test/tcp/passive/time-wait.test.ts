import { describe, expect, it } from 'vitest'
import { NO_TIME_WAIT, TimeWaitState, TimeWaitTable } from '../../../src/tcp/passive/time-wait.ts'
import {
  judgeTimeWait,
  sequenceAfter,
  TIME_WAIT_ACKNOWLEDGE,
  TIME_WAIT_IGNORE,
  TIME_WAIT_REOPEN,
  TIME_WAIT_RESET,
  TIME_WAIT_RESTART,
} from '../../../src/tcp/passive/time-wait-rules.ts'
import { ACK, FIN, instant, RST, Segment, SYN } from '../../../src/tcp/segment.ts'
import { ipv4Words } from '../support.ts'

const MINUTE = 60e9

function stateOf(fields: Partial<TimeWaitState> = {}): TimeWaitState {
  const state = Object.assign(new TimeWaitState(), {
    ports: 7,
    sendNext: 500,
    receiveNext: 1000,
    window: 100,
    ...fields,
  })
  state.local.set(ipv4Words(10, 0, 0, 1))
  state.remote.set(ipv4Words(10, 0, 0, 2))
  return state
}

describe('TIME-WAIT records', () => {
  it('keep what they are given and end in order, later when restarted', () => {
    const table = new TimeWaitTable(3, MINUTE)
    const state = stateOf({ hasTimestamps: true, timestampRecent: -1, timestampOffset: 99 })
    const first = table.add(state, instant(0))
    const second = table.add(stateOf(), instant(1e9))
    const read = new TimeWaitState()
    table.read(first, read)
    expect(read).toEqual(state)
    expect([table.oldest, table.deadline]).toEqual([first, MINUTE])
    table.restart(first, instant(2e9))
    expect([table.oldest, table.deadline]).toEqual([second, MINUTE + 1e9])
    table.add(stateOf(), instant(3e9))
    expect(table.isFull).toBe(true)
    table.remove(second)
    table.remove(first)
    table.remove(table.oldest)
    expect([table.count, table.oldest, table.deadline]).toEqual([0, NO_TIME_WAIT, Number.POSITIVE_INFINITY])
  })

  it('answer what anybody may send once in an interval', () => {
    const table = new TimeWaitTable(3, MINUTE)
    const record = table.add(stateOf(), instant(0))
    const answers = Array.from({ length: 20 }, (_, i) => table.mayAnswer(record, 500e6, instant(i * 100e6)))
    expect(answers.filter(Boolean)).toHaveLength(4)
  })
})

describe('TIME-WAIT rules', () => {
  const judge = (fields: Partial<Segment>, state: Partial<TimeWaitState> = {}, reuse = true) =>
    judgeTimeWait(stateOf(state), Object.assign(new Segment(), fields), reuse)
  const stamped = { hasTimestamps: true, timestampRecent: 50 }

  it.each([
    ['the FIN again', { flags: FIN | ACK, sequence: 999 }, {}, TIME_WAIT_RESTART],
    ['the FIN again with its data', { flags: FIN | ACK, sequence: 899, length: 100 }, {}, TIME_WAIT_RESTART],
    ['an ACK', { flags: ACK, sequence: 1000 }, {}, TIME_WAIT_IGNORE],
    ['old data', { flags: ACK, sequence: 800, length: 100 }, {}, TIME_WAIT_ACKNOWLEDGE],
    ['a reset (RFC 1337)', { flags: RST, sequence: 1000 }, {}, TIME_WAIT_RESET],
    ['a later SYN (RFC 6191)', { flags: SYN, sequence: 1000 }, {}, TIME_WAIT_REOPEN],
    ['an earlier SYN', { flags: SYN, sequence: 990 }, {}, TIME_WAIT_ACKNOWLEDGE],
    [
      'an earlier SYN, stamped later',
      { flags: SYN, sequence: 1, hasTimestamp: true, timestampValue: 51 },
      stamped,
      TIME_WAIT_REOPEN,
    ],
    [
      'a later SYN, stamped earlier',
      { flags: SYN, sequence: 9999, hasTimestamp: true, timestampValue: 49 },
      stamped,
      TIME_WAIT_ACKNOWLEDGE,
    ],
    [
      'a later SYN, stamped equally',
      { flags: SYN, sequence: 9999, hasTimestamp: true, timestampValue: 50 },
      stamped,
      TIME_WAIT_REOPEN,
    ],
    ['a SYN+ACK', { flags: SYN | ACK, sequence: 9999 }, {}, TIME_WAIT_ACKNOWLEDGE],
  ])('%s', (_, fields, state, verdict) => {
    expect(judge(fields, state)).toBe(verdict)
  })

  it('without reuse no SYN opens a connection', () => {
    expect(judge({ flags: SYN, sequence: 1000 }, {}, false)).toBe(TIME_WAIT_ACKNOWLEDGE)
  })

  it("a new connection's numbers begin behind the old one's (RFC 1122 section 4.2.2.13)", () => {
    expect(sequenceAfter(stateOf(), 100)).toBe(500 + 65_536)
    expect(sequenceAfter(stateOf(), 500 + 65_537)).toBe(500 + 65_537)
  })
})
