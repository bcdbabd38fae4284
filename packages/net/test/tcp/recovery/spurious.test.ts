import { describe, expect, it } from 'vitest'
import { LARGEST_WINDOW } from '../../../src/tcp/congestion/congestion-control.ts'
import { EXPIRED_TIMEOUT, PHASE_LOSS, PHASE_OPEN, PHASE_RECOVERY } from '../../../src/tcp/recovery/loss-recovery.ts'
import { warm } from './support/scenario.ts'

const NO_PROBE = { tailLossProbe: false }
const STAMPS = { timestamps: true }

describe('F-RTO (RFC 5682)', () => {
  it('section 2 step 2b: after the first acknowledgment two new segments, nothing again', () => {
    const s = warm(6, NO_PROBE)
    s.at(200).send(6)
    expect(s.expire()).toBe(EXPIRED_TIMEOUT)
    expect(s.resend()).toEqual([0])
    s.at(601).ack(1)
    expect(s.recovery.nextRetransmission(s.next, true)).toBe(false)
    expect(s.fill()).toBe(2)
    expect(s.recovery.nextRetransmission(s.next, true)).toBe(false)
  })

  it('section 3 step 3b: data that was sent once only is acknowledged: spurious, and undone', () => {
    const s = warm(6, NO_PROBE)
    s.at(200).send(6)
    s.expire()
    s.resend()
    s.at(501).ack(1) // late acknowledgments of the first transmissions
    s.fill()
    s.at(502).ack(2)
    expect(s.recovery.undone).toBe(1)
    expect(s.recovery.phase).toBe(PHASE_OPEN)
    expect(s.window).toBeGreaterThanOrEqual(6)
    expect(s.congestion.slowStartThreshold).toBe(LARGEST_WINDOW)
    expect(s.resend()).toEqual([])
    expect(s.recovery.records.lostBytes).toBe(0)
  })

  it('section 2 step 3a: a duplicate says that the loss was real', () => {
    const s = warm(6, NO_PROBE)
    s.at(200).send(6)
    s.expire()
    s.resend()
    s.at(601).ack(1)
    expect(s.fill()).toBe(2)
    s.at(702).ack(1, { sack: [[6, 7]] })
    expect(s.recovery.phase).toBe(PHASE_LOSS)
    expect(s.resend()[0]).toBe(1)
    expect(s.recovery.undone).toBe(0)
  })

  it('section 2 step 2: without new data it is the conventional recovery', () => {
    const s = warm(6, NO_PROBE)
    s.at(200).send(6)
    s.expire()
    s.resend()
    s.at(601).ack(1)
    expect(s.resend()).toEqual([1, 2])
  })

  it('without SACK: what was acknowledged together with a retransmission proves nothing', () => {
    const s = warm(6, NO_PROBE, { sack: false })
    s.at(200).send(6)
    s.expire()
    s.resend()
    s.at(601).ack(4)
    expect(s.recovery.undone).toBe(0)
    expect(s.recovery.phase).toBe(PHASE_LOSS)
  })
})

describe('Eifel (RFC 3522, RFC 4015)', () => {
  it('RFC 3522 section 3.2: an echo older than the retransmission undoes a timeout', () => {
    const s = warm(6, NO_PROBE, STAMPS)
    s.at(200).send(6)
    s.expire() // 500
    s.resend()
    s.at(550).ack(1, { echo: 200 })
    expect(s.recovery.undone).toBe(1)
    expect(s.recovery.phase).toBe(PHASE_OPEN)
    expect(s.window).toBeGreaterThanOrEqual(6)
  })

  it('RFC 3522 section 3.2: an echo of the retransmission does not', () => {
    const s = warm(6, NO_PROBE, STAMPS)
    s.at(200).send(6)
    s.expire()
    s.resend()
    s.at(601).ack(1, { echo: 500 })
    expect(s.recovery.undone).toBe(0)
    expect(s.recovery.phase).toBe(PHASE_LOSS)
  })

  it('undoes a fast retransmit that was reordering', () => {
    const s = warm(20, {}, STAMPS)
    s.at(200).send(10)
    s.at(300).ack(0, { sack: [[1, 5]], echo: 200 })
    expect(s.resend()).toEqual([0])
    const before = s.threshold
    s.at(305).ack(5, { echo: 200 })
    expect(s.recovery.undone).toBe(1)
    expect(s.window).toBeGreaterThanOrEqual(20)
    expect(s.threshold).toBeGreaterThan(before)
  })

  it('decides with the segment that was sent again first, not with another that was late', () => {
    const s = warm(20, {}, STAMPS)
    s.at(200).send(10)
    s.at(300).ack(1, { sack: [[2, 6]], echo: 200 })
    expect(s.resend()).toEqual([1])
    s.at(320).ack(1, { sack: [[2, 10]], echo: 200 })
    s.at(401).ack(10, { echo: 300 })
    expect(s.recovery.undone).toBe(0)
  })

  it('RFC 4015 section 3.3: the timeout adapts to the delay that was not waited for', () => {
    const s = warm(6, NO_PROBE, STAMPS)
    s.at(200).send(6)
    s.expire()
    s.resend()
    s.at(1100).ack(1, { echo: 200 })
    expect(s.recovery.smoothedRtt / 1e6).toBeGreaterThanOrEqual(900)
  })
})

