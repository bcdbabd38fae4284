/** RFC 9406 section 4.3, round-trip times in us. */
const LEAST_THRESHOLD = 4_000
const MOST_THRESHOLD = 16_000
const THRESHOLD_DIVISOR = 8
const SAMPLES = 8
const GROWTH_DIVISOR = 4
const CONSERVATIVE_ROUNDS = 5
/** L of section 4.2 for senders that do not pace. */
const BURST_LIMIT = 8
/** L of RFC 3465 section 2.2, where HyStart++ is off or does not apply. */
const BYTE_COUNTING_LIMIT = 2

const NONE = 0x7fffffff

/** Growth by one segment a segment. */
export const PHASE_PLAIN = 0
/** The first slow start of a connection, watched by HyStart++ (RFC 9406). */
export const PHASE_WATCHED = 1
/** The round trip grew: a quarter of the growth for some rounds, to see whether it was jitter. */
export const PHASE_CONSERVATIVE = 2

/**
 * How a window grows below the threshold: by the bytes acknowledged (appropriate byte counting, RFC 3465), and, in the first
 * slow start of a connection, ended by HyStart++ before the queue of the bottleneck overflows.
 */
export class SlowStart {
  phase = PHASE_PLAIN
  readonly #hystart: boolean
  #lastRoundMinimum = NONE
  #roundMinimum = NONE
  #samples = 0
  #baseline = NONE
  #conservativeRounds = 0

  constructor(hystart: boolean) {
    this.#hystart = hystart
  }

  start(): void {
    this.phase = this.#hystart ? PHASE_WATCHED : PHASE_PLAIN
    this.#lastRoundMinimum = NONE
    this.#roundMinimum = NONE
    this.#samples = 0
    this.#baseline = NONE
    this.#conservativeRounds = 0
  }

  /** The first slow start is over, by loss or by reaching the threshold: HyStart++ does not apply to later ones (section 4.2). */
  end(): void {
    this.phase = PHASE_PLAIN
  }

  /** Bytes by which the window grows for `bytes` acknowledged. */
  growth(bytes: number, mss: number): number {
    if (this.phase === PHASE_PLAIN) return Math.min(bytes, BYTE_COUNTING_LIMIT * mss)
    const grown = Math.min(bytes, BURST_LIMIT * mss)
    return this.phase === PHASE_CONSERVATIVE ? (grown / GROWTH_DIVISOR) | 0 : grown
  }

  /** A round-trip sample in us. */
  sample(microseconds: number): void {
    if (this.phase === PHASE_PLAIN || microseconds < 0) return
    if (microseconds < this.#roundMinimum) this.#roundMinimum = microseconds
    if (++this.#samples < SAMPLES) return
    if (this.phase === PHASE_CONSERVATIVE) {
      // It was jitter: back to slow start.
      if (this.#roundMinimum < this.#baseline) {
        this.#baseline = NONE
        this.phase = PHASE_WATCHED
      }
      return
    }
    const last = this.#lastRoundMinimum
    if (last === NONE) return
    const threshold = Math.max(LEAST_THRESHOLD, Math.min((last / THRESHOLD_DIVISOR) | 0, MOST_THRESHOLD))
    if (this.#roundMinimum < last + threshold) return
    this.#baseline = this.#roundMinimum
    this.#conservativeRounds = 0
    this.phase = PHASE_CONSERVATIVE
  }

  /** A round trip begins. True: slow start is over, the threshold is the window. */
  roundStart(): boolean {
    if (this.phase === PHASE_PLAIN) return false
    this.#lastRoundMinimum = this.#roundMinimum
    this.#roundMinimum = NONE
    this.#samples = 0
    return this.phase === PHASE_CONSERVATIVE && ++this.#conservativeRounds >= CONSERVATIVE_ROUNDS
  }
}
