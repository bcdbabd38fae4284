import type { Instant } from '../segment.ts'
import { MEMORY_NORMAL, type MemoryBudget, type TcpMemory } from './memory-budget.ts'

/** Times its round trip's worth of data that a receive buffer holds: a sender may double its rate in a round trip. */
const HEADROOM = 2

/**
 * Size of a receive buffer by dynamic right-sizing (Fisk and Feng, 2001): what the application takes in one round trip is what
 * the connection can use, so the buffer grows to twice that, within its bound, while memory is plenty. Never shrinks:
 * a window that was promised cannot be taken back (RFC 9293 section 3.8.6).
 */
export class ReceiveTuning {
  /** Bytes that may wait for the application or be on their way. */
  size: number
  readonly #maximum: number
  readonly #budget: MemoryBudget
  /** When the present round trip began; not an integer, so that it stays a double that is overwritten in place. */
  #roundStart = Number.NEGATIVE_INFINITY
  #taken = 0
  /** The most that was taken in a round trip. */
  #space: number

  /** @param maximum in bytes; equal to `initial` for a buffer whose size the application has chosen */
  constructor(initial: number, maximum: number, budget: MemoryBudget) {
    this.size = initial
    this.#maximum = maximum
    this.#budget = budget
    this.#space = initial / HEADROOM
    budget.fitTo(initial)
  }

  /** The application chose a size. */
  fix(size: number): ReceiveTuning {
    return new ReceiveTuning(size, size, this.#budget)
  }

  /** The application took `bytes`; `rtt` is the smoothed round-trip time in microseconds (int32). True when the buffer grew. */
  taken(bytes: number, rtt: number, now: Instant): boolean {
    this.#taken += bytes
    if (now[0] - this.#roundStart < rtt * 1000) return false
    const taken = this.#taken
    this.#taken = 0
    this.#roundStart = now[0]
    if (taken <= this.#space) return false
    this.#space = taken
    const wanted = Math.min(taken * HEADROOM, this.#maximum)
    if (wanted <= this.size || this.#budget.memory.level !== MEMORY_NORMAL) return false
    this.size = wanted
    this.#budget.fitTo(wanted)
    return true
  }
}

/**
 * Size of a send buffer: twice the congestion window, so that a whole window can wait for its acknowledgement while the
 * next one is being written. Grows within its bound while memory is plenty.
 */
export class SendTuning {
  /** Bytes that may be pushed and not acknowledged. */
  size: number
  readonly #maximum: number
  readonly #memory: TcpMemory

  constructor(initial: number, maximum: number, memory: TcpMemory) {
    this.size = initial
    this.#maximum = maximum
    this.#memory = memory
  }

  /** The congestion window has now so many bytes. True when the buffer grew. */
  window(congestionWindow: number): boolean {
    const wanted = congestionWindow * 2
    if (wanted <= this.size || this.size >= this.#maximum || this.#memory.level !== MEMORY_NORMAL) return false
    this.size = Math.min(wanted, this.#maximum)
    return true
  }
}
