import { describe, expect, it } from 'vitest'
import { EXPIRED_TIMEOUT, PHASE_LOSS, PHASE_OPEN, PHASE_RECOVERY } from '../../../src/tcp/recovery/loss-recovery.ts'
import { warm } from './support/scenario.ts'

const NO_SACK = { sack: false }

describe('fast recovery without SACK (RFC 5681, RFC 6582)', () => {
  it('RFC 5681 section 3.2: the third duplicate retransmits the first segment', () => {
    const s = warm(10, {}, NO_SACK)
    s.at(200).send(10)
    s.at(300).ack(0).ack(0)
    expect(s.resend()).toEqual([])
    s.ack(0)
    expect(s.resend()).toEqual([0])
    expect(s.threshold).toBe(5)
  })

  it('RFC 5681 section 2: data, a changed window or nothing in flight make no duplicate', () => {
    const s = warm(10, {}, NO_SACK)
    s.at(200).send(10)
    s.at(300)
    for (let i = 0; i < 5; i++) s.ack(0, { windowChanged: true }).ack(0, { length: 10 })
    expect(s.recovery.isDuplicate).toBe(false)
    expect(s.resend()).toEqual([])
  })

  it('RFC 3042: each of the first two duplicates lets a new segment out', () => {
    const s = warm(10, {}, NO_SACK)
    s.at(200).send(10)
    expect(s.fill()).toBe(0)
    s.at(300).ack(0)
    expect(s.fill()).toBe(1)
    s.ack(0)
    expect(s.fill()).toBe(1)
  })

  it('RFC 3042: not when it is switched off', () => {
    const s = warm(10, { limitedTransmit: false }, NO_SACK)
    s.at(200).send(10)
    s.at(300).ack(0)
    expect(s.fill()).toBe(0)
  })

  it('RFC 3042 section 2: segments of limited transmit do not count in the flight that is halved', () => {
    const s = warm(10, {}, NO_SACK)
    s.at(200).send(10)
    s.at(300).ack(0)
    s.fill()
    s.ack(0)
    s.fill()
    s.ack(0)
    expect(s.threshold).toBe(5)
  })

  it('RFC 6582 section 3.2 step 3: a partial acknowledgment retransmits the next hole, the full one ends recovery', () => {
    const s = warm(10, {}, NO_SACK)
    s.at(200).send(10)
    s.at(300)
    for (let i = 0; i < 6; i++) s.ack(0)
    expect(s.resend()).toEqual([0])
    s.at(400).ack(4)
    expect(s.recovery.phase).toBe(PHASE_RECOVERY)
    expect(s.resend()).toEqual([4])
    s.at(500).ack(10)
    expect(s.recovery.phase).toBe(PHASE_OPEN)
    expect(s.window).toBe(5)
    expect(s.recovery.timeouts).toBe(0)
  })

  it('RFC 6582 section 3.2 step 1: duplicates of what was sent before the last recovery begin no other', () => {
    const s = warm(10, {}, NO_SACK)
    s.at(200).send(10)
    s.at(300).ack(0).ack(0).ack(0)
    s.resend()
    s.at(400).ack(10)
    s.send(4)
    s.ack(10).ack(10).ack(10).ack(10)
    expect(s.resend()).toEqual([])
    s.at(500).ack(11)
    s.send(4)
    s.ack(11).ack(11).ack(11)
    expect(s.resend()).toEqual([11])
  })

  it('RFC 6582 section 4: after a timeout everything unacknowledged is sent again, in slow start', () => {
    const s = warm(8, {}, NO_SACK)
    s.at(200).send(8)
    expect(s.expire()).toBe(EXPIRED_TIMEOUT)
    expect(s.recovery.phase).toBe(PHASE_LOSS)
    expect(s.resend()).toEqual([0])
    s.at(601).ack(1)
    expect(s.resend()).toEqual([1, 2])
    s.at(702).ack(2).ack(3)
    expect(s.resend()).toEqual([3, 4, 5, 6])
    s.at(803).ack(8)
    expect(s.recovery.phase).toBe(PHASE_OPEN)
  })
})

