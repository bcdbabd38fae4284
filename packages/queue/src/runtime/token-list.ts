import type { TokenTable } from './token-table.ts'

/** A list of rows, first in, first out, linked through the table's columns; a row leaves it from any place in O(1). */
export class TokenList {
  head = -1
  size = 0
  readonly #table: TokenTable
  #tail = -1

  constructor(table: TokenTable) {
    this.#table = table
  }

  push(row: number): void {
    const { previous, next, lists } = this.#table
    lists[row] = this
    previous[row] = this.#tail
    next[row] = -1
    if (this.#tail < 0) this.head = row
    else next[this.#tail] = row
    this.#tail = row
    this.size++
  }

  remove(row: number): void {
    const { previous, next, lists } = this.#table
    const before = previous[row]
    const after = next[row]
    if (before < 0) this.head = after
    else next[before] = after
    if (after < 0) this.#tail = before
    else previous[after] = before
    lists[row] = undefined
    this.size--
  }
}
