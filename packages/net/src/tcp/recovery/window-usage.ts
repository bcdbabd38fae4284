import type { CongestionControl } from '../congestion/congestion-control.ts'
import type { Instant } from '../segment.ts'

/**
 * How much of the congestion window is used, round trip by round trip. A window that was not filled must not grow, since
 * nothing was learnt about the path (RFC 7661 section 4.2), and one that was not used for a while is not believed any more
 * (RFC 2861; of its successor RFC 7661 the non-validated phase is left out, because a window that is kept would be sent in one
 * burst by a sender that does not pace).
 */
export class WindowUsage {
  /** SND.NXT at the beginning of the round. */
  #roundEnd = 0
  /** Most bytes in flight in this round, and in the one before. */
  #peak = 0
  #peakBefore = 0
  /** When something was sent last, ns. */
  #lastSent = Number.NaN

  start(next: number): void {
    this.#roundEnd = next
    this.#peak = 0
    this.#peakBefore = 0
  }

  sent(inFlight: number, now: Instant): void {
    this.#lastSent = now[0]
    if (inFlight > this.#peak) this.#peak = inFlight
  }

  get peak(): number {
    return Math.max(this.#peak, this.#peakBefore)
  }

  /** @returns whether a round is over: what was in flight when it began is acknowledged */
  acknowledged(una: number, next: number, inFlight: number): boolean {
    if (((una - this.#roundEnd) | 0) < 0) return false
    this.#roundEnd = next
    this.#peakBefore = this.#peak
    this.#peak = inFlight
    return true
  }

  /** New data is about to be sent, and nothing is in flight: the window decays by the time since the last (RFC 2861). */
  restart(congestion: CongestionControl, timeout: number, restartWindow: number, now: Instant): void {
    const idle = now[0] - this.#lastSent
    if (!(idle > timeout)) return
    congestion.idle(Math.floor(idle / timeout), restartWindow, now)
    // Once for each idle time, also when nothing is sent in the end.
    this.#lastSent = now[0]
    this.#peak = 0
    this.#peakBefore = 0
  }
}