describe('fast recovery with SACK (RFC 6675, RFC 9937)', () => {
  it('RFC 6675 section 5: one reduction for all losses of one window', () => {
    const s = warm(20)
    s.at(200).send(20)
    s.at(300).ack(0, { sack: [[1, 5]] })
    s.resend()
    s.at(305).ack(0, {
      sack: [
        [6, 15],
        [1, 5],
      ],
    })
    s.resend()
    expect(s.threshold).toBe(10)
    s.at(400).ack(20)
    expect(s.window).toBe(10)
    expect(s.recovery.phase).toBe(PHASE_OPEN)
  })

  it('RFC 6675 section 5.1: a loss of what was sent during recovery is another one', () => {
    const s = warm(20)
    s.at(200).send(20)
    s.at(300).ack(0, { sack: [[1, 20]] })
    expect(s.resend()).toEqual([0])
    const sent = s.fill()
    expect(sent).toBeGreaterThanOrEqual(5)
    s.at(401).ack(20, { sack: [[21, 20 + sent]] })
    expect(s.recovery.phase).toBe(PHASE_RECOVERY)
    expect(s.resend()).toEqual([20])
    expect(s.threshold).toBeLessThan(10)
  })

  it('RFC 6675 section 4: the pipe counts what is neither sacked nor lost, and what was sent again', () => {
    const s = warm(20)
    s.at(200).send(10)
    expect(s.pipe).toBe(10)
    s.at(300).ack(0, { sack: [[1, 4]] })
    expect(s.pipe).toBe(6)
    s.resend()
    expect(s.pipe).toBe(7)
  })

  it('RFC 9937 section 6: recovery neither pauses nor bursts', () => {
    const s = warm(100)
    s.at(200).send(100)
    const sent: number[] = []
    for (let i = 2; i <= 100; i++) {
      s.at(300 + i / 100).ack(0, { sack: [[1, i]] })
      sent.push(s.resend().length + s.fill())
    }
    // Half of what arrives, evenly: no four acknowledgments in a row without a segment, never more than two at once.
    expect(Math.max(...sent.slice(3))).toBeLessThanOrEqual(2)
    const late = sent.slice(6)
    for (let i = 0; i + 4 <= late.length; i++) expect(late.slice(i, i + 4).some((n) => n > 0)).toBe(true)
    expect(Math.abs(s.pipe - 50)).toBeLessThanOrEqual(1)
  })

  it('RFC 2018 section 8: data that the receiver took back is sent again', () => {
    const s = warm(20, { tailLossProbe: false })
    s.at(200).send(5)
    s.at(300).ack(0, { sack: [[1, 5]] })
    s.resend()
    s.at(400).ack(1) // and no SACK any more: 1 to 4 are gone
    expect(s.recovery.records.sackedBytes).toBe(4000)
    expect(s.expire()).toBe(EXPIRED_TIMEOUT)
    expect(s.wait).toBeGreaterThan(0)
    expect(s.recovery.records.sackedBytes).toBe(0)
    expect(s.resend()).toEqual([1])
    s.at(600).ack(2)
    s.at(601).ack(2)
    s.resend()
    s.at(701).ack(5)
    expect(s.recovery.records.isEmpty).toBe(true)
  })

  it('ignores blocks outside of what is in flight', () => {
    const s = warm(20)
    s.at(200).send(5)
    s.at(300).ack(0, {
      sack: [
        [3, 9],
        [-8, -4],
        [4, 4],
        [5, 3],
      ],
    })
    expect(s.recovery.records.sackedBytes).toBe(0)
    expect(s.recovery.newlySacked).toBe(0)
  })

  it('counts a segment reported in two halves', () => {
    const s = warm(20)
    s.at(200).send(5)
    s.at(300).ack(0, { sack: [[1, 1.5]] })
    expect(s.recovery.records.sackedBytes).toBe(0)
    s.at(301).ack(0, { sack: [[1.5, 2]] })
    expect(s.recovery.records.sackedBytes).toBe(1000)
    expect(s.recovery.newlySacked).toBe(1000)
  })
})

describe('retransmission timer (RFC 6298 section 5)', () => {
  it('5.1 to 5.3: started by the first, restarted by what acknowledges new data, off when nothing is in flight', () => {
    const s = warm(20, { tailLossProbe: false })
    s.at(200).send(1)
    expect(s.wait).toBe(300)
    s.at(250).send(1)
    expect(s.wait).toBe(250)
    s.at(310).ack(1)
    expect(s.wait).toBeGreaterThan(295)
    s.at(320).ack(2)
    expect(s.recovery.deadline).toBe(Number.POSITIVE_INFINITY)
  })

  it('5.4 to 5.6: the first segment again, the timeout doubled, up to the longest', () => {
    const s = warm(20, { tailLossProbe: false, maximumRto: 1e9 })
    s.at(200).send(3)
    const waits: number[] = []
    for (let i = 0; i < 4; i++) {
      expect(s.expire()).toBe(EXPIRED_TIMEOUT)
      expect(s.resend()).toEqual([0])
      waits.push(s.wait)
    }
    expect(waits).toEqual([600, 1000, 1000, 1000])
    expect(s.recovery.backoffs).toBe(4)
    expect(s.recovery.timedOut(3)).toBe(true)
    expect(s.recovery.timedOut(4)).toBe(false)
  })

  it('section 3 (Karn): a segment that was sent twice gives no sample, and the backoff stays until there is one', () => {
    const s = warm(20, { tailLossProbe: false })
    s.at(200).send(1)
    s.expire()
    s.resend()
    s.at(600).ack(1)
    expect(s.recovery.rttSample).toBeNaN()
    s.send(1)
    expect(s.wait).toBe(600)
    s.at(700).ack(2)
    s.send(1)
    expect(s.wait).toBeLessThan(310)
  })

  it('RFC 7323 section 4: with timestamps it does', () => {
    const s = warm(20, { tailLossProbe: false }, { timestamps: true })
    s.at(200).send(1)
    s.expire() // 500
    s.resend()
    s.at(630).ack(1, { echo: 500 })
    expect(s.recovery.rttSample / 1e6).toBe(130)
    s.send(1)
    expect(s.wait).toBeLessThan(320)
  })

  it('takes no sample from what was sacked beside new data: its reports may have been lost', () => {
    const s = warm(20)
    s.at(200).send(6)
    s.at(300).ack(1)
    s.at(3000).ack(2, { sack: [[3, 4]] })
    expect(s.recovery.rttSample / 1e6).toBe(2800) // of segment 1 itself
    s.at(3001).ack(2, { sack: [[3, 6]] })
    expect(s.recovery.rttSample / 1e6).toBe(2801)
  })
})

