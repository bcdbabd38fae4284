import type { Clock, Host, Poller, WakeSource } from '@parakernel/hal'

/** What the sleeper needs of a queue, of whichever kind. */
export interface Sleepable {
  readonly wake: WakeSource
  arm(): boolean
  nextEvent?(): number
}

/**
 * Sleeps until a queue wakes it, as a run loop does: announce, arm, look once more, sleep until the wake-up or the queue's
 * next delayed event. Blocks the thread.
 */
export class Sleeper {
  readonly #queue: Sleepable
  readonly #clock: Clock
  readonly #poller: Poller | undefined
  sleeps = 0

  constructor(queue: Sleepable, clock: Clock, host: Host | undefined) {
    this.#queue = queue
    this.#clock = clock
    if (queue.wake.kind === 'descriptor') {
      if (host === undefined) throw new Error('a queue that wakes by a descriptor needs a host to poll it')
      this.#poller = host.createPoller([queue.wake.fd])
    }
  }

  /** False when `milliseconds` passed, nothing woke it, and nothing was scheduled. */
  sleep(milliseconds: number): boolean {
    const { wake } = this.#queue
    if (wake.kind === 'none') return true
    const sequence = wake.kind === 'word' ? wake.word.announce() : 0
    if (this.#queue.arm()) {
      if (wake.kind === 'word') wake.word.cancel()
      return true
    }
    this.sleeps++
    const next = ((this.#queue.nextEvent?.() ?? Infinity) - this.#clock.now()) / 1e6
    const limit = Math.max(0, Math.min(milliseconds, next))
    const start = performance.now()
    if (wake.kind === 'word') wake.word.sleep(sequence, limit)
    else this.#poller?.wait(limit * 1e6)
    return limit < milliseconds || performance.now() - start < milliseconds - 1
  }

  close(): void {
    this.#poller?.close()
  }
}
