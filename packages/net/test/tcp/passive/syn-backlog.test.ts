import { describe, expect, it } from 'vitest'
import { Handshake } from '../../../src/tcp/connection/handshake.ts'
import { NO_RECORD, SynBacklog } from '../../../src/tcp/passive/syn-backlog.ts'
import {
  judgeSynReceived,
  SYN_CHALLENGE,
  SYN_COMPLETE,
  SYN_FORGET,
  SYN_IGNORE,
  SYN_REFUSE,
  SYN_REPEAT,
} from '../../../src/tcp/passive/syn-received.ts'
import { ACK, instant, PSH, RST, Segment, SYN } from '../../../src/tcp/segment.ts'
import { ipv4Words } from '../support.ts'

const LOCAL = ipv4Words(10, 0, 0, 1)
const REMOTE = ipv4Words(10, 0, 0, 2)
const SECOND = 1e9

function agreedOn(fields: Partial<Handshake> = {}): Handshake {
  return Object.assign(new Handshake(), { localSequence: 500, remoteSequence: 1000, mss: 1460, ...fields })
}

function add(backlog: SynBacklog, port: number, at: number, listener = 1): number {
  return backlog.add(LOCAL, REMOTE, (port << 16) | 80, listener, agreedOn(), instant(at))
}

describe('a SYN backlog', () => {
  it('keeps all that a connection needs of its handshake', () => {
    const backlog = new SynBacklog(4, 5, SECOND)
    const agreed = agreedOn({
      windowScale: 14,
      sackPermitted: true,
      timestamps: true,
      timestampRecent: -7,
      timestampOffset: 12_345,
      ecn: true,
    })
    const record = backlog.add(LOCAL, REMOTE, (4000 << 16) | 80, 3, agreed, instant())
    const read = new Handshake()
    backlog.handshake(record, read)
    agreed.sentAt[0] = 0
    expect(read).toEqual(agreed)
    const local = new Int32Array(4)
    const remote = new Int32Array(4)
    backlog.addresses(record, local, remote)
    expect([local, remote, backlog.ports(record), backlog.listener(record)]).toEqual([
      LOCAL,
      REMOTE,
      (4000 << 16) | 80,
      3,
    ])
    backlog.handshake(backlog.add(LOCAL, REMOTE, 1, 3, agreedOn({ windowScale: -1 }), instant()), read)
    expect(read.windowScale).toBe(-1)
  })

  it('knows when a SYN+ACK was sent, as long as it was sent once', () => {
    const backlog = new SynBacklog(4, 5, SECOND)
    const read = new Handshake()
    const sentAt = (record: number) => {
      backlog.handshake(record, read)
      return read.sentAt[0]
    }
    const first = add(backlog, 1, 7 * SECOND)
    const second = add(backlog, 2, 7 * SECOND)
    expect([sentAt(first), sentAt(second)]).toEqual([7 * SECOND, 7 * SECOND])
    backlog.again(first, instant(8 * SECOND))
    backlog.repeated(second)
    expect([sentAt(first), sentAt(second)]).toEqual([Number.NaN, Number.NaN])
  })

  it('is bounded, and gives records again', () => {
    const backlog = new SynBacklog(20, 5, SECOND)
    const records = Array.from({ length: 20 }, (_, i) => add(backlog, i + 1, i))
    expect(new Set(records).size).toBe(20)
    expect(add(backlog, 99, 0)).toBe(NO_RECORD)
    backlog.remove(records[7])
    expect(add(backlog, 100, 0)).toBe(records[7])
    expect(backlog.count).toBe(20)
  })

  it('ages records by doubling, in the order of their deadlines, whatever goes in between', () => {
    const backlog = new SynBacklog(100, 2, SECOND)
    const first = add(backlog, 1, 0)
    const second = add(backlog, 2, 0.5 * SECOND)
    const third = add(backlog, 3, 0.6 * SECOND)
    expect(backlog.deadline).toBe(SECOND)
    expect(backlog.due(instant(0.9 * SECOND))).toBe(NO_RECORD)
    expect(backlog.due(instant(SECOND))).toBe(first)
    backlog.again(first, instant(SECOND))
    expect([backlog.isSpent(first), backlog.deadline]).toEqual([false, 1.5 * SECOND])
    backlog.remove(second)
    expect(backlog.due(instant(1.6 * SECOND))).toBe(third)
    backlog.again(third, instant(1.6 * SECOND))
    expect(backlog.due(instant(3 * SECOND))).toBe(first)
    backlog.again(first, instant(3 * SECOND))
    expect([backlog.isSpent(first), backlog.isSpent(third)]).toEqual([true, false])
    expect(backlog.due(instant(3.6 * SECOND))).toBe(third)
    backlog.again(third, instant(3.6 * SECOND))
    expect(backlog.due(instant(7 * SECOND))).toBe(first)
    backlog.remove(first)
    backlog.remove(third)
    expect([backlog.count, backlog.deadline]).toEqual([0, Number.POSITIVE_INFINITY])
  })

  it('finds the records of a listener that closes', () => {
    const backlog = new SynBacklog(100, 2, SECOND)
    for (let i = 1; i <= 10; i++) add(backlog, i, 0, i % 2)
    let removed = 0
    for (let record = backlog.findOf(1); record !== NO_RECORD; record = backlog.findOf(1)) {
      backlog.remove(record)
      removed++
    }
    expect([removed, backlog.count]).toEqual([5, 5])
  })
})