describe('idle and application limited (RFC 2861, RFC 7661)', () => {
  it('RFC 2861 section 3.1: halves for each timeout of silence, once', () => {
    const s = warm(10)
    s.congestion.window = 64_000
    s.at(200).send(1)
    s.at(300).ack(1)
    s.at(200 + 650)
    s.recovery.beforeSend(s.now)
    expect(s.window).toBe(16)
    s.recovery.beforeSend(s.now)
    expect(s.window).toBe(16)
  })

  it('not when it is switched off, and not while something is in flight', () => {
    const off = warm(10, { slowStartAfterIdle: false })
    off.congestion.window = 64_000
    off.at(200).send(1).at(300).ack(1).at(5000)
    off.recovery.beforeSend(off.now)
    expect(off.window).toBe(64)
    const busy = warm(10)
    busy.congestion.window = 64_000
    busy.at(200).send(1).at(5000)
    busy.recovery.beforeSend(busy.now)
    expect(busy.window).toBe(64)
  })

  it('a sender that leaves the window unused does not enlarge it', () => {
    const s = warm(10)
    for (let i = 1; i <= 50; i++)
      s.at(100 + i * 100)
        .send(1)
        .at(200 + i * 100)
        .ack(i)
    expect(s.window).toBe(10)
  })
})

describe('path MTU (RFC 1191)', () => {
  it('section 6.3: what is too long is sent again in pieces, without a congestion response', () => {
    const s = warm(10)
    s.at(200).send(4)
    s.recovery.mtuReduced(600, s.now)
    const pieces: [number, number][] = []
    while (s.recovery.nextRetransmission(s.next, false)) {
      const { retransmitSequence, retransmitLength } = s.recovery
      pieces.push([retransmitSequence - s.first, retransmitLength])
      s.recovery.sent(retransmitSequence, retransmitLength, s.now, true)
    }
    expect(pieces).toEqual(
      [0, 1000, 2000, 3000].flatMap((at) => [
        [at, 600],
        [at + 600, 400],
      ]),
    )
    expect(s.recovery.phase).toBe(PHASE_OPEN)
    expect(s.window).toBe(10)
    s.at(300).ack(4)
    expect(s.recovery.records.isEmpty).toBe(true)
  })

  it('short neighbours are sent again together', () => {
    const s = warm(10)
    s.at(200).send(8, 100)
    s.send(1)
    s.expire()
    s.resend()
    s.expire()
    expect(s.recovery.nextRetransmission(s.next, false)).toBe(true)
    expect(s.recovery.retransmitLength).toBe(800)
  })
})

describe('opening', () => {
  it('RFC 6928 section 2: one repeated SYN leaves the initial window, two leave one segment', async () => {
    const { Scenario } = await import('./support/scenario.ts')
    for (const [repeats, window] of [
      [0, 10],
      [1, 10],
      [2, 1],
    ] as const) {
      const s = new Scenario()
      s.recovery.start(500, 1000, true, false, s.at(1000).now)
      s.recovery.sent(500, 1, s.now, false)
      for (let i = 0; i < repeats; i++) {
        expect(s.expire()).toBe(EXPIRED_TIMEOUT)
        expect(s.recovery.nextRetransmission(501, false)).toBe(true)
        s.recovery.sent(s.recovery.retransmitSequence, s.recovery.retransmitLength, s.now, true)
      }
      s.una = 500
      s.next = 501
      const first = (501 - s.first) / 1000
      s.ack(first)
      expect(s.window).toBe(window)
      expect(s.recovery.backoffs).toBe(0)
    }
  })
})
