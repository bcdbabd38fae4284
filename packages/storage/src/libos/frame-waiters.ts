import type { FramePool } from '@parakernel/hal'
import type { Loop } from '@parakernel/kernel'

/** Nanoseconds until frames are looked for again. */
const RETRY = 100_000

/** Who waits for frames: an operation with a place in the line. */
export interface FrameWaiter {
  readonly frames: number
  /** Whether anybody still wants it. */
  readonly wanted: boolean
  /** There are enough frames, or it is not wanted any more. */
  proceed(): void
}

/** A line for the frames of a pool, in the order of arrival. */
export class FrameWaiters {
  readonly #pool: FramePool
  readonly #loop: Loop
  readonly #line: FrameWaiter[] = []
  #first = 0
  #timer = 0
  #serving = false
  /** The most frames that were free at a time, as far as this line knows: what can ever be had. */
  #most: number
  readonly #retry = () => {
    this.#timer = 0
    this.serve()
  }

  constructor(pool: FramePool, loop: Loop) {
    this.#pool = pool
    this.#loop = loop
    this.#most = this.#free
  }

  /** Whether so many frames can ever be had at a time. */
  possible(frames: number): boolean {
    if (frames > this.#most) this.#most = Math.max(this.#most, this.#free)
    return frames <= this.#most
  }

  /** True when the frames can be taken now; otherwise the waiter proceeds later. */
  take(waiter: FrameWaiter): boolean {
    if (this.#first === this.#line.length && waiter.frames <= this.#free) return true
    this.#line.push(waiter)
    if (this.#timer === 0) this.#timer = this.#loop.timers.at(this.#loop.now + RETRY, this.#retry)
    return false
  }

  /** Lets those proceed who can. */
  serve(): void {
    if (this.#serving) return
    this.#serving = true
    while (this.#first < this.#line.length) {
      const waiter = this.#line[this.#first]
      if (waiter.wanted && waiter.frames > this.#free) break
      this.#first++
      waiter.proceed()
    }
    if (this.#first === this.#line.length || this.#first > 1024) {
      this.#line.splice(0, this.#first)
      this.#first = 0
    }
    this.#serving = false
    const waits = this.#line.length > 0
    if (waits && this.#timer === 0) this.#timer = this.#loop.timers.at(this.#loop.now + RETRY, this.#retry)
    if (!waits && this.#timer !== 0) {
      this.#loop.timers.cancel(this.#timer)
      this.#timer = 0
    }
  }

  get #free(): number {
    return this.#pool.available - this.#pool.deviceReserve
  }
}