describe('undo by reported duplicates (RFC 2883, RFC 3708)', () => {
  it('when everything that was sent again arrived twice, the reduction is undone', () => {
    const s = warm(20)
    s.at(200).send(10)
    s.at(300).ack(0, { sack: [[1, 4]] })
    expect(s.resend()).toEqual([0])
    s.at(310).ack(10)
    expect(s.recovery.phase).toBe(PHASE_OPEN)
    expect(s.window).toBeLessThanOrEqual(6)
    s.at(400).ack(10, { sack: [[0, 1]] })
    expect(s.recovery.undone).toBe(1)
    expect(s.window).toBeGreaterThanOrEqual(20)
  })

  it('not when only some did', () => {
    const s = warm(20)
    s.at(200).send(10)
    s.at(300).ack(0, { sack: [[1, 5]] })
    expect(s.resend()).toEqual([0])
    s.at(301).ack(0, {
      sack: [
        [6, 9],
        [1, 5],
      ],
    })
    s.resend()
    s.expire()
    expect(s.recovery.retransmissions).toBeGreaterThanOrEqual(2)
    s.at(410).ack(10, { sack: [[0, 1]] })
    expect(s.recovery.undone).toBe(0)
  })

  it('a duplicate that the network made undoes nothing', () => {
    const s = warm(20)
    s.at(200).send(10)
    s.at(300).ack(3)
    s.at(301).ack(3, { sack: [[0, 1]] })
    expect(s.recovery.undone).toBe(0)
    expect(s.recovery.reordering.isSeen).toBe(false)
  })

  it('switched off: nothing is undone', () => {
    const s = warm(20, { undo: false })
    s.at(200).send(10)
    s.at(300).ack(0, { sack: [[1, 4]] })
    s.resend()
    s.at(310).ack(10)
    s.at(400).ack(10, { sack: [[0, 1]] })
    expect(s.recovery.undone).toBe(0)
    expect(s.window).toBeLessThanOrEqual(6)
  })
})

describe('ECN response (RFC 3168)', () => {
  it('section 6.1.2: one reduction for each window of data, and CWR is owed', () => {
    const s = warm(20)
    s.at(200).send(20)
    s.at(300).ack(2)
    s.recovery.ecnEcho(s.now)
    expect(s.recovery.owesCwr).toBe(true)
    expect(s.threshold).toBe(10)
    s.recovery.owesCwr = false
    for (let i = 4; i < 20; i += 2) {
      s.at(300 + i).ack(i)
      s.recovery.ecnEcho(s.now)
    }
    expect(s.threshold).toBe(10)
    expect(s.recovery.owesCwr).toBe(false)
    s.at(350).ack(20)
    expect(s.window).toBe(10)
    s.send(10)
    s.at(450).ack(22)
    s.recovery.ecnEcho(s.now)
    expect(s.threshold).toBe(5)
  })

  it('section 6.1.2: a loss in the same window is not another reason', () => {
    const s = warm(20)
    s.at(200).send(20)
    s.at(300).ack(2)
    s.recovery.ecnEcho(s.now)
    s.at(301).ack(2, { sack: [[3, 8]] })
    expect(s.recovery.phase).toBe(PHASE_RECOVERY)
    expect(s.threshold).toBe(10)
  })

  it('section 6.1.2: CWR is owed for a loss too', () => {
    const s = warm(20)
    s.at(200).send(20)
    s.at(300).ack(0, { sack: [[1, 5]] })
    expect(s.recovery.owesCwr).toBe(true)
  })
})
