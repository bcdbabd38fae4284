import type { AppendDone } from './log.ts'

export const LEVEL_BUFFERED = 0
export const LEVEL_FLUSHED = 1
export const LEVEL_FUA = 2

/**
 * Appends that are not complete, in columns by the low bits of their sequence: a ring from `first` (not complete) to `next` (not
 * appended). Takes and completes without allocating.
 */
export class PendingAppends {
  readonly capacity: number
  first: number
  next: number
  /** Of those that wait: buffered ones with a callback, and others with one. */
  buffered = 0
  waiting = 0
  readonly #mask: number
  readonly #done: (AppendDone | undefined)[]
  readonly #cookie: Int32Array
  readonly #level: Uint8Array
  #bufferedFrom: number

  constructor(next: number, capacity: number) {
    let power = 16
    while (power < capacity) power *= 2
    this.capacity = power
    this.first = next
    this.next = next
    this.#bufferedFrom = next
    this.#mask = power - 1
    this.#done = new Array(power).fill(undefined)
    this.#cookie = new Int32Array(power)
    this.#level = new Uint8Array(power)
  }

  get full(): boolean {
    return this.next - this.first >= this.capacity
  }

  add(level: number, done: AppendDone | undefined, cookie: number): void {
    const i = this.next & this.#mask
    this.#done[i] = done
    this.#cookie[i] = cookie
    this.#level[i] = level
    this.next++
    if (done === undefined) return
    if (level === LEVEL_BUFFERED) this.buffered++
    else this.waiting++
  }

  /** Calls the callbacks of the buffered ones. */
  completeBuffered(): void {
    const end = this.next
    const from = this.#bufferedFrom
    this.#bufferedFrom = end
    if (this.buffered === 0) return
    for (let sequence = Math.max(from, this.first); sequence < end; sequence++) {
      if (this.#level[sequence & this.#mask] === LEVEL_BUFFERED) this.#call(sequence, 0)
    }
  }

  /** Calls those below `end` that are left; returns how many waited. A callback may append. */
  complete(end: number, status: number): number {
    let called = 0
    while (this.first < end) {
      const sequence = this.first++
      if (this.#call(sequence, status)) called++
    }
    return called
  }

  #call(sequence: number, status: number): boolean {
    const i = sequence & this.#mask
    const done = this.#done[i]
    if (done === undefined) return false
    this.#done[i] = undefined
    if (this.#level[i] === LEVEL_BUFFERED) this.buffered--
    else this.waiting--
    done(status, sequence, this.#cookie[i])
    return true
  }
}
