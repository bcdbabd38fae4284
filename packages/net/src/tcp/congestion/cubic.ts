import type { Instant } from '../segment.ts'
import { type CongestionControl, LARGEST_WINDOW } from './congestion-control.ts'
import { SlowStart } from './slow-start.ts'

/** RFC 9438 section 4.6 and section 5: multiplicative decrease, and the constant of the cubic in segments per cubic second. */
export const CUBIC_BETA = 0.7
export const CUBIC_C = 0.4
/** Section 4.3: additive increase that is as aggressive as Reno's with this decrease. */
export const CUBIC_ALPHA = (3 * (1 - CUBIC_BETA)) / (1 + CUBIC_BETA)

const UNSET = Number.NaN

/** What a reduction changed, for `undo`; made by the first reduction. */
class Before {
  window = 0
  threshold = 0
  plateau = 0
  reach = UNSET
  epoch = UNSET
  reno = UNSET
  prior = 0
}

/**
 * CUBIC (RFC 9438). After a reduction the window follows a cubic of the time since: steep at first, flat around the window
 * where loss came last, steep again beyond; but never below what Reno would have. All in bytes, times in seconds.
 */
export class Cubic implements CongestionControl {
  readonly name = 'cubic'
  window = 0
  slowStartThreshold = LARGEST_WINDOW
  readonly #hystart: boolean
  /** Made by the first acknowledgment of data: a connection that only waits needs none. */
  #growth: SlowStart | undefined = undefined
  #mss = 0

  /** W_max: window where the plateau lies. 0: as at the beginning of congestion avoidance. */
  #plateau = 0
  /** K: seconds from the beginning of the epoch to the plateau. */
  #reach = UNSET
  /** Beginning of this congestion avoidance, ns; `UNSET` between a reduction and the next growth. */
  #epoch = UNSET
  /** W_est: what Reno would have. */
  #reno = UNSET
  /** cwnd_prior: window before the last reduction; 0 before the first. */
  #prior = 0
  /** Fraction of a byte that the window did not grow yet. */
  #remainder = 0.5
  #lastAcknowledged = UNSET
  /** Last round trip in us. */
  #roundTrip = 0
  #before: Before | undefined = undefined
  constructor(hystart: boolean) {
    this.#hystart = hystart
  }

