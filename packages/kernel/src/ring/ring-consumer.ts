import { type WakeSource, WakeWord } from '@parakernel/hal'
import type { RingDescriptor } from '../contracts.ts'
import { CONSUMED, PRODUCED, ringViews } from './layout.ts'

/**
 * The consuming end of a ring: take slots one after the other, read them, then release all of them at once, which gives
 * their room back to the producer.
 *
 *     for (let at = ring.take(); at >= 0; at = ring.take()) handle(ring.words[at >> 2])
 *     ring.release()
 */
export class RingConsumer {
  /** The slots' bytes, and the same as words; `take` returns an index into `bytes`, to be shifted right by 2 for `words`. */
  readonly bytes: Uint8Array
  readonly words: Int32Array
  readonly slotBytes: number
  readonly wake: WakeSource

  readonly #indices: Int32Array
  readonly #mask: number
  #taken: number
  #released: number
  /** The producer's index as last seen: looked at again only when the ring seems empty. */
  #produced: number

  /** Continues where the ring's last consumer released. */
  constructor(descriptor: RingDescriptor) {
    const { indices, bytes, words } = ringViews(descriptor)
    this.bytes = bytes
    this.words = words
    this.slotBytes = descriptor.slotBytes
    this.wake = { kind: 'word', word: new WakeWord(descriptor.wake) }
    this.#indices = indices
    this.#mask = descriptor.slots - 1
    this.#released = Atomics.load(indices, CONSUMED)
    this.#taken = this.#released
    this.#produced = Atomics.load(indices, PRODUCED)
  }

  /** Messages that were published and not taken. */
  get available(): number {
    this.#produced = Atomics.load(this.#indices, PRODUCED)
    return (this.#produced - this.#taken) | 0
  }

  /** Takes the next message and returns its place in `bytes`; -1 when there is none. */
  take(): number {
    const taken = this.#taken
    if (taken === this.#produced) {
      this.#produced = Atomics.load(this.#indices, PRODUCED)
      if (taken === this.#produced) return -1
    }
    this.#taken = (taken + 1) | 0
    return Math.imul(taken & this.#mask, this.slotBytes)
  }

  /** Gives the room of all taken messages back, and returns their number. Their bytes may be overwritten from now on. */
  release(): number {
    const count = (this.#taken - this.#released) | 0
    if (count === 0) return 0
    this.#released = this.#taken
    Atomics.store(this.#indices, CONSUMED, this.#released)
    return count
  }

  /** For a `Pollable`: true when there is a message, so that its loop must not sleep. */
  arm(): boolean {
    return Atomics.load(this.#indices, PRODUCED) !== this.#taken
  }
}
