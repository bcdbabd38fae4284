import { describe, expect, it } from 'vitest'
import {
  EXPIRED_NOTHING,
  EXPIRED_PROBE,
  EXPIRED_REORDERING,
  EXPIRED_TIMEOUT,
  PHASE_LOSS,
  PHASE_OPEN,
  PHASE_RECOVERY,
} from '../../../src/tcp/recovery/loss-recovery.ts'
import { MSS, Scenario, warm } from './support/scenario.ts'

describe('RACK (RFC 8985 section 6)', () => {
  it('6.2 step 5: one later segment delivered and a quarter of the least round trip passed: lost', () => {
    const s = warm(20)
    s.at(200).send(10)
    s.at(300).ack(0, { sack: [[1, 2]] })
    expect(s.recovery.phase).toBe(PHASE_OPEN)
    expect(s.resend()).toEqual([])
    // min_rtt is 100 ms: the window of reordering is 25 ms after one round trip.
    expect(s.wait).toBe(25)
    expect(s.expire()).toBe(EXPIRED_REORDERING)
    expect(s.recovery.phase).toBe(PHASE_RECOVERY)
    expect(s.resend()).toEqual([0])
  })

  it('6.2 step 4: without reordering seen, three segments sacked are enough at once', () => {
    const s = warm(20)
    s.at(200).send(10)
    s.at(300).ack(0, { sack: [[1, 3]] })
    expect(s.resend()).toEqual([])
    s.at(301).ack(0, { sack: [[1, 4]] })
    expect(s.recovery.phase).toBe(PHASE_RECOVERY)
    expect(s.resend()).toEqual([0])
  })

  it('6.2 step 4: once reordering was seen, three duplicates do not suffice, time does', () => {
    const s = warm(20)
    s.at(200).send(10)
    s.at(300).ack(0, { sack: [[2, 3]] })
    s.at(301).ack(2, { sack: [[2, 3]] }) // 0 and 1 arrive after 2, and were sent once: reordering
    s.at(302).ack(3)
    s.at(303).ack(3, { sack: [[4, 8]] })
    expect(s.recovery.phase).toBe(PHASE_OPEN)
    expect(s.resend()).toEqual([])
    expect(s.expire()).toBe(EXPIRED_REORDERING)
    expect(s.resend()).toEqual([3])
  })

  it('6.2 step 3: what one acknowledgment reports at once is not reordering', () => {
    const s = warm(20)
    s.at(200).send(10)
    s.at(300).ack(2, { sack: [[3, 4]] }) // acknowledgments in between were lost
    s.at(301).ack(2, { sack: [[3, 6]] })
    expect(s.resend()).toEqual([2])
  })

  it('6.2 step 5: a lost retransmission is found by what was sent after it, without the timer', () => {
    const s = warm(20)
    s.at(200).send(10)
    s.at(300).ack(0, { sack: [[1, 4]] })
    expect(s.resend()).toEqual([0])
    s.fill()
    s.at(301).ack(0, { sack: [[1, 10]] })
    s.fill()
    // New data sent after the retransmission arrives: the retransmission did not, and a round trip has passed.
    s.at(402).ack(0, { sack: [[1, 12]] })
    expect(s.resend()).toEqual([0])
    expect(s.recovery.timeouts).toBe(0)
  })

  it('6.2 step 2: within one reading of the clock the order of transmission decides, not the sequence', () => {
    const s = warm(20)
    s.at(200).send(10)
    s.at(300).ack(0, { sack: [[1, 4]] })
    // In one burst: new data, then the retransmission.
    s.send(2)
    s.recovery.sent(s.first, MSS, s.now, true)
    s.at(400).ack(0, { sack: [[1, 12]] })
    expect(s.resend()).toEqual([])
    expect(s.recovery.records.lostBytes).toBe(1000)
    expect(s.recovery.records.resentBytes).toBe(1000)
  })

  it('6.2 step 2: an answer sooner than any round trip is of the first transmission', () => {
    const s = warm(20)
    s.at(200).send(6)
    s.at(300).ack(0, { sack: [[1, 4]] })
    expect(s.resend()).toEqual([0])
    // 10 ms later 0 is acknowledged: it was late. RACK.rtt must not become 10 ms, or 4 and 5 would count as lost.
    s.at(310).ack(4)
    expect(s.resend()).toEqual([])
  })

  it('6.2 step 4: a reported duplicate widens the window once a round trip, and sixteen recoveries narrow it', () => {
    const s = warm(40)
    s.at(200).send(10)
    s.at(300).ack(0, { sack: [[1, 4]] })
    expect(s.resend()).toEqual([0])
    s.at(310).ack(4) // the original
    s.at(320).ack(4, { sack: [[0, 1]] }) // and the retransmission
    expect(s.recovery.reordering.isSeen).toBe(true)
    s.at(330).ack(10)
    s.at(400).send(10)
    s.at(500).ack(10, { sack: [[11, 12]] })
    expect(s.wait).toBeCloseTo(50, 6) // 2 * 100 / 4
  })

  it('6.3: on timeout the first segment is lost, and of the others what is overdue', () => {
    const s = warm(20, { tailLossProbe: false })
    s.at(200).send(1)
    s.at(490).send(1)
    expect(s.expire()).toBe(EXPIRED_TIMEOUT)
    expect(s.now[0] / 1e6).toBe(500)
    expect(s.resend()).toEqual([0])
    // 1 was sent 10 ms ago: it is in flight and not lost.
    expect(s.recovery.records.lostBytes).toBe(1000)
    expect(s.recovery.phase).toBe(PHASE_LOSS)
  })

  it('expires nothing before the deadline', () => {
    const s = warm(20)
    s.at(200).send(2)
    s.at(201)
    expect(s.recovery.expired(s.now)).toBe(EXPIRED_NOTHING)
  })
})

