/** A token bucket: RFC 1812 section 4.3.2.8 asks that ICMP errors be limited, so that we amplify no flood. */
export class RateLimit {
  readonly #perNanosecond: number
  readonly #burst: number
  #tokens: number
  #filled = 0

  /**
   * @param perSecond sustained rate
   * @param burst messages that may go at once
   */
  constructor(perSecond: number, burst: number) {
    this.#perNanosecond = perSecond / 1e9
    this.#burst = burst
    this.#tokens = burst
  }

  /** Takes a token; false when there is none. */
  take(now: number): boolean {
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#filled) * this.#perNanosecond)
    this.#filled = now
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }
}
