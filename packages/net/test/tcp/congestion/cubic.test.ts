import { describe, expect, it } from 'vitest'
import { LARGEST_WINDOW } from '../../../src/tcp/congestion/congestion-control.ts'
import { CUBIC_ALPHA, CUBIC_BETA, CUBIC_C, Cubic } from '../../../src/tcp/congestion/cubic.ts'
import { type Instant, instant } from '../../../src/tcp/segment.ts'

const MSS = 1000
const SECOND = 1e9

/** A connection in congestion avoidance after one loss at `window` bytes. */
function afterLoss(window: number, now: Instant, flight = window): Cubic {
  const cubic = new Cubic(false)
  cubic.start(MSS, window, now)
  cubic.congestion(flight, now)
  return cubic
}

/** A round trip of acknowledgments, one for each segment of the window as it was; all at the same time. */
function round(cubic: Cubic, now: Instant, roundTrip: number): void {
  now[0] += roundTrip * SECOND
  const segments = Math.floor(cubic.window / MSS)
  for (let i = 0; i < segments; i++) cubic.acknowledged(MSS, roundTrip * 1e6, cubic.window, now)
}

describe('CUBIC (RFC 9438)', () => {
  it('section 4.6: the threshold is 0.7 of the flight, and at least two segments', () => {
    const now = instant(SECOND)
    expect(afterLoss(100 * MSS, now).slowStartThreshold).toBe(70 * MSS)
    expect(afterLoss(100 * MSS, now).window).toBe(70 * MSS)
    expect(afterLoss(100 * MSS, now, 50 * MSS).slowStartThreshold).toBe(35 * MSS)
    expect(afterLoss(2 * MSS, now).slowStartThreshold).toBe(2 * MSS)
  })

  it('section 4.2: the concave and convex regions follow C (t - K)^3 + W_max', () => {
    // A long round trip, so that the cubic is ahead of Reno: 100 ms at 1000 segments.
    const now = instant(SECOND)
    const peak = 1000 * MSS
    const cubic = afterLoss(peak, now)
    const start = cubic.window
    cubic.acknowledged(MSS, 100_000, cubic.window, now) // the epoch begins
    const epoch = now[0]
    const reach = Math.cbrt((peak - start) / MSS / CUBIC_C)
    expect(reach).toBeCloseTo(9.0856, 3)
    let compared = 0
    for (let i = 0; i < 150; i++) {
      round(cubic, now, 0.1)
      const t = (now[0] - epoch) / SECOND
      // Acknowledgments of a whole round came at t with the target of t + RTT: the window is where the cubic is between both.
      const low = CUBIC_C * (t - reach) ** 3 * MSS + peak
      const high = CUBIC_C * (t + 0.1 - reach) ** 3 * MSS + peak
      expect(cubic.window).toBeGreaterThan(low - 2 * MSS)
      expect(cubic.window).toBeLessThan(high + 2 * MSS)
      compared++
    }
    expect(compared).toBe(150)
    expect(cubic.window).toBeGreaterThan(peak) // beyond the plateau: convex
  })

  it('section 4.4 and 4.5: the target is at most half a window more, and never less than the window', () => {
    const now = instant(SECOND)
    const cubic = afterLoss(100 * MSS, now)
    cubic.acknowledged(MSS, 100_000, cubic.window, now)
    now[0] += 1000 * SECOND // far beyond the plateau: the cubic itself would be astronomical
    const before = cubic.window
    cubic.acknowledged(before, 100_000, before, now)
    expect(cubic.window).toBeLessThanOrEqual(Math.floor(1.5 * before) + 1)
    expect(cubic.window).toBeGreaterThan(before)
  })

  it('section 4.3: with a short round trip the window grows as Reno with alpha = 3 (1 - beta) / (1 + beta)', () => {
    expect(CUBIC_ALPHA).toBeCloseTo(0.5294, 4)
    const now = instant(SECOND)
    const cubic = afterLoss(100 * MSS, now)
    const rounds = 20
    let estimate = cubic.window
    for (let i = 0; i < rounds; i++) {
      const segments = Math.floor(cubic.window / MSS)
      now[0] += 0.001 * SECOND
      for (let j = 0; j < segments; j++) {
        estimate += (CUBIC_ALPHA * MSS * MSS) / cubic.window
        cubic.acknowledged(MSS, 1000, cubic.window, now)
      }
    }
    expect(Math.abs(cubic.window - estimate)).toBeLessThan(MSS)
    // About alpha segments a round trip.
    expect((cubic.window - 70 * MSS) / MSS / rounds).toBeCloseTo(CUBIC_ALPHA, 1)
  })

  it('section 4.3: once Reno would be back where it was, alpha is 1', () => {
    const now = instant(SECOND)
    const cubic = afterLoss(20 * MSS, now)
    while (cubic.window < 20 * MSS) round(cubic, now, 0.001)
    const before = cubic.window
    for (let i = 0; i < 10; i++) round(cubic, now, 0.001)
    expect((cubic.window - before) / MSS / 10).toBeCloseTo(1, 1)
  })

  it('section 4.7: fast convergence lowers the plateau when it was not reached again', () => {
    const now = instant(SECOND)
    const cubic = afterLoss(1000 * MSS, now)
    cubic.acknowledged(MSS, 100_000, cubic.window, now)
    const window = cubic.window // still below the plateau of 1000
    cubic.congestion(window, now)
    cubic.acknowledged(MSS, 100_000, cubic.window, now)
    // K tells where the plateau is: window * (1 + beta) / 2, so the cubic reaches it after cbrt((plateau - start) / C).
    const plateau = (window * (1 + CUBIC_BETA)) / 2
    const start = Math.floor(window * CUBIC_BETA)
    const reach = Math.cbrt((plateau - start) / MSS / CUBIC_C)
    const epoch = now[0]
    while ((now[0] - epoch) / SECOND < reach) round(cubic, now, 0.1)
    expect(Math.abs(cubic.window - plateau)).toBeLessThan(3 * MSS)
  })

  it('section 4.8: after a timeout the window is one segment, and congestion avoidance starts on its plateau', () => {
    const now = instant(SECOND)
    const cubic = new Cubic(false)
    cubic.start(MSS, 100 * MSS, now)
    cubic.timeout(100 * MSS, false, now)
    expect(cubic.window).toBe(MSS)
    expect(cubic.slowStartThreshold).toBe(70 * MSS)
    while (cubic.window < cubic.slowStartThreshold) round(cubic, now, 0.1)
    const start = cubic.window
    cubic.acknowledged(MSS, 100_000, cubic.window, now)
    const epoch = now[0]
    for (let i = 0; i < 60; i++) round(cubic, now, 0.1)
    const t = (now[0] - epoch) / SECOND
    // K = 0 and W_max = window: C t^3 above it.
    expect(Math.abs(cubic.window - (start + CUBIC_C * t ** 3 * MSS))).toBeLessThan(0.06 * cubic.window)
  })

  it('RFC 5681 section 3.1: a repeated timeout of the same segment leaves the threshold', () => {
    const now = instant(SECOND)
    const cubic = new Cubic(false)
    cubic.start(MSS, 100 * MSS, now)
    cubic.timeout(100 * MSS, false, now)
    cubic.timeout(MSS, true, now)
    expect(cubic.slowStartThreshold).toBe(70 * MSS)
  })

  it('section 4.9.1: undo restores window, threshold and the place on the cubic', () => {
    const now = instant(SECOND)
    const undone = afterLoss(1000 * MSS, now)
    const untouched = afterLoss(1000 * MSS, now)
    for (const cubic of [undone, untouched]) cubic.acknowledged(MSS, 100_000, cubic.window, now)
    undone.congestion(undone.window, now)
    undone.undo()
    expect(undone.window).toBe(untouched.window)
    expect(undone.slowStartThreshold).toBe(untouched.slowStartThreshold)
    const second = instant(now[0])
    for (let i = 0; i < 50; i++) {
      round(undone, now, 0.1)
      round(untouched, second, 0.1)
    }
    expect(undone.window).toBe(untouched.window)
  })

  it('section 5.8: a window that is not used does not grow, and the time does not count', () => {
    const now = instant(SECOND)
    const cubic = afterLoss(1000 * MSS, now)
    cubic.acknowledged(MSS, 100_000, cubic.window, now)
    const before = cubic.window
    for (let i = 0; i < 100; i++) {
      now[0] += 0.1 * SECOND
      cubic.acknowledged(MSS, 100_000, 10 * MSS, now)
    }
    expect(cubic.window).toBe(before)
    // Ten seconds passed, yet growth goes on from where it was, not from beyond the plateau.
    round(cubic, now, 0.1)
    expect(cubic.window - before).toBeLessThan(20 * MSS)
  })

  it('RFC 2861: idle halves the window for each timeout, down to the restart window, and keeps 3/4 as threshold', () => {
    const now = instant(SECOND)
    const cubic = new Cubic(false)
    cubic.start(MSS, 80 * MSS, now)
    cubic.congestion(80 * MSS, now)
    cubic.idle(1, 10 * MSS, now)
    expect(cubic.window).toBe(28 * MSS)
    expect(cubic.slowStartThreshold).toBe(56 * MSS)
    cubic.idle(40, 10 * MSS, now)
    expect(cubic.window).toBe(10 * MSS)
  })

  it('never exceeds what a window can announce', () => {
    const now = instant(SECOND)
    const cubic = new Cubic(false)
    cubic.start(MSS, LARGEST_WINDOW - 10, now)
    for (let i = 0; i < 10; i++) cubic.acknowledged(2 * MSS, 1000, cubic.window, now)
    expect(cubic.window).toBe(LARGEST_WINDOW)
  })
})
