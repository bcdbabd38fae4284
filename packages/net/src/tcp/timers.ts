import type { Instant } from './segment.ts'
import { NO_ROW, ROW, type TimerTable } from './timer-table.ts'

/** Timers of a connection beside those of loss recovery; each is a deadline in one small array. */
export const TIMER_DELAYED_ACK = 0
/**
 * Something waits for the peer's window: a closed one is probed (RFC 9293 section 3.8.6.1), a small one is used when
 * the patience of the silly window avoidance ends (section 3.8.6.2.1).
 */
export const TIMER_WINDOW = 1
/** Keepalive: silence, or no answer to the last question. */
export const TIMER_KEEP_ALIVE = 2
/** User timeout: data is unacknowledged (RFC 5482). */
export const TIMER_USER = 3
/** FIN-WAIT-2 without a reader, 2 MSL, or the end of lingering: whichever the state gives a meaning. */
export const TIMER_CLOSE = 4
/** Time to try a longer packet again (RFC 4821 section 7.7). */
export const TIMER_PATH = 5
const TIMERS = 6

/** Moments that a connection remembers, in the same row; never deadlines. `-Infinity`: not yet. */
/**
 * The last acceptable segment arrived; with timestamps that is also when TS.Recent was valid (RFC 7323 section 5.5).
 */
export const MOMENT_HEARD = 6
/** The last data in order arrived. */
export const MOMENT_DATA = 7

const NEVER = Number.POSITIVE_INFINITY

/** Deadlines of one connection in nanoseconds; `Infinity` is off. Holds a row of the table from `open` to `close`. */
export class Timers {
  readonly #table: TimerTable
  #row = NO_ROW

  constructor(table: TimerTable) {
    this.#table = table
  }

  open(): void {
    if (this.#row !== NO_ROW) return
    this.#row = this.#table.allocate()
    this.#table.at.fill(Number.NEGATIVE_INFINITY, this.#row + TIMERS, this.#row + ROW)
  }

  /** Everything is off, and stays so. */
  close(): void {
    if (this.#row === NO_ROW) return
    this.#table.release(this.#row)
    this.#row = NO_ROW
  }

  get(timer: number): number {
    return this.#table.at[this.#row + timer]
  }

  /** `delay` from now. */
  set(timer: number, now: Instant, delay: number): void {
    this.#table.at[this.#row + timer] = now[0] + delay
  }

  /** As `set`, unless it runs already and ends earlier. */
  setEarlier(timer: number, now: Instant, delay: number): void {
    const { at } = this.#table
    const deadline = now[0] + delay
    if (deadline < at[this.#row + timer]) at[this.#row + timer] = deadline
  }

  clear(timer: number): void {
    this.#table.at[this.#row + timer] = NEVER
  }

  runs(timer: number): boolean {
    return this.#table.at[this.#row + timer] !== NEVER
  }

  /** Whether it is due; a timer that is due is off afterwards. */
  take(timer: number, now: Instant): boolean {
    const { at } = this.#table
    if (at[this.#row + timer] > now[0]) return false
    at[this.#row + timer] = NEVER
    return true
  }

  /** The moment is now. */
  mark(moment: number, now: Instant): void {
    this.#table.at[this.#row + moment] = now[0]
  }

  /**
   * Nanoseconds since the moment; `Infinity` when it never came. On a hot path ask `isOlder`: a double that is returned
   * may be boxed.
   */
  since(moment: number, now: Instant): number {
    return now[0] - this.#table.at[this.#row + moment]
  }

  /** Whether the moment is longer ago than `duration`, or never came. */
  isOlder(moment: number, now: Instant, duration: number): boolean {
    return now[0] - this.#table.at[this.#row + moment] > duration
  }

  /** Whether any timer is due. */
  isDue(now: Instant): boolean {
    const { at } = this.#table
    const row = this.#row
    const time = now[0]
    for (let i = row; i < row + TIMERS; i++) if (at[i] <= time) return true
    return false
  }

  clearAll(): void {
    this.#table.at.fill(NEVER, this.#row, this.#row + TIMERS)
  }

  /** The earliest deadline. */
  get earliest(): number {
    this.earliestInto(scratch)
    return scratch[0]
  }

  /** The same into element 0 of a cell. */
  earliestInto(cell: Float64Array): void {
    const { at } = this.#table
    const row = this.#row
    cell[0] = at[row]
    for (let i = row + 1; i < row + TIMERS; i++) if (at[i] < cell[0]) cell[0] = at[i]
  }
}

const scratch = new Float64Array(1)
