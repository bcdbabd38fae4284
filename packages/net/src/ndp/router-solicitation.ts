import { type RandomSource, randomBelow } from '../random.ts'

const NEVER = Number.POSITIVE_INFINITY
/** MAX_RTR_SOLICITATION_DELAY and RTR_SOLICITATION_INTERVAL (RFC 4861 section 10). */
const MOST_DELAY = 1e9
const INITIAL_INTERVAL = 4e9
/** MAX_RTR_SOLICITATION_INTERVAL (RFC 7559 section 2). */
const LONGEST_INTERVAL = 3600e9

/**
 * When routers are asked to advertise: after a random delay, then at intervals that double up to an hour, with 10 %
 * of jitter, until a router answers (RFC 4861 section 6.3.7; RFC 7559, as a link may be up long before its router
 * is).
 */
export class RouterSolicitation {
  #at = NEVER
  #interval = 0
  readonly #random: RandomSource

  constructor(random: RandomSource) {
    this.#random = random
  }

  start(now: number): void {
    this.#interval = 0
    this.#at = now + randomBelow(this.#random, MOST_DELAY)
  }

  /** A router with a lifetime has advertised. */
  answered(): void {
    this.#at = NEVER
  }

  get isRunning(): boolean {
    return this.#at !== NEVER
  }

  /** Whether a solicitation is to be sent now. */
  poll(now: number): boolean {
    if (this.#at > now) return false
    this.#interval = this.#interval === 0 ? INITIAL_INTERVAL : Math.min(2 * this.#interval, LONGEST_INTERVAL)
    const jitter = (this.#random.next() / 0x1_0000_0000 - 0.5) * 0.2
    this.#at = now + this.#interval * (1 + jitter)
    return true
  }

  nextEvent(): number {
    return this.#at
  }
}
