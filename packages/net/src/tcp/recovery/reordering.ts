import type { RoundTrip } from './round-trip.ts'

/** Segments sacked from which on reordering is not waited for while none was seen (RFC 8985 section 6.2 step 4). */
const DUPLICATES = 3
/** Recoveries for which a wider window is kept after a duplicate was reported. */
const PERSISTENCE = 16

/**
 * How much reordering the path is given credit for (RFC 8985 section 6.2 step 4): none at first when there is other evidence
 * of loss, a quarter of the least round trip, and more when retransmissions prove superfluous.
 */
export class Reordering {
  isSeen = false
  /** RACK.reo_wnd_mult and RACK.reo_wnd_persist. */
  #multiplier = 1
  #persist = PERSISTENCE
  /** RACK.dsack_round: widened in this round; over when SND.UNA passes `#widenedUntil`. */
  #isWidened = false
  #widenedUntil = 0

  /** Something was sent again for nothing (RFC 2883). Counts once a round trip. */
  duplicateReported(una: number, next: number): void {
    if (this.#isWidened && ((una - this.#widenedUntil) | 0) < 0) return
    this.#isWidened = true
    this.#widenedUntil = next
    this.#multiplier++
    this.#persist = PERSISTENCE
  }

  /** A recovery ended. */
  recovered(): void {
    if (--this.#persist > 0) return
    this.#multiplier = 1
    this.#persist = PERSISTENCE
  }

  /** RACK.reo_wnd now, ns. */
  window(inRecovery: boolean, sackedCount: number, roundTrip: RoundTrip): number {
    if (!this.isSeen && (inRecovery || sackedCount >= DUPLICATES)) return 0
    if (!roundTrip.isMeasured) return 0
    return Math.min((this.#multiplier * roundTrip.minimum) / 4, roundTrip.smoothed)
  }
}
