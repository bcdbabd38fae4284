import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../../src/random.ts'
import { Handshake } from '../../../src/tcp/connection/handshake.ts'
import { SynCookies, stampWithOptions } from '../../../src/tcp/passive/syn-cookies.ts'
import { ACK, instant, Segment, SYN } from '../../../src/tcp/segment.ts'
import { ipv4Words } from '../support.ts'

const LOCAL = ipv4Words(10, 0, 0, 1)
const REMOTE = ipv4Words(10, 0, 0, 2)
const PORTS = (4000 << 16) | 80
const MINUTE = 60e9

function synOf(sequence: number): Segment {
  return Object.assign(new Segment(), { flags: SYN, sequence })
}

function ackOf(cookie: number, remote: number, echo?: number): Segment {
  const ack = Object.assign(new Segment(), { flags: ACK, sequence: (remote + 1) | 0, acknowledgment: (cookie + 1) | 0 })
  if (echo !== undefined) Object.assign(ack, { hasTimestamp: true, timestampValue: 77, timestampEcho: echo })
  return ack
}

describe('a SYN cookie', () => {
  const cookies = new SynCookies(seededRandom(1))

  it('tells sequence numbers and the segment size, and with timestamps the other options', () => {
    const int = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
    fc.assert(
      fc.property(
        int,
        int,
        fc.integer({ min: 216, max: 65_535 }),
        fc.integer({ min: -1, max: 14 }),
        fc.boolean(),
        fc.boolean(),
        fc.integer({ min: 0, max: 1e6 }),
        (remote, stamp, mss, scale, sack, ecn, minutes) => {
          const now = instant(minutes * MINUTE)
          const cookie = cookies.make(LOCAL, REMOTE, PORTS, synOf(remote), mss, now) as number
          const sent = stampWithOptions(stamp, scale, sack, ecn)
          // Never from the future, or the peer's echo would measure a negative time.
          expect((sent - stamp) | 0).toBeLessThanOrEqual(0)
          expect((stamp - sent) | 0).toBeLessThan(64)
          const into = new Handshake()
          const later = instant((minutes + 1.9) * MINUTE)
          expect(cookies.check(LOCAL, REMOTE, PORTS, ackOf(cookie, remote, sent), 42, later, into)).toBe(true)
          expect(into).toMatchObject({ localSequence: cookie, remoteSequence: remote, windowScale: scale })
          expect(into).toMatchObject({
            sackPermitted: sack,
            ecn,
            timestamps: true,
            timestampRecent: 77,
            timestampOffset: 42,
          })
          expect(into.mss).toBeLessThanOrEqual(mss)
          expect(into.mss).toBeGreaterThanOrEqual(mss >= 1460 ? 1460 : 216)
          expect(cookies.check(LOCAL, REMOTE, PORTS, ackOf(cookie, remote), 42, later, into)).toBe(true)
          expect(into).toMatchObject({ windowScale: -1, sackPermitted: false, ecn: false, timestamps: false })
        },
      ),
    )
  })

  it('is good for two minutes at least and for four at most', () => {
    const into = new Handshake()
    for (let second = 0; second < 600; second += 7) {
      const made = instant(second * 1e9)
      const ack = ackOf(cookies.make(LOCAL, REMOTE, PORTS, synOf(9), 1460, made) as number, 9)
      expect(cookies.check(LOCAL, REMOTE, PORTS, ack, 0, instant(made[0] + 2 * MINUTE - 1), into)).toBe(true)
      expect(cookies.check(LOCAL, REMOTE, PORTS, ack, 0, instant(made[0] + 4 * MINUTE), into)).toBe(false)
    }
  })

  it("is nobody else's, and cannot be guessed", () => {
    const into = new Handshake()
    const now = instant(7 * MINUTE)
    const cookie = cookies.make(LOCAL, REMOTE, PORTS, synOf(9), 1460, now) as number
    expect(cookies.check(LOCAL, REMOTE, PORTS + 1, ackOf(cookie, 9), 0, now, into)).toBe(false)
    expect(cookies.check(LOCAL, ipv4Words(10, 0, 0, 3), PORTS, ackOf(cookie, 9), 0, now, into)).toBe(false)
    expect(cookies.check(LOCAL, REMOTE, PORTS, ackOf(cookie, 1000), 0, now, into)).toBe(false)
    expect(new SynCookies(seededRandom(2)).check(LOCAL, REMOTE, PORTS, ackOf(cookie, 9), 0, now, into)).toBe(false)
    const random = seededRandom(3)
    let hits = 0
    for (let i = 0; i < 100_000; i++) {
      if (cookies.check(LOCAL, REMOTE, PORTS, ackOf(random.next() | 0, random.next() | 0), 0, now, into)) hits++
    }
    // 3 periods of 256 and 8 sizes of 2^24: one in 180 million.
    expect(hits).toBe(0)
  })

  it('is not made for segments shorter than any it can tell', () => {
    expect(cookies.make(LOCAL, REMOTE, PORTS, synOf(9), 215, instant())).toBeUndefined()
  })
})