describe('SYN-RECEIVED (RFC 9293 section 3.10.7.4)', () => {
  const judge = (fields: Partial<Segment>, agreed: Partial<Handshake> = {}) => {
    const backlog = new SynBacklog(4, 5, SECOND)
    const record = backlog.add(LOCAL, REMOTE, 1, 1, agreedOn(agreed), instant())
    return judgeSynReceived(backlog, record, Object.assign(new Segment(), fields), 65_535)
  }
  it.each([
    ['the ACK of our SYN', { flags: ACK, sequence: 1001, acknowledgment: 501 }, SYN_COMPLETE],
    ['data with it', { flags: ACK | PSH, sequence: 1001, acknowledgment: 501, length: 10 }, SYN_COMPLETE],
    ['later data, the ACK being lost', { flags: ACK, sequence: 2461, acknowledgment: 501, length: 10 }, SYN_COMPLETE],
    ['the SYN again', { flags: SYN, sequence: 1000 }, SYN_REPEAT],
    ['another SYN', { flags: SYN, sequence: 1001 }, SYN_CHALLENGE],
    ['an ACK of something else', { flags: ACK, sequence: 1001, acknowledgment: 502 }, SYN_REFUSE],
    ['an ACK outside the window', { flags: ACK, sequence: 999, acknowledgment: 501 }, SYN_CHALLENGE],
    ['the exact reset', { flags: RST, sequence: 1001 }, SYN_FORGET],
    ['a reset in the window (RFC 5961)', { flags: RST, sequence: 1002 }, SYN_CHALLENGE],
    ['a reset outside of it', { flags: RST, sequence: 900 }, SYN_IGNORE],
    ['a segment without ACK', { flags: PSH, sequence: 1001, length: 3 }, SYN_IGNORE],
  ])('%s', (_, fields, verdict) => {
    expect(judge(fields)).toBe(verdict)
  })

  it('an ACK with an old timestamp is challenged (RFC 7323 section 5.3)', () => {
    const ack = { flags: ACK, sequence: 1001, acknowledgment: 501, hasTimestamp: true, timestampValue: 9 }
    expect(judge(ack, { timestamps: true, timestampRecent: 10 })).toBe(SYN_CHALLENGE)
    expect(judge(ack, { timestamps: true, timestampRecent: 9 })).toBe(SYN_COMPLETE)
  })
})
