import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LARGEST_WINDOW } from '../../../src/tcp/congestion/congestion-control.ts'
import { createCongestionControl } from '../../../src/tcp/congestion/create.ts'
import { initialWindow, windowAfterLostSyn } from '../../../src/tcp/congestion/initial-window.ts'
import { NewReno } from '../../../src/tcp/congestion/newreno.ts'
import { instant } from '../../../src/tcp/segment.ts'
import { tcpSettings } from '../../../src/tcp/settings.ts'

const MSS = 1000

function reno(window: number): NewReno {
  const control = new NewReno(false)
  control.start(MSS, window, instant())
  return control
}

describe('initial window (RFC 6928)', () => {
  it('section 2: min(10 MSS, max(2 MSS, 14600))', () => {
    expect(initialWindow(1460, 10)).toBe(14_600)
    expect(initialWindow(536, 10)).toBe(5360)
    expect(initialWindow(2000, 10)).toBe(14_600)
    expect(initialWindow(9000, 10)).toBe(18_000)
    expect(initialWindow(1460, 3)).toBe(4380)
  })

  it('section 2: one segment when the SYN had to be repeated more than once', () => {
    expect(windowAfterLostSyn(1460)).toBe(1460)
  })
})

describe('NewReno (RFC 5681, RFC 3465)', () => {
  it('RFC 3465 section 2.2: slow start grows by the bytes acknowledged, two segments at most for each', () => {
    const control = reno(10 * MSS)
    control.acknowledged(500, -1, 10 * MSS, instant())
    expect(control.window).toBe(10 * MSS + 500)
    control.acknowledged(5 * MSS, -1, 10 * MSS, instant())
    expect(control.window).toBe(12 * MSS + 500)
  })

  it('RFC 3465 section 2.1: congestion avoidance grows by a segment for each window acknowledged', () => {
    const control = reno(20 * MSS)
    control.congestion(20 * MSS, instant())
    expect(control.window).toBe(10 * MSS)
    for (let i = 0; i < 9; i++) control.acknowledged(MSS, -1, 10 * MSS, instant())
    expect(control.window).toBe(10 * MSS)
    control.acknowledged(MSS, -1, 10 * MSS, instant())
    expect(control.window).toBe(11 * MSS)
    for (let i = 0; i < 11; i++) control.acknowledged(MSS, -1, 11 * MSS, instant())
    expect(control.window).toBe(12 * MSS)
  })

  it('equation 4: the threshold is half the flight, at least two segments', () => {
    const control = reno(20 * MSS)
    control.congestion(15 * MSS, instant())
    expect(control.slowStartThreshold).toBe(7500)
    control.congestion(MSS, instant())
    expect(control.slowStartThreshold).toBe(2 * MSS)
  })

  it('section 3.1: a timeout leaves one segment; a repeated one keeps the threshold', () => {
    const control = reno(20 * MSS)
    control.timeout(20 * MSS, false, instant())
    expect(control.window).toBe(MSS)
    expect(control.slowStartThreshold).toBe(10 * MSS)
    control.timeout(MSS, true, instant())
    expect(control.slowStartThreshold).toBe(10 * MSS)
  })

  it('RFC 3168 section 6.1.2: an ECN echo halves as a loss does', () => {
    const control = reno(20 * MSS)
    control.ecnReduction(20 * MSS, instant())
    expect(control.window).toBe(10 * MSS)
    expect(control.slowStartThreshold).toBe(10 * MSS)
  })

  it('RFC 4015 section 3.2: undo restores window and threshold', () => {
    const control = reno(20 * MSS)
    control.congestion(20 * MSS, instant())
    control.undo()
    expect(control.window).toBe(20 * MSS)
    expect(control.slowStartThreshold).toBe(LARGEST_WINDOW)
  })

  it('RFC 7661 section 4.2: a window that is not used does not grow', () => {
    const slow = reno(20 * MSS)
    slow.acknowledged(MSS, -1, 9 * MSS, instant())
    expect(slow.window).toBe(20 * MSS)
    const avoiding = reno(20 * MSS)
    avoiding.congestion(20 * MSS, instant())
    for (let i = 0; i < 100; i++) avoiding.acknowledged(MSS, -1, 9 * MSS, instant())
    expect(avoiding.window).toBe(10 * MSS)
  })

  it('keeps at least a segment when segments become longer', () => {
    const control = reno(MSS)
    control.mssChanged(9000)
    expect(control.window).toBe(9000)
  })
})

describe('every algorithm', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('ack' as const), bytes: fc.integer({ min: 1, max: 100_000 }) }),
    fc.record({ kind: fc.constantFrom('loss', 'timeout', 'again', 'ecn', 'undo', 'idle', 'round') }),
  )

  it.each(['cubic', 'newreno', 'none'] as const)(
    '%s: window and threshold stay whole numbers within bounds',
    (name) => {
      fc.assert(
        fc.property(fc.array(step, { maxLength: 200 }), fc.boolean(), (steps, hystart) => {
          const control = createCongestionControl(tcpSettings({ congestionControl: name, hystart }))
          const now = instant(1e9)
          control.start(MSS, 10 * MSS, now)
          for (const one of steps) {
            now[0] += 10e6
            const flight = Math.min(control.window, 1 << 20)
            if ('bytes' in one) control.acknowledged(one.bytes, 10_000, flight, now)
            else if (one.kind === 'loss') control.congestion(flight, now)
            else if (one.kind === 'timeout') control.timeout(flight, false, now)
            else if (one.kind === 'again') control.timeout(flight, true, now)
            else if (one.kind === 'ecn') control.ecnReduction(flight, now)
            else if (one.kind === 'undo') control.undo()
            else if (one.kind === 'idle') control.idle(2, 10 * MSS, now)
            else control.roundStart()
            expect(Number.isInteger(control.window)).toBe(true)
            expect(control.window).toBeGreaterThanOrEqual(MSS)
            expect(control.window).toBeLessThanOrEqual(LARGEST_WINDOW)
            expect(control.slowStartThreshold).toBeGreaterThanOrEqual(2 * MSS)
          }
        }),
        { numRuns: 60 },
      )
    },
  )
})
