import type { NetBurst } from '@parakernel/hal'
import type { DelayLine } from './delay-line.ts'
import { CORRUPT, CORRUPT_AT, DRAWS, DUPLICATE, JITTER, LOSS, RandomStreams, REORDER, threshold } from './random.ts'
import { type DirectionSettings, isActive } from './settings.ts'

export const RECEIVE = 0
export const TRANSMIT = 1

/** The decisions for one direction of one queue, and the packets that they delay. Knows nothing of frames. */
export class FaultPath {
  readonly active: boolean
  readonly line: DelayLine
  /** Element 0: now, as of the burst under way. Element 1: when the rate limit lets the next packet go. */
  readonly time = new Float64Array(2)
  readonly #random: RandomStreams
  readonly #loss: number
  readonly #duplicate: number
  readonly #reorder: number
  readonly #corrupt: number
  readonly #delay: number
  readonly #jitter: number
  readonly #reorderDelay: number
  /** Nanoseconds a byte takes at the limited rate, 0 without a limit. */
  readonly #perByte: number
  readonly #rateLatency: number

  constructor(settings: DirectionSettings, seed: number, queue: number, direction: number, line: DelayLine) {
    this.active = isActive(settings)
    this.line = line
    this.#random = new RandomStreams(seed, queue, direction)
    this.#loss = threshold(settings.loss)
    this.#duplicate = threshold(settings.duplicate)
    this.#reorder = threshold(settings.reorder)
    this.#corrupt = threshold(settings.corrupt)
    this.#delay = settings.delay
    this.#jitter = settings.jitter / DRAWS
    this.#reorderDelay = settings.reorderDelay
    this.#perByte = settings.rate > 0 ? 8e9 / settings.rate : 0
    this.#rateLatency = settings.rateLatency
  }

  // Each decision draws for every packet, also at probability 0, so that the streams stay in step with the packets.

  loses(): boolean {
    return this.#random.draw(LOSS) < this.#loss
  }

  duplicates(): boolean {
    return this.#random.draw(DUPLICATE) < this.#duplicate
  }

  corrupts(): boolean {
    return this.#random.draw(CORRUPT) < this.#corrupt
  }

  /** Which bit of a packet of `bytes` bytes to flip. */
  bit(bytes: number): number {
    return this.#random.draw(CORRUPT_AT) % (bytes * 8)
  }

  /** Sets the due time of a packet of `bytes` bytes; false when the rate limit would hold it for too long. */
  schedule(bytes: number): boolean {
    const late = this.#random.draw(REORDER) < this.#reorder
    const jitter = this.#random.draw(JITTER) * this.#jitter
    const { time } = this
    let due = time[0]
    if (this.#perByte > 0) {
      const start = Math.max(time[1], due)
      if (start - due > this.#rateLatency) return false
      due = start + bytes * this.#perByte
      time[1] = due
    }
    this.line.due[0] = due + this.#delay + jitter + (late ? this.#reorderDelay : 0)
    return true
  }

  /** Whether a packet waits whose time has come. */
  get isDue(): boolean {
    return this.line.isDue(this.time)
  }

  /** Moves what is due to the end of `target`, whole packets, as far as there is room. */
  deliver(target: NetBurst): void {
    while (this.isDue && target.count + this.line.nextEntries <= target.capacity) this.line.takeTo(target)
  }
}
