import { type Host, WakeWord } from '@parakernel/hal'
import type { RingDescriptor } from '../contracts.ts'
import { ReadyFlags } from '../loop/ready-flags.ts'
import { CONSUMED, PRODUCED, ringViews } from './layout.ts'

/**
 * The producing end of a ring: claim slots, fill them, then publish all of them at once. One batch costs two Atomics and a
 * notification; a slot costs a compare and an add.
 *
 *     const at = ring.claim()
 *     if (at >= 0) ring.words[at >> 2] = 42
 *     ring.publish()
 */
export class RingProducer {
  /** The slots' bytes, and the same as words; `claim` returns an index into `bytes`, to be shifted right by 2 for `words`. */
  readonly bytes: Uint8Array
  readonly words: Int32Array
  readonly slotBytes: number
  /** Claims that found the ring full. */
  full = 0

  readonly #indices: Int32Array
  readonly #wake: WakeWord
  readonly #host: Host | undefined
  readonly #flags: ReadyFlags | undefined
  readonly #flag: number
  readonly #slots: number
  readonly #mask: number
  #claimed: number
  #published: number
  /** The consumer's index as last seen: looked at again only when the ring seems full. */
  #consumed: number

  /** `host` lets the producer wake a consumer that sleeps in poll(2). Continues where the ring's last producer stopped. */
  constructor(descriptor: RingDescriptor, host?: Host) {
    const { indices, bytes, words } = ringViews(descriptor)
    this.bytes = bytes
    this.words = words
    this.slotBytes = descriptor.slotBytes
    this.#indices = indices
    this.#wake = new WakeWord(descriptor.wake)
    this.#host = host
    this.#flags = descriptor.ready === undefined ? undefined : new ReadyFlags(descriptor.ready.flags)
    this.#flag = descriptor.ready?.index ?? 0
    this.#slots = descriptor.slots
    this.#mask = descriptor.slots - 1
    this.#published = Atomics.load(indices, PRODUCED)
    this.#claimed = this.#published
    this.#consumed = Atomics.load(indices, CONSUMED)
  }

  /** Slots that can be claimed now. */
  get room(): number {
    this.#consumed = Atomics.load(this.#indices, CONSUMED)
    return this.#slots - ((this.#claimed - this.#consumed) | 0)
  }

  /** Takes the next slot and returns its place in `bytes`; -1 when the ring is full. */
  claim(): number {
    const claimed = this.#claimed
    if (((claimed - this.#consumed) | 0) === this.#slots) {
      this.#consumed = Atomics.load(this.#indices, CONSUMED)
      if (((claimed - this.#consumed) | 0) === this.#slots) {
        this.full++
        return -1
      }
    }
    this.#claimed = (claimed + 1) | 0
    return Math.imul(claimed & this.#mask, this.slotBytes)
  }

  /** Hands all claimed slots to the consumer, wakes it if it sleeps, and returns their number. */
  publish(): number {
    const count = (this.#claimed - this.#published) | 0
    if (count === 0) return 0
    this.#published = this.#claimed
    Atomics.store(this.#indices, PRODUCED, this.#published)
    this.#flags?.raise(this.#flag)
    wake(this.#wake, this.#host)
    return count
  }
}

/** Wakes a loop that sleeps on `word`, be it on the word itself or in poll(2) on its eventfd. */
export function wake(word: WakeWord, host: Host | undefined): void {
  word.notify()
  if (host === undefined || !word.sleeping) return
  const fd = word.eventFd
  if (fd >= 0) host.writeEventFd(fd)
}
