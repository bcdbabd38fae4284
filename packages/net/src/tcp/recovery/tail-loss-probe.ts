import type { Instant } from '../segment.ts'
import type { RoundTrip } from './round-trip.ts'

/** Before the first round-trip sample (RFC 8985 section 7.2). */
const UNMEASURED = 1e9

/** WCDelAckT of section 7.2: what receivers delay an acknowledgment at most, in practice. */
const WORST_DELAYED_ACK = 200e6

/** Not in the RFC: on paths of microseconds two round trips pass before a busy receiver looks at its queue. */
const LEAST_SLACK = 2e6

/** An acknowledgment and the probe have nothing to do with each other, or the probe was answered without news. */
export const PROBE_NO_NEWS = 0
/** The probe repaired a loss that nothing else showed: the window has to be reduced. */
export const PROBE_REPAIRED = 1

/**
 * Tail loss probe (RFC 8985 section 7): when the end of a flight stays unanswered for two round trips, one segment is sent, so
 * that an acknowledgment comes that RACK can work with, instead of waiting for the retransmission timer.
 */
export class TailLossProbe {
  /** When to probe, ns; `Infinity`: not scheduled. */
  due = Number.POSITIVE_INFINITY
  /** The timer fired, and the probe is to be sent. */
  isOwed = false
  /** TLP.end_seq is set: a probe is on its way, and no other may follow before it is answered. */
  isOutstanding = false
  #end = 0
  #isRetransmission = false

  clear(): void {
    this.due = Number.POSITIVE_INFINITY
    this.isOwed = false
    this.isOutstanding = false
  }

  /**
   * Section 7.2, TLP_calc_PTO; the result is in `due`. The caller moves it to the retransmission timer when that is earlier.
   * @param single only one segment is in flight: its acknowledgment may be delayed
   */
  schedule(roundTrip: RoundTrip, single: boolean, now: Instant): void {
    if (!roundTrip.isMeasured) this.due = now[0] + UNMEASURED
    else this.due = now[0] + 2 * roundTrip.smoothed + (single ? WORST_DELAYED_ACK : LEAST_SLACK)
  }

  /** Section 7.3: it was sent; `next` is SND.NXT. */
  sent(next: number, isRetransmission: boolean): void {
    this.isOwed = false
    this.isOutstanding = true
    this.#end = next
    this.#isRetransmission = isRetransmission
  }

  /** Whether a report of a duplicate that ends at `right` is the answer to a probe that was a retransmission. */
  isAnsweredBy(right: number): boolean {
    return this.isOutstanding && this.#isRetransmission && right === this.#end
  }

  /**
   * Section 7.4.2, TLP_process_ack.
   * @param reportsDuplicate it reports that the probe was received twice (`duplicateEnd`: end of what was)
   * @param isPlainDuplicate a duplicate acknowledgment without any SACK block
   */
  acknowledged(
    acknowledgment: number,
    reportsDuplicate: boolean,
    duplicateEnd: number,
    isPlainDuplicate: boolean,
  ): number {
    if (!this.isOutstanding) return PROBE_NO_NEWS
    const beyond = (acknowledgment - this.#end) | 0
    if (beyond < 0) return PROBE_NO_NEWS
    if (!this.#isRetransmission || (reportsDuplicate && duplicateEnd === this.#end)) {
      this.isOutstanding = false
      return PROBE_NO_NEWS
    }
    if (beyond > 0) {
      // More was acknowledged without a word of a duplicate: only the probe brought the end of the flight.
      this.isOutstanding = false
      return PROBE_REPAIRED
    }
    if (isPlainDuplicate) this.isOutstanding = false
    return PROBE_NO_NEWS
  }
}
