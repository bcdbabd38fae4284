import { IN_HEAP, type TimerTable } from './timer-table.ts'

/**
 * The timers of the current tick, as a binary heap by (time, insertion). A row's position is kept in its `previous`
 * column, so that a timer is removed without a search.
 */
export class TimerHeap {
  size = 0
  readonly #table: TimerTable
  #rows = new Int32Array(64)

  constructor(table: TimerTable) {
    this.#table = table
  }

  /** The row that is due first; only when `size` is not 0. */
  get top(): number {
    return this.#rows[0]
  }

  push(row: number): void {
    if (this.size === this.#rows.length) {
      const rows = new Int32Array(this.size * 2)
      rows.set(this.#rows)
      this.#rows = rows
    }
    this.#table.place[row] = IN_HEAP
    this.#rise(this.size++, row)
  }

  remove(row: number): void {
    const hole = this.#table.previous[row]
    const last = this.#rows[--this.size]
    if (hole === this.size) return
    if (hole > 0 && this.#before(last, this.#rows[(hole - 1) >> 1])) this.#rise(hole, last)
    else this.#sink(hole, last)
  }

  #before(a: number, b: number): boolean {
    const { time, sequence } = this.#table
    return time[a] < time[b] || (time[a] === time[b] && sequence[a] < sequence[b])
  }

  #rise(start: number, row: number): void {
    const rows = this.#rows
    const position = this.#table.previous
    let at = start
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.#before(row, rows[parent])) break
      rows[at] = rows[parent]
      position[rows[at]] = at
      at = parent
    }
    rows[at] = row
    position[row] = at
  }

  #sink(start: number, row: number): void {
    const rows = this.#rows
    const position = this.#table.previous
    let at = start
    for (;;) {
      let child = 2 * at + 1
      if (child >= this.size) break
      if (child + 1 < this.size && this.#before(rows[child + 1], rows[child])) child++
      if (!this.#before(rows[child], row)) break
      rows[at] = rows[child]
      position[rows[at]] = at
      at = child
    }
    rows[at] = row
    position[row] = at
  }
}
