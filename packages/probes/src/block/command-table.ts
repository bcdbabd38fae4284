import type { BlockBurst } from '@parakernel/hal'

/**
 * Commands that a probe has passed on: it gives each a cookie of its own, which names a row here, and puts the submitter's back in the
 * completion. Columns in typed arrays; nothing is allocated for a command.
 */
export class CommandTable {
  readonly cookie: Int32Array
  readonly #free: Int32Array
  #freeCount: number

  constructor(rows: number) {
    this.cookie = new Int32Array(rows)
    this.#free = new Int32Array(rows)
    this.#freeCount = rows
    for (let i = 0; i < rows; i++) this.#free[i] = rows - 1 - i
  }

  get free(): number {
    return this.#freeCount
  }

  /** Takes a row for a command with this cookie. There is a free one. */
  take(cookie: number): number {
    const row = this.#free[--this.#freeCount]
    this.cookie[row] = cookie
    return row
  }

  /** Takes a row for command `i`, whose cookie becomes the row's number. There is a free one. */
  enter(burst: BlockBurst, i: number): number {
    const row = this.take(burst.cookie[i])
    burst.cookie[i] = row
    return row
  }

  /** Gives command `i` its own cookie back; the row stays taken. */
  restore(burst: BlockBurst, i: number): number {
    const row = burst.cookie[i]
    burst.cookie[i] = this.cookie[row]
    return row
  }

  /** The submitter's cookie, for its completion; the row is free again. */
  leave(row: number): number {
    this.#free[this.#freeCount++] = row
    return this.cookie[row]
  }
}
