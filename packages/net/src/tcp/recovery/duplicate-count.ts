/** DupThresh (RFC 5681 section 3.2). */
const THRESHOLD = 3

/**
 * Duplicate acknowledgments in a row. Without SACK each says that a segment left the network, though not which: `bytes` is
 * what they took out of the pipe, in the place of RFC 5681's inflated window, so that limited transmit (RFC 3042) and PRR work
 * the same way with and without SACK.
 */
export class DuplicateCount {
  readonly threshold = THRESHOLD
  count = 0
  bytes = 0

  clear(): void {
    this.count = 0
    this.bytes = 0
  }

  /** With SACK: only counts. */
  counted(advanced: boolean, isDuplicate: boolean): number {
    if (advanced) this.count = 0
    else if (isDuplicate) this.count++
    return this.count
  }

  /**
   * Without SACK.
   * @param flight bytes in flight after the acknowledgment
   * @returns bytes that it delivered (RFC 9937 section 6.2: a segment for each duplicate, taken off what is acknowledged later)
   */
  acknowledged(acked: number, isDuplicate: boolean, flight: number, mss: number): number {
    if (acked > 0) {
      const before = this.bytes
      // RFC 6582 section 3.2 step 3: the window is deflated by what was acknowledged, less the segment that filled the hole.
      this.bytes = Math.max(0, before - Math.max(0, acked - mss))
      if (this.bytes > flight) this.bytes = flight
      this.count = 0
      return Math.max(0, acked - before)
    }
    if (!isDuplicate) return 0
    this.count++
    // There cannot have arrived more than what follows the missing segment.
    const bytes = Math.min(this.bytes + mss, Math.max(0, flight - mss))
    const delivered = bytes - this.bytes
    this.bytes = bytes
    return delivered
  }
}
