import type { FramePool } from '@parakernel/hal'
import { DEPARTURE, type LinkTimer } from './link-timer.ts'

/**
 * Frames that a link with a bandwidth has not finished sending: a ring of (frame, time of departure), oldest first. This is
 * the transmit ring of the NIC: when it is full, `transmit` takes no more.
 */
export class HeldFrames {
  count = 0
  readonly #pool: FramePool
  readonly #frame: Int32Array
  readonly #departure: Float64Array
  #first = 0

  constructor(pool: FramePool, capacity: number) {
    this.#pool = pool
    this.#frame = new Int32Array(capacity)
    this.#departure = new Float64Array(capacity)
  }

  hasRoom(entries: number): boolean {
    return this.count + entries <= this.#frame.length
  }

  hold(frame: number, timer: LinkTimer): void {
    const at = (this.#first + this.count++) % this.#frame.length
    this.#frame[at] = frame
    this.#departure[at] = timer.times[DEPARTURE]
  }

  /** Gives back what has left by `now`; returns how many frames. */
  release(now: number): number {
    let released = 0
    while (this.count > 0 && this.#departure[this.#first] <= now) {
      this.#pool.giveBack(this.#frame[this.#first])
      this.#first = (this.#first + 1) % this.#frame.length
      this.count--
      released++
    }
    return released
  }

  /** When the oldest frame leaves; Infinity without one. */
  nextDeparture(): number {
    return this.count === 0 ? Number.POSITIVE_INFINITY : this.#departure[this.#first]
  }
}