describe('tail loss probe (RFC 8985 section 7)', () => {
  it('7.2: two round trips after the last segment of several', () => {
    const s = warm(20)
    s.at(200).send(3)
    expect(s.wait).toBeCloseTo(202, 6)
    expect(s.expire()).toBe(EXPIRED_PROBE)
  })

  it('7.2: a single segment leaves time for a delayed acknowledgment, but the timer is not passed', () => {
    const s = warm(20)
    s.at(200).send(1)
    expect(s.wait).toBe(300) // the retransmission timeout is 300 ms: the probe comes at that time instead
    expect(s.expire()).toBe(EXPIRED_PROBE)
    expect(s.recovery.timeouts).toBe(0)
  })

  it('7.2: not while something is sacked, and not in recovery', () => {
    const s = warm(20)
    s.at(200).send(3)
    s.at(300).ack(0, { sack: [[1, 2]] })
    expect(s.expire()).toBe(EXPIRED_REORDERING)
    s.resend()
    expect(s.expire()).toBe(EXPIRED_TIMEOUT)
  })

  it('7.3: new data is preferred, one segment, whatever the window', () => {
    const s = warm(3)
    s.at(200).send(3)
    expect(s.expire()).toBe(EXPIRED_PROBE)
    expect(s.recovery.nextRetransmission(s.next, true)).toBe(false)
    expect(s.fill()).toBe(1)
    expect(s.recovery.probes).toBe(1)
  })

  it('7.3: else the last segment is sent again', () => {
    const s = warm(20)
    s.at(200).send(3)
    s.expire()
    expect(s.resend()).toEqual([2])
    expect(s.recovery.records.lostBytes).toBe(0)
  })

  it('7.3: one probe, then the timer; another only after a round trip was measured', () => {
    const s = warm(20)
    s.at(200).send(3)
    s.expire()
    s.resend()
    expect(s.wait).toBe(300)
    expect(s.expire()).toBe(EXPIRED_TIMEOUT)
  })

  it('7.4.2: the acknowledgment of the probe shows a hole before it, and RACK repairs it', () => {
    const s = warm(20)
    s.at(200).send(4)
    s.expire() // 402
    s.resend()
    s.at(503).ack(0, { sack: [[3, 4]] })
    // PRR opens with one segment, and each that arrives lets two follow.
    expect(s.resend()).toEqual([0])
    s.at(604).ack(1, { sack: [[3, 4]] })
    expect(s.resend()).toEqual([1, 2])
    s.at(705).ack(4)
    expect(s.recovery.timeouts).toBe(0)
    expect(s.recovery.phase).toBe(PHASE_OPEN)
  })

  it('7.4.2: a probe that repaired the only loss reduces the window', () => {
    const s = warm(20)
    s.at(200).send(4)
    s.expire()
    s.resend()
    s.at(503).ack(4) // up to the end of the probe: not known yet which copy arrived
    expect(s.window).toBeGreaterThanOrEqual(20)
    s.send(1)
    s.at(604).ack(5)
    expect(s.window).toBeLessThan(20)
  })

  it('7.4.2: what is in flight after a probe that is not yet explained is watched like anything else', () => {
    const s = warm(20)
    s.at(200).send(4)
    s.expire()
    s.resend()
    s.at(503).ack(4) // nothing in flight, and the probe may still be answered
    expect(s.recovery.flight.probe.isOutstanding).toBe(true)
    for (let i = 0; i < 3; i++) {
      const { flight, records } = s.recovery
      expect((flight.cursor - records.tail) | 0).toBeLessThanOrEqual(0)
      s.at(600 + 200 * i).send(1)
      expect((flight.cursor - records.tail) | 0).toBeLessThanOrEqual(0)
      s.at(700 + 200 * i).ack(5 + i)
    }
    s.at(2000).send(5)
    s.at(2100).ack(7, { sack: [[8, 12]] })
    expect(s.resend()).toEqual([7])
  })

  it('7.4.2: a probe that was superfluous, as a duplicate report says, reduces nothing', () => {
    const s = warm(20)
    s.at(200).send(4)
    s.expire()
    s.resend()
    s.at(450).ack(4)
    s.at(503).ack(4, { sack: [[3, 4]] })
    s.send(1)
    s.at(604).ack(5)
    expect(s.window).toBeGreaterThanOrEqual(20)
    // And it does not count as reordering.
    s.at(700).send(4)
    s.at(800).ack(5, { sack: [[6, 7]] })
    expect(s.wait).toBeCloseTo(25, 6)
  })
})

