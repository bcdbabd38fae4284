/** The clock of a retransmission timer counts in something: here nanoseconds, far below any variance (RFC 6298's G). */
const GRANULARITY = 1
/** Nobody waits longer than this many shortest time-outs, however slow the answers were. */
const LONGEST = 32

/**
 * How long to wait for an answer, from how long answers took: smoothed round trip plus four times its variance (RFC 6298,
 * section 2), never less than `shortest`. A server that is slow because it is loaded is not loaded further by repetitions.
 */
export class RoundTrip {
  /** Nanoseconds. */
  timeout: number
  readonly #shortest: number
  #smoothed = 0
  #variance = 0

  constructor(shortest: number) {
    this.#shortest = shortest
    this.timeout = shortest
  }

  /** A packet that was sent once was answered after `elapsed` ns. One that was sent again says nothing (Karn's rule). */
  sample(elapsed: number): void {
    if (this.#smoothed === 0) {
      this.#smoothed = elapsed
      this.#variance = elapsed / 2
    } else {
      this.#variance += (Math.abs(this.#smoothed - elapsed) - this.#variance) / 4
      this.#smoothed += (elapsed - this.#smoothed) / 8
    }
    const timeout = this.#smoothed + Math.max(GRANULARITY, 4 * this.#variance)
    this.timeout = Math.min(Math.max(timeout, this.#shortest), this.#shortest * LONGEST)
  }
}
