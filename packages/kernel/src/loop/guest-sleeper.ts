import type { WakeWord, Watcher } from '@parakernel/hal'
import { VETO_SLEEP } from './blocking-sleeper.ts'
import type { RunLoop } from './run-loop.ts'
import type { WakeSources } from './wake-sources.ts'

/** A timer of Node's is never set for longer, so that its int32 milliseconds do not overflow. */
const LONGEST_SLEEP_MS = 1_000_000_000

/** One wake word waited for by Atomics.waitAsync. Such a wait cannot be taken back; it is left for the next sleep. */
class WordWaiter {
  readonly word: WakeWord
  readonly #wake: () => void
  #waiting = false

  constructor(word: WakeWord, wake: () => void) {
    this.word = word
    this.#wake = wake
  }

  begin(): void {
    if (this.#waiting) return
    this.#waiting = true
    void this.word.sleepAsync(this.word.announce(), Infinity).then(() => {
      this.#waiting = false
      this.#wake()
    })
  }

  close(): void {
    if (this.#waiting) this.word.notify()
  }
}

/**
 * Waits in Node's own loop: for descriptors by the host's watch, for words by Atomics.waitAsync, for the next event by
 * one of Node's timers, which count milliseconds and so may be late by one. The timer keeps the process alive as long as
 * the loop has anything that could wake it.
 */
export class GuestSleeper {
  readonly #loop: RunLoop
  readonly #wake: () => void
  #sources: WakeSources | undefined
  #watchers: Watcher[] = []
  #waiters: WordWaiter[] = []
  #vetoed = false
  #timer: NodeJS.Timeout | undefined

  constructor(loop: RunLoop, wake: () => void) {
    this.#loop = loop
    this.#wake = wake
  }

  /** Goes to sleep; false when there is work, or an event so near that it is better spun for. */
  begin(): boolean {
    const loop = this.#loop
    this.#follow(loop.wakeSources())
    for (const waiter of this.#waiters) waiter.begin()
    if (loop.inert) return true
    if (loop.arm()) return false
    const duration = loop.nextEvent() - loop.clock.now()
    if (duration <= 0 || duration < loop.spin) return false
    for (const watcher of this.#watchers) watcher.resume()
    const limit = this.#vetoed ? Math.min(duration, VETO_SLEEP) : duration
    this.#timer = setTimeout(this.#wake, Math.min(Math.ceil(limit / 1e6), LONGEST_SLEEP_MS))
    return true
  }

  end(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  close(): void {
    this.end()
    for (const watcher of this.#watchers) watcher.close()
    for (const waiter of this.#waiters) waiter.close()
    this.#watchers = []
    this.#waiters = []
    this.#sources = undefined
  }

  #follow(sources: WakeSources): void {
    if (this.#sources === sources) return
    this.close()
    this.#sources = sources
    this.#vetoed = sources.vetoed
    for (const fd of sources.descriptors) {
      const watcher = this.#loop.host?.watch(fd, this.#wake)
      if (watcher === undefined) this.#vetoed = true
      else this.#watchers.push(watcher)
    }
    this.#waiters = sources.words.map((word) => new WordWaiter(word, this.#wake))
  }
}
