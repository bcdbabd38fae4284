/** A gathering sleep pays when it spares at least two wake-ups. */
const WORTH = 3
/** Quiet spells without a gathering sleep after one that did not pay: twice as many each time, up to the second number. */
const FEWEST_SKIPPED = 16
const MOST_SKIPPED = 1024

/**
 * Decides when a loop sleeps for a short fixed time without asking to be woken, so that what comes meanwhile is taken at
 * once, as interrupt moderation does in a NIC: under load a wake-up for each packet costs more than the packet.
 *
 * It goes by results alone. A sleep that brought company is followed by another one as soon as the queues are empty; one
 * that did not stops them for a while, and the loop spins and is woken as usual. So a caller that waits for each answer
 * before it asks again meets such a sleep once in a thousand times.
 */
export class Gathering {
  /** Nanoseconds to sleep; 0: never. */
  readonly length: number
  /** The present quiet spell may be slept through now. */
  due = false
  #skip = FEWEST_SKIPPED
  #penalty = FEWEST_SKIPPED
  /** Work done before the sleep that is to be judged; -1 for none. */
  #workBefore = -1

  constructor(length: number) {
    this.length = length
  }

  /** A quiet spell begins, `work` having been done so far in all. */
  quiet(work: number): void {
    if (this.length === 0) return
    if (this.#workBefore >= 0) {
      if (work - this.#workBefore >= WORTH) this.#penalty = FEWEST_SKIPPED
      else {
        this.#skip = this.#penalty
        this.#penalty = Math.min(this.#penalty * 2, MOST_SKIPPED)
      }
      this.#workBefore = -1
    }
    this.due = this.#skip === 0
    if (!this.due) this.#skip--
  }

  /** The loop slept, `work` having been done before. */
  slept(work: number): void {
    this.due = false
    this.#workBefore = work
  }
}
