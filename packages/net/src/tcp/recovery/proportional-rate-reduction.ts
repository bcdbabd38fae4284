/**
 * Proportional Rate Reduction (RFC 6937, with the slow start reduction bound chosen by progress as in RFC 9937): spreads a
 * reduction of the window over the round trip, so that the flight ends at the threshold without a pause or a burst. All in bytes.
 */
export class ProportionalRateReduction {
  /** Flight that the reduction is measured against. */
  #recoverFlight = 1
  #threshold = 0
  #delivered = 0
  #sent = 0

  /**
   * RFC 9937 section 6, entry.
   * @param flight SND.NXT - SND.UNA now
   * @param sackedBefore bytes of it that were sacked before this acknowledgment: they will not count as delivered later
   * @param acked bytes that this acknowledgment took off the flight
   */
  start(flight: number, sackedBefore: number, acked: number, threshold: number): void {
    const recoverFlight = flight - sackedBefore + acked
    this.#recoverFlight = recoverFlight > 0 ? recoverFlight : 1
    this.#threshold = threshold
    this.#delivered = 0
    this.#sent = 0
  }

  /**
   * What may be sent now, in bytes, beyond `pipe`.
   * @param delivered bytes newly acknowledged or sacked by this acknowledgment
   * @param isSafe SND.UNA advanced, and no further loss showed
   */
  acknowledged(delivered: number, pipe: number, isSafe: boolean, mss: number): number {
    this.#delivered += delivered
    const threshold = this.#threshold
    let allowed: number
    if (pipe > threshold) {
      allowed = (Math.ceil((this.#delivered * threshold) / this.#recoverFlight) | 0) - this.#sent
    } else {
      // Packet conservation, and a segment more while recovery goes well.
      allowed = Math.max(this.#delivered - this.#sent, delivered)
      if (isSafe) allowed += mss
      if (allowed > threshold - pipe) allowed = threshold - pipe
    }
    // The first retransmission goes out at once.
    if (this.#sent === 0 && allowed < mss) allowed = mss
    return Math.max(allowed, 0)
  }

  sent(bytes: number): void {
    this.#sent += bytes
  }
}
