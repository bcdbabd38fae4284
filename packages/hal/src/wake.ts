/**
 * How a run loop that sleeps is woken by a queue:
 *
 * - `descriptor`: `fd` becomes readable (poll(2), or Node's own loop).
 * - `word`: whoever brings work adds to and notifies the lease's wake word (see {@link WakeWord}).
 * - `none`: the queue cannot wake anybody; the loop must go on polling, or sleep for a bounded time.
 */
export type WakeSource =
  | { readonly kind: 'descriptor'; readonly fd: number }
  | { readonly kind: 'word'; readonly word: WakeWord }
  | { readonly kind: 'none' }

const SEQUENCE = 0
const SLEEPERS = 1
const EVENT_FD = 2

/**
 * A futex shared by everything that may wake one partition. The sleeper announces itself, looks once more for work, and
 * sleeps only while the sequence is what it was; so no wake-up is lost and a waker pays for the futex call only when
 * somebody sleeps.
 */
export class WakeWord {
  readonly words: Int32Array

  constructor(buffer: SharedArrayBuffer) {
    this.words = new Int32Array(buffer)
  }

  /** Waker: work was published. About 20 ns when nobody sleeps. */
  notify(): void {
    Atomics.add(this.words, SEQUENCE, 1)
    if (Atomics.load(this.words, SLEEPERS) > 0) Atomics.notify(this.words, SEQUENCE)
  }

  /** Sleeper, step 1: announce, and remember the sequence. Then look for work; then `sleep` or `cancel`. */
  announce(): number {
    Atomics.add(this.words, SLEEPERS, 1)
    return Atomics.load(this.words, SEQUENCE)
  }

  /** Sleeper, step 2: sleeps until the sequence moves on or `milliseconds` pass. Blocks the thread: workers only. */
  sleep(sequence: number, milliseconds: number): void {
    Atomics.wait(this.words, SEQUENCE, sequence, milliseconds)
    Atomics.sub(this.words, SLEEPERS, 1)
  }

  /** As `sleep`, for a thread that must not block. */
  async sleepAsync(sequence: number, milliseconds: number): Promise<void> {
    const result = Atomics.waitAsync(this.words, SEQUENCE, sequence, milliseconds)
    if (result.async) await result.value
    Atomics.sub(this.words, SLEEPERS, 1)
  }

  /** Sleeper: there was work after all. */
  cancel(): void {
    Atomics.sub(this.words, SLEEPERS, 1)
  }

  /**
   * The eventfd that a partition sleeps on when it waits in poll(2), or -1. A waker that can write descriptors writes it
   * when `sleeping` is true.
   */
  get eventFd(): number {
    return Atomics.load(this.words, EVENT_FD) - 1
  }

  set eventFd(fd: number) {
    Atomics.store(this.words, EVENT_FD, fd + 1)
  }

  get sleeping(): boolean {
    return Atomics.load(this.words, SLEEPERS) > 0
  }
}
