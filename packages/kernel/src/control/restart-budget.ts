import type { RestartPolicy } from './specification.ts'

const MINUTE = 60e9
const LONGEST = 100

/** How often a partition may still be restarted, and when. */
export class RestartBudget {
  readonly #policy: Required<RestartPolicy>
  /** Times of the restarts that still count. */
  #times: number[] = []

  constructor({ when, maximum = 5, within = MINUTE, backoff = 100e6 }: RestartPolicy = { when: 'never' }) {
    this.#policy = { when, maximum, within, backoff }
  }

  /** Nanoseconds to wait before a restart, or undefined when there is to be none. */
  take(now: number): number | undefined {
    const { when, maximum, within, backoff } = this.#policy
    this.#times = this.#times.filter((time) => time > now - within)
    if (when === 'never' || this.#times.length >= maximum) return undefined
    const delay = Math.min(backoff * 2 ** this.#times.length, backoff * LONGEST)
    this.#times.push(now)
    return delay
  }
}
