import { describe, expect, it } from 'vitest'
import { LARGEST_WINDOW } from '../../../src/tcp/congestion/congestion-control.ts'
import { NewReno } from '../../../src/tcp/congestion/newreno.ts'
import { PHASE_CONSERVATIVE, PHASE_PLAIN, PHASE_WATCHED, SlowStart } from '../../../src/tcp/congestion/slow-start.ts'
import { instant } from '../../../src/tcp/segment.ts'

const MSS = 1000

function roundOf(slowStart: SlowStart, microseconds: number, samples = 8): boolean {
  for (let i = 0; i < samples; i++) slowStart.sample(microseconds)
  return slowStart.roundStart()
}

describe('HyStart++ (RFC 9406)', () => {
  it('section 4.2: grows by the bytes acknowledged, eight segments at most for each acknowledgment without pacing', () => {
    const slowStart = new SlowStart(true)
    slowStart.start()
    expect(slowStart.growth(3 * MSS, MSS)).toBe(3 * MSS)
    expect(slowStart.growth(20 * MSS, MSS)).toBe(8 * MSS)
  })

  it('section 4.2: a round trip longer by max(4 ms, min(1/8, 16 ms)) begins conservative slow start', () => {
    const cases: [number, number][] = [
      [10_000, 4000],
      [80_000, 10_000],
      [400_000, 16_000],
    ]
    for (const [base, threshold] of cases) {
      const slowStart = new SlowStart(true)
      slowStart.start()
      roundOf(slowStart, base)
      for (let i = 0; i < 8; i++) slowStart.sample(base + threshold - 1)
      expect(slowStart.phase).toBe(PHASE_WATCHED)
      slowStart.roundStart()
      // The round before is the measure now.
      for (let i = 0; i < 7; i++) slowStart.sample(base + 2 * threshold + 2000)
      expect(slowStart.phase).toBe(PHASE_WATCHED)
      slowStart.sample(base + 2 * threshold + 2000)
      expect(slowStart.phase).toBe(PHASE_CONSERVATIVE)
    }
  })

  it('section 4.2: grows by a quarter then', () => {
    const slowStart = new SlowStart(true)
    slowStart.start()
    roundOf(slowStart, 10_000)
    for (let i = 0; i < 8; i++) slowStart.sample(20_000)
    expect(slowStart.growth(4 * MSS, MSS)).toBe(MSS)
  })

  it('section 4.2: goes back when the round trip shrinks again: it was jitter', () => {
    const slowStart = new SlowStart(true)
    slowStart.start()
    roundOf(slowStart, 10_000)
    roundOf(slowStart, 20_000)
    expect(slowStart.phase).toBe(PHASE_CONSERVATIVE)
    for (let i = 0; i < 8; i++) slowStart.sample(12_000)
    expect(slowStart.phase).toBe(PHASE_WATCHED)
  })

  it('section 4.2: after five rounds slow start is over', () => {
    const slowStart = new SlowStart(true)
    slowStart.start()
    roundOf(slowStart, 10_000)
    const ends = [1, 2, 3, 4, 5].map(() => roundOf(slowStart, 20_000))
    expect(ends).toEqual([false, false, false, false, true])
  })

  it('section 4.3: fewer than eight samples a round decide nothing', () => {
    const slowStart = new SlowStart(true)
    slowStart.start()
    roundOf(slowStart, 10_000)
    for (let i = 0; i < 10; i++) roundOf(slowStart, 100_000, 7)
    expect(slowStart.phase).toBe(PHASE_WATCHED)
  })

  it('applies to the first slow start only', () => {
    const control = new NewReno(true)
    control.start(MSS, 10 * MSS, instant())
    control.timeout(10 * MSS, false, instant())
    // Plain byte counting: two segments for each acknowledgment.
    control.acknowledged(8 * MSS, -1, MSS, instant())
    expect(control.window).toBe(3 * MSS)
  })

  it('sets the threshold to the window at the end, and leaves it alone without it', () => {
    for (const hystart of [true, false]) {
      const control = new NewReno(hystart)
      control.start(MSS, 10 * MSS, instant())
      for (let round = 0; round < 8; round++) {
        const roundTrip = round === 0 ? 10_000 : 30_000
        for (let i = 0; i < 8; i++) control.acknowledged(MSS, roundTrip, control.window, instant())
        control.roundStart()
      }
      if (hystart) expect(control.slowStartThreshold).toBeLessThanOrEqual(control.window)
      else expect(control.slowStartThreshold).toBe(LARGEST_WINDOW)
    }
  })

  it('switched off: plain slow start', () => {
    const slowStart = new SlowStart(false)
    slowStart.start()
    expect(slowStart.phase).toBe(PHASE_PLAIN)
    roundOf(slowStart, 10_000)
    roundOf(slowStart, 100_000)
    expect(slowStart.phase).toBe(PHASE_PLAIN)
  })
})
