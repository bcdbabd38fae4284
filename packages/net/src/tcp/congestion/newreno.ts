import type { Instant } from '../segment.ts'
import { type CongestionControl, LARGEST_WINDOW } from './congestion-control.ts'
import { SlowStart } from './slow-start.ts'

/** The standard congestion control: slow start and congestion avoidance of RFC 5681, byte counting of RFC 3465. */
export class NewReno implements CongestionControl {
  readonly name = 'newreno'
  window = 0
  slowStartThreshold = LARGEST_WINDOW
  readonly #slowStart: SlowStart
  #mss = 0
  /** Bytes acknowledged in congestion avoidance since the window grew last. */
  #counted = 0
  #windowBefore = 0
  #thresholdBefore = LARGEST_WINDOW

  constructor(hystart: boolean) {
    this.#slowStart = new SlowStart(hystart)
  }

  start(mss: number, window: number, _now: Instant): void {
    this.#mss = mss
    this.window = window
    this.slowStartThreshold = LARGEST_WINDOW
    this.#counted = 0
    this.#windowBefore = window
    this.#thresholdBefore = LARGEST_WINDOW
    this.#slowStart.start()
  }

  acknowledged(bytes: number, sample: number, inFlight: number, _now: Instant): void {
    const { window } = this
    const mss = this.#mss
    if (window < this.slowStartThreshold) {
      this.#slowStart.sample(sample)
      // A window of which half was enough says nothing about the path (RFC 7661 section 4.2).
      if (2 * inFlight <= window) return
      this.window = Math.min(window + this.#slowStart.growth(bytes, mss), LARGEST_WINDOW)
      return
    }
    if (inFlight + mss <= window) return
    // RFC 3465 section 2.1: a segment for each window acknowledged.
    this.#counted += bytes
    if (this.#counted < window) return
    this.#counted -= window
    this.window = Math.min(window + mss, LARGEST_WINDOW)
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
    }
    this.window = this.#mss
  }

  ecnReduction(flight: number, _now: Instant): void {
    this.#remember()
    this.#reduce(flight)
    this.window = this.slowStartThreshold
  }

  undo(): void {
    this.window = Math.max(this.window, this.#windowBefore)
    this.slowStartThreshold = Math.max(this.slowStartThreshold, this.#thresholdBefore)
  }

  idle(timeouts: number, restartWindow: number, _now: Instant): void {
    this.slowStartThreshold = Math.max(this.slowStartThreshold, (this.window * 3) >> 2)
    const halved = this.window >> Math.min(timeouts, 30)
    this.window = Math.max(Math.min(restartWindow, this.window), halved)
    this.#counted = 0
  }

  mssChanged(mss: number): void {
    this.#mss = mss
    if (this.window < mss) this.window = mss
  }

  #remember(): void {
    this.#windowBefore = this.window
    this.#thresholdBefore = this.slowStartThreshold
  }

  /** RFC 5681 equation 4. */
  #reduce(flight: number): void {
    this.slowStartThreshold = Math.max(flight >> 1, 2 * this.#mss)
    this.#counted = 0
    this.#slowStart.end()
  }
}
