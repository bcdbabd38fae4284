import type { Instant } from '../segment.ts'
import type { TcpSettings } from '../settings.ts'

/** RFC 6298 section 2: gains of the smoothed round trip and of its variation, and the weight of the latter in the timeout. */
const ALPHA = 1 / 8
const BETA = 1 / 4
const K = 4
/** Section 5.7. */
const AFTER_REPEATED_SYN = 3e9

/** How long a minimum is believed: routes change (RFC 8985 section 6.2 step 1 leaves the span to the implementation). */
const MINIMUM_SPAN = 300e9

/**
 * Round-trip estimate and retransmission timeout (RFC 6298), and the least round trip of the last minutes. All times in ns,
 * NaN before the first sample. Samples come in cells, since a double argument would be boxed.
 */
export class RoundTrip {
  smoothed = Number.NaN
  variation = Number.NaN
  /** Least of the present span and the one before it; `Infinity` before the first sample. */
  minimum = Number.POSITIVE_INFINITY
  /** Retransmission timeout now, backed off; kept as a field, since it is read for every segment. */
  timeout = Number.NaN
  /** Doublings since the last sample (section 5.5). */
  #backoff = 0
  readonly #settings: TcpSettings
  /** Section 5.7. */
  #synWasRepeated = false
  #present = Number.POSITIVE_INFINITY
  #spanEnd = Number.POSITIVE_INFINITY

  constructor(settings: TcpSettings) {
    this.#settings = settings
    this.#update()
  }

  get isMeasured(): boolean {
    return this.smoothed > 0
  }

  /**
   * Takes a sample into the estimate.
   * @param perRound samples that one round trip gives at the present flight size: the gains are divided by it, so that many
   *   samples a round do not shorten the memory (RFC 7323 section 4.2 and appendix G)
   */
  absorb(sample: Instant, perRound: number): void {
    const latest = sample[0]
    if (!(latest >= 0)) return
    this.#backoff = 0
    // Locals, stored once: a field of doubles that two branches store and that is read behind them is boxed.
    // Not 0, so that a clock that stands still gives a measured round trip too.
    let smoothed = latest > 0 ? latest : Number.MIN_VALUE
    let variation = latest / 2
    if (this.smoothed > 0) {
      const alpha = ALPHA / perRound
      const beta = BETA / perRound
      variation = (1 - beta) * this.variation + beta * Math.abs(this.smoothed - latest)
      smoothed = (1 - alpha) * this.smoothed + alpha * latest
    }
    this.smoothed = smoothed
    this.variation = variation
    this.#update()
  }

  /** The timer expired (section 5.5). */
  backOff(): void {
    this.#backoff++
    this.#update()
  }

  /** A timeout was premature, and `sample` is the round trip that it did not wait for (RFC 4015 section 3.3). */
  wasPremature(sample: Instant): void {
    const latest = sample[0]
    if (!(latest >= 0) || !(this.smoothed > 0)) return
    this.smoothed = Math.max(this.smoothed, latest)
    this.variation = Math.max(this.variation, latest / 2)
    this.#update()
  }

  #update(): void {
    const { initialRto, minimumRto, maximumRto } = this.#settings
    // Sections 2.5 and 5.5. No variable for both branches: it would be boxed.
    const scale = 2 ** this.#backoff
    if (this.smoothed > 0) {
      // Section 2.3, with the least timeout in the place of the clock's granularity: a timeout that is near the round trip
      // itself would fire on every delayed acknowledgment. So it is never below `minimumRto` (section 2.4), and usually above.
      this.timeout = Math.min((this.smoothed + Math.max(minimumRto, K * this.variation)) * scale, maximumRto)
    } else {
      const first = this.#synWasRepeated ? Math.max(initialRto, AFTER_REPEATED_SYN) : initialRto
      this.timeout = Math.min(first * scale, maximumRto)
    }
  }

  /** Section 5.7: the SYN was repeated after less than three seconds: data starts with three, until there is a sample. */
  synWasRepeated(): void {
    this.#synWasRepeated = true
    this.#backoff = 0
    this.#update()
  }

  /** Takes a sample into the minimum: the round trip of what was sent last, which waited least for its acknowledgment. */
  observeMinimum(sample: Instant, now: Instant): void {
    const newest = sample[0]
    if (this.#spanEnd === Number.POSITIVE_INFINITY) this.#spanEnd = now[0] + MINIMUM_SPAN
    if (now[0] >= this.#spanEnd) {
      this.minimum = Math.min(this.#present, newest)
      this.#present = newest
      this.#spanEnd = now[0] + MINIMUM_SPAN
      return
    }
    if (newest < this.#present) this.#present = newest
    if (newest < this.minimum) this.minimum = newest
  }
}