  get #slowStart(): SlowStart {
    if (this.#growth === undefined) {
      this.#growth = new SlowStart(this.#hystart)
      this.#growth.start()
    }
    return this.#growth
  }

  start(mss: number, window: number, now: Instant): void {
    this.#mss = mss
    this.window = window
    this.slowStartThreshold = LARGEST_WINDOW
    this.#plateau = 0
    this.#reach = UNSET
    this.#epoch = UNSET
    this.#reno = UNSET
    this.#prior = 0
    this.#remainder = 0
    this.#lastAcknowledged = now[0]
    this.#roundTrip = 0
    this.#before = undefined
    this.#growth = undefined
  }

  acknowledged(bytes: number, sample: number, inFlight: number, now: Instant): void {
    const { window } = this
    const silence = now[0] - this.#lastAcknowledged
    this.#lastAcknowledged = now[0]
    if (sample >= 0) this.#roundTrip = sample
    if (window < this.slowStartThreshold) {
      this.#slowStart.sample(sample)
      // A window of which half was enough says nothing about the path (RFC 7661 section 4.2).
      if (2 * inFlight <= window) return
      this.window = Math.min(window + this.#slowStart.growth(bytes, this.#mss), LARGEST_WINDOW)
      return
    }
    if (inFlight + this.#mss <= window) {
      // Section 5.8: the window was not the limit; it does not grow, and the time does not count.
      this.#epoch += silence
      return
    }
    this.#avoidCongestion(bytes, now)
  }

  /** Sections 4.2 to 4.5. */
  #avoidCongestion(bytes: number, now: Instant): void {
    const { window } = this
    if (!(this.#epoch >= 0)) this.#beginEpoch(now)
    const elapsed = (now[0] - this.#epoch) * 1e-9
    const cubicFactor = CUBIC_C * this.#mss

    // Section 4.3: as Reno once the window before the reduction is reached again.
    const alpha = this.#reno < this.#prior ? CUBIC_ALPHA : 1
    this.#reno += (alpha * bytes * this.#mss) / window

    const offset = elapsed - this.#reach
    const cubic = cubicFactor * offset * offset * offset + this.#plateau
    if (cubic < this.#reno) {
      // Reno-friendly region.
      if (this.#reno > window) this.window = Math.min(this.#reno, LARGEST_WINDOW) | 0
      return
    }
    // Concave (section 4.4) and convex (section 4.5) regions: towards where the cubic is a round trip from now.
    const ahead = offset + this.#roundTrip * 1e-6
    let target = cubicFactor * ahead * ahead * ahead + this.#plateau
    if (target < window) target = window
    else if (target > 1.5 * window) target = 1.5 * window
    const growth = ((target - window) * bytes) / window + this.#remainder
    const whole = growth | 0
    this.#remainder = growth - whole
    this.window = Math.min(window + whole, LARGEST_WINDOW)
  }

  #beginEpoch(now: Instant): void {
    const { window } = this
    this.#epoch = now[0]
    this.#reno = window
    this.#remainder = 0
    if (this.#plateau > window) {
      this.#reach = Math.cbrt((this.#plateau - window) / (CUBIC_C * this.#mss))
      return
    }
    // Section 4.8 after a timeout, and wherever the plateau is behind: the epoch starts on it.
    this.#reach = 0
    this.#plateau = window
    if (this.#prior === 0) this.#prior = window
  }

  roundStart(): void {
    if (!this.#slowStart.roundStart()) return
    this.slowStartThreshold = this.window
    this.#slowStart.end()
  }

  congestion(flight: number, _now: Instant): void {
    this.#remember()
    this.#reduce(flight)
    this.window = this.slowStartThreshold
  }

  timeout(flight: number, again: boolean, _now: Instant): void {
    if (!again) {
      this.#remember()
      this.#reduce(flight)
      // Section 4.8: the first congestion avoidance after it starts on its plateau.
      this.#plateau = 0
    }
    this.window = this.#mss
  }

  ecnReduction(flight: number, _now: Instant): void {
    this.#remember()
    this.#reduce(flight)
    this.window = this.slowStartThreshold
  }

  /** Section 4.9.1. */
  undo(): void {
    const before = this.#before
    if (before === undefined) return
    this.window = Math.max(this.window, before.window)
    this.slowStartThreshold = Math.max(this.slowStartThreshold, before.threshold)
    this.#plateau = before.plateau
    this.#reach = before.reach
    this.#epoch = before.epoch
    this.#reno = before.reno
    this.#prior = before.prior
  }

  idle(timeouts: number, restartWindow: number, now: Instant): void {
    this.slowStartThreshold = Math.max(this.slowStartThreshold, (this.window * 3) >> 2)
    const halved = this.window >> Math.min(timeouts, 30)
    this.window = Math.max(Math.min(restartWindow, this.window), halved)
    this.#epoch = UNSET
    this.#lastAcknowledged = now[0]
  }

  mssChanged(mss: number): void {
    this.#mss = mss
    if (this.window < mss) this.window = mss
  }

  #remember(): void {
    this.#before ??= new Before()
    const before = this.#before
    before.window = this.window
    before.threshold = this.slowStartThreshold
    before.plateau = this.#plateau
    before.reach = this.#reach
    before.epoch = this.#epoch
    before.reno = this.#reno
    before.prior = this.#prior
  }

  /** Sections 4.6 and 4.7. */
  #reduce(flight: number): void {
    const { window } = this
    // Fast convergence: the plateau was not reached again, so others need room.
    this.#plateau = window < this.#plateau ? ((window * (1 + CUBIC_BETA)) / 2) | 0 : window
    this.#prior = window
    this.#epoch = UNSET
    this.slowStartThreshold = Math.max((flight * CUBIC_BETA) | 0, 2 * this.#mss)
    this.#slowStart.end()
  }
}
