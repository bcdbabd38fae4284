import type { Completion, QueueDescriptor, QueueToken } from '../types.ts'
import type { TokenList } from './token-list.ts'

/** A token is `generation << SLOT_BITS | slot`, a positive int32; generations start at 1, so that 0 is never a token. */
const SLOT_BITS = 16
const SLOT_MASK = (1 << SLOT_BITS) - 1
const MAX_GENERATION = (1 << (31 - SLOT_BITS)) - 1
export const MAX_TOKENS = 1 << SLOT_BITS

export const FREE = 0
export const PENDING = 1
export const COMPLETE = 2

/**
 * The tokens of a runtime as columns, one row a token: a row is free, pending, or complete and not redeemed. Rows are
 * reused first in, first out, so that a token that was kept too long is told from its successor for 32,767 lives of
 * the row.
 */
export class TokenTable {
  readonly capacity: number
  readonly state: Uint8Array
  readonly qd: Int32Array
  /** The list in which a row is: of its descriptor while pending, of the ready ones when complete. See {@link TokenList}. */
  readonly previous: Int32Array
  readonly next: Int32Array
  readonly lists: (TokenList | undefined)[]
  /** Registration of a `waitAny` that the token takes part in, and its place in that list. */
  readonly group: Int32Array
  readonly position: Int32Array
  readonly completions: (Completion | undefined)[]
  readonly resolvers: (((completion: Completion) => void) | undefined)[]
  outstanding = 0

  readonly #generation: Int32Array
  readonly #freeRows: Int32Array
  #freeAt = 0

  constructor(capacity: number) {
    this.capacity = capacity
    this.state = new Uint8Array(capacity)
    this.qd = new Int32Array(capacity)
    this.previous = new Int32Array(capacity)
    this.next = new Int32Array(capacity)
    this.lists = new Array(capacity).fill(undefined)
    this.group = new Int32Array(capacity)
    this.position = new Int32Array(capacity)
    this.completions = new Array(capacity).fill(undefined)
    this.resolvers = new Array(capacity).fill(undefined)
    this.#generation = new Int32Array(capacity).fill(1)
    this.#freeRows = Int32Array.from({ length: capacity }, (_, row) => row)
  }

  /** Takes a row for a pending token; the caller has made sure that there is one. */
  allocate(qd: QueueDescriptor): number {
    this.outstanding++
    const row = this.#freeRows[this.#freeAt]
    this.#freeAt = this.#freeAt + 1 === this.capacity ? 0 : this.#freeAt + 1
    this.state[row] = PENDING
    this.qd[row] = qd
    return row
  }

  /** Frees a row, which ends its token. */
  free(row: number): void {
    this.state[row] = FREE
    this.group[row] = 0
    this.completions[row] = undefined
    this.resolvers[row] = undefined
    this.#generation[row] = this.#generation[row] === MAX_GENERATION ? 1 : this.#generation[row] + 1
    const end = this.#freeAt + (this.capacity - this.outstanding)
    this.#freeRows[end >= this.capacity ? end - this.capacity : end] = row
    this.outstanding--
  }

  tokenOf(row: number): QueueToken {
    return ((this.#generation[row] << SLOT_BITS) | row) as QueueToken
  }

  /** The row of an outstanding token, or -1. */
  rowOf(token: QueueToken): number {
    const row = token & SLOT_MASK
    return row < this.capacity && this.state[row] !== FREE && this.tokenOf(row) === token ? row : -1
  }
}
