import type { Host, Poller, WakeWord } from '@parakernel/hal'
import type { WakeSources } from './wake-sources.ts'

/** How long a loop sleeps at most while something cannot wake it. */
export const VETO_SLEEP = 1_000_000
/** So that no host overflows its milliseconds. */
const LONGEST_SLEEP = 3_600_000_000_000

/**
 * Blocks the thread until a wake source speaks. One word alone is slept on by Atomics.wait; descriptors, and several
 * words, by poll(2), each word standing in with an eventfd that its wakers write. Where there is no host to poll with,
 * the loop sleeps for a millisecond at a time.
 *
 * The order that loses no wake-up: `announce`, then the loop arms every pollable and looks once more, then `sleep` or
 * `cancel`.
 */
export class BlockingSleeper {
  readonly #host: Host | undefined
  readonly #words: readonly WakeWord[]
  readonly #sequences: Int32Array
  readonly #poller: Poller | undefined
  /** Position of the first word's eventfd in the poller; those of the others follow. */
  readonly #firstWord: number
  /** Eventfds made here, by word; -1 for one that the word had. */
  readonly #eventFds: number[] = []
  readonly #longest: number

  constructor(sources: WakeSources, host: Host | undefined) {
    this.#host = host
    this.#words = sources.words
    this.#sequences = new Int32Array(sources.words.length)
    this.#firstWord = sources.descriptors.length
    const needsPoll = sources.descriptors.length > 0 || sources.words.length > 1
    if (needsPoll && host !== undefined) {
      const fds = [...sources.descriptors]
      for (const word of sources.words) {
        let fd = word.eventFd
        if (fd < 0) {
          fd = host.createEventFd()
          word.eventFd = fd
          this.#eventFds.push(fd)
        } else this.#eventFds.push(-1)
        fds.push(fd)
      }
      this.#poller = host.createPoller(fds)
    }
    this.#longest = sources.vetoed || (needsPoll && host === undefined) ? VETO_SLEEP : LONGEST_SLEEP
  }

  announce(): void {
    for (let i = 0; i < this.#words.length; i++) this.#sequences[i] = this.#words[i].announce()
  }

  cancel(): void {
    for (let i = 0; i < this.#words.length; i++) this.#words[i].cancel()
  }

  /** Sleeps for at most `nanoseconds`. */
  sleep(nanoseconds: number): void {
    const duration = Math.min(nanoseconds, this.#longest)
    if (this.#poller === undefined) {
      for (let i = 1; i < this.#words.length; i++) this.#words[i].cancel()
      this.#words[0].sleep(this.#sequences[0], duration / 1e6)
      return
    }
    try {
      this.#poller.wait(duration)
    } finally {
      this.cancel()
    }
    for (let i = 0; i < this.#words.length; i++) {
      // Few sleeps end by a word: a look spares them the system call.
      if (this.#poller.ready?.(this.#firstWord + i) !== false) this.#host?.readEventFd(this.#words[i].eventFd)
    }
  }

  close(): void {
    this.#poller?.close()
    for (let i = 0; i < this.#eventFds.length; i++) {
      if (this.#eventFds[i] < 0) continue
      this.#words[i].eventFd = -1
      this.#host?.closeFd(this.#eventFds[i])
    }
  }
}