describe('RACK switched off', () => {
  it('RFC 6675 section 5: three duplicates or IsLost', () => {
    const s = warm(20, { rack: false })
    s.at(200).send(10)
    s.at(300).ack(0, { sack: [[1, 2]] })
    s.at(301).ack(0, { sack: [[1, 3]] })
    expect(s.resend()).toEqual([])
    s.at(302).ack(0, { sack: [[1, 4]] })
    expect(s.recovery.phase).toBe(PHASE_RECOVERY)
    expect(s.resend()).toEqual([0])
  })

  it('RFC 6675 section 4: with three ranges above, everything below the third is lost', () => {
    const s = warm(20, { rack: false })
    s.at(200).send(10)
    s.at(300).ack(0, {
      sack: [
        [2, 3],
        [5, 6],
        [8, 9],
      ],
    })
    s.at(301).ack(0, { sack: [[2, 3]] })
    expect(s.recovery.records.lostBytes).toBe(2000)
    s.at(302).ack(0, { sack: [[8, 10]] })
    expect(s.resend().slice(0, 2)).toEqual([0, 1])
  })
})

describe('the sender that has nothing in flight', () => {
  it('waits for nothing', () => {
    const s = new Scenario()
    expect(s.recovery.deadline).toBe(Number.POSITIVE_INFINITY)
    s.at(200).send(2)
    s.at(300).ack(2)
    expect(s.recovery.deadline).toBe(Number.POSITIVE_INFINITY)
    expect(s.pipe).toBe(0)
  })
})
