/** Doubles of a row. */
export const ROW = 8
/** The row of connections that have none of their own: every deadline in it is off. */
export const NO_ROW = 0
const FIRST_ROWS = 16
const NEVER = Number.POSITIVE_INFINITY

/**
 * The timers of all connections of a stack, a row of doubles each, in one array that doubles when it is full: an array
 * of its own would cost each connection five times as much.
 */
export class TimerTable {
  /** Replaced when it grows: never keep it beyond a call. */
  at = new Float64Array(FIRST_ROWS * ROW).fill(NEVER)
  /** Free rows, named by the index of their first double; the last one released is the first one taken. */
  readonly #free: number[] = []
  #unused = ROW

  /** Index of the first double of a row in which everything is off. */
  allocate(): number {
    const row = this.#free.pop()
    if (row !== undefined) return row
    if (this.#unused === this.at.length) {
      const grown = new Float64Array(this.at.length * 2).fill(NEVER)
      grown.set(this.at)
      this.at = grown
    }
    this.#unused += ROW
    return this.#unused - ROW
  }

  release(row: number): void {
    this.at.fill(NEVER, row, row + ROW)
    this.#free.push(row)
  }

  /** Rows in use. */
  get rows(): number {
    return this.#unused / ROW - 1 - this.#free.length
  }
}
