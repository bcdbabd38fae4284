import { describe, expect, it } from 'vitest'
import { RoundTrip } from '../../../src/tcp/recovery/round-trip.ts'
import { instant } from '../../../src/tcp/segment.ts'
import { DEFAULT_TCP_SETTINGS } from '../../../src/tcp/settings.ts'

const MS = 1e6

function roundTrip(...samples: number[]): RoundTrip {
  const estimate = new RoundTrip(DEFAULT_TCP_SETTINGS)
  for (const sample of samples) estimate.absorb(instant(sample * MS), 1)
  return estimate
}

describe('round trip and retransmission timeout (RFC 6298)', () => {
  it('section 2.1: the initial timeout is a second', () => {
    expect(roundTrip().timeout).toBe(1000 * MS)
  })

  it('section 2.2: the first sample R gives SRTT = R, RTTVAR = R/2', () => {
    const estimate = roundTrip(300)
    expect(estimate.smoothed).toBe(300 * MS)
    expect(estimate.variation).toBe(150 * MS)
    expect(estimate.timeout).toBe(900 * MS)
  })

  it('section 2.3: later samples with gains 1/8 and 1/4, RTTVAR from the SRTT before', () => {
    const estimate = roundTrip(100, 200)
    expect(estimate.variation).toBeCloseTo(0.75 * 50 * MS + 0.25 * 100 * MS, 3)
    expect(estimate.smoothed).toBeCloseTo(112.5 * MS, 3)
    expect(estimate.timeout).toBeCloseTo((112.5 + 4 * 62.5) * MS, 3)
  })

  it('section 2.3: the least timeout stands in the place of the granularity G', () => {
    const estimate = roundTrip(...Array<number>(100).fill(100))
    expect(estimate.timeout / MS).toBeCloseTo(300, 3)
  })

  it('section 2.5: bounded by the longest timeout', () => {
    expect(roundTrip(50_000).timeout).toBe(60_000 * MS)
  })

  it('section 5.5: each expiry doubles it, and a new sample ends that', () => {
    const estimate = roundTrip(100)
    for (let i = 0; i < 3; i++) estimate.backOff()
    expect(estimate.timeout).toBe(8 * 300 * MS)
    for (let i = 0; i < 27; i++) estimate.backOff()
    expect(estimate.timeout).toBe(60_000 * MS)
    estimate.absorb(instant(100 * MS), 1)
    expect(estimate.timeout).toBeLessThan(301 * MS)
  })

  it('section 5.7: after a repeated SYN data starts with three seconds', () => {
    const estimate = roundTrip()
    estimate.backOff()
    estimate.backOff()
    estimate.synWasRepeated()
    expect(estimate.timeout).toBe(3000 * MS)
  })

  it('RFC 7323 section 4.2: many samples a round trip do not shorten the memory', () => {
    const once = roundTrip(100)
    once.absorb(instant(200 * MS), 1)
    const often = roundTrip(100)
    for (let i = 0; i < 10; i++) often.absorb(instant(200 * MS), 10)
    expect(Math.abs(often.smoothed - once.smoothed)).toBeLessThan(MS)
  })

  it('RFC 4015 section 3.3: after a spurious timeout the estimate covers the delay', () => {
    const estimate = roundTrip(100)
    estimate.wasPremature(instant(2000 * MS))
    expect(estimate.smoothed).toBe(2000 * MS)
    expect(estimate.variation).toBe(1000 * MS)
  })

  it('RFC 8985 section 6.2 step 1: the minimum forgets after ten minutes', () => {
    const estimate = roundTrip(100)
    const now = instant(0)
    const observe = (at: number, ms: number) => {
      now[0] = at * 1e9
      estimate.observeMinimum(instant(ms * MS), now)
    }
    observe(0, 50)
    observe(10, 80)
    expect(estimate.minimum).toBe(50 * MS)
    for (let second = 20; second < 700; second += 10) observe(second, 80)
    expect(estimate.minimum).toBe(80 * MS)
  })
})
