import { ParakernelError } from '@parakernel/hal'
import type { QueueToken } from '../types.ts'
import { TokenList } from './token-list.ts'
import { COMPLETE, type TokenTable } from './token-table.ts'

/**
 * The tokens of the last `waitAny`. Each is marked with the group's number and its place in the caller's list; when one
 * completes, it goes to the group's own ready list, so that a call costs the same for any number of tokens. The marks
 * outlive the call: the caller's usual next list is the same array with a new token at the place that was returned, and
 * then only that place is looked at again. The whole list is gone through only when that may not be all that changed:
 * another array or length, a member redeemed in another way, or nothing to return while there are completions that nobody
 * claims.
 */
export class WaitGroup {
  /** Number of the current registration; what the table's `group` column holds for members. */
  epoch = 1
  readonly ready: TokenList

  readonly #table: TokenTable
  readonly #unclaimed: TokenList
  #tokens: readonly QueueToken[] | undefined
  #length = 0
  /** Place returned by the last call, or -1. */
  #returned = -1
  /** Completions that nobody laid claim to, since the last `join` or `recheck`: they may be of tokens in the list. */
  #strangers = 0

  constructor(table: TokenTable, unclaimed: TokenList) {
    this.#table = table
    this.#unclaimed = unclaimed
    this.ready = new TokenList(table)
  }

  /** Makes `tokens` the group. @throws EINVAL naming the first token that cannot be waited for */
  join(tokens: readonly QueueToken[]): void {
    if (tokens !== this.#tokens || tokens.length !== this.#length || !this.#follow(tokens)) this.#register(tokens)
    this.#strangers = 0
  }

  /** A token completed that is of no group. */
  meet(): void {
    this.#strangers++
  }

  /** Whether there is a member to redeem, or a reason to look at the list again. */
  get stirred(): boolean {
    return this.ready.size > 0 || this.#strangers > 0
  }

  /** Something happened that the fast path cannot follow: the next `join` goes through its whole list. */
  dissolve(): void {
    this.#tokens = undefined
    this.epoch++
    for (let row = this.ready.head; row >= 0; row = this.ready.head) {
      this.ready.remove(row)
      this.#unclaimed.push(row)
    }
  }

  /** After a while of waiting: goes through the list again if a stranger may be in it, or the group was dissolved. */
  recheck(tokens: readonly QueueToken[]): void {
    if (this.#strangers === 0 && this.#tokens === tokens) return
    this.#register(tokens)
    this.#strangers = 0
  }

  /**
   * Takes the member that completed first, to be redeemed, and returns its row; -1 when there is none. One that the caller
   * took out of the list without a word is not a member any more.
   */
  take(tokens: readonly QueueToken[]): number {
    const { head } = this.ready
    if (head < 0) return -1
    if (tokens[this.#table.position[head]] !== this.#table.tokenOf(head)) {
      this.#register(tokens)
      return this.take(tokens)
    }
    this.#returned = this.#table.position[head]
    return head
  }

  #register(tokens: readonly QueueToken[]): void {
    this.dissolve()
    for (let i = 0; i < tokens.length; i++) {
      const row = this.#rowOf(tokens[i])
      if (this.#table.group[row] !== this.epoch) this.#mark(row, i)
    }
    for (let row = this.#unclaimed.head; row >= 0; ) {
      const next = this.#table.next[row]
      if (this.#table.group[row] === this.epoch) this.#claim(row)
      row = next
    }
    this.#tokens = tokens
    this.#length = tokens.length
    this.#returned = -1
  }

  /**
   * The usual next call: the place that was returned has a new token, the others are what they were. False when more may
   * have changed: then there is nothing to return, and a completed token that nobody claims.
   */
  #follow(tokens: readonly QueueToken[]): boolean {
    if (this.#returned >= 0) {
      const row = this.#rowOf(tokens[this.#returned])
      if (this.#table.group[row] === this.epoch) return false
      this.#mark(row, this.#returned)
      if (this.#table.state[row] === COMPLETE) this.#claim(row)
      this.#returned = -1
    }
    return this.ready.size > 0 || this.#unclaimed.size === 0
  }

  #rowOf(token: QueueToken): number {
    const row = this.#table.rowOf(token)
    if (row < 0 || this.#table.resolvers[row] !== undefined) {
      this.#tokens = undefined
      throw row < 0 ? unknownToken(token) : takenToken(token)
    }
    return row
  }

  #mark(row: number, position: number): void {
    this.#table.group[row] = this.epoch
    this.#table.position[row] = position
  }

  #claim(row: number): void {
    this.#unclaimed.remove(row)
    this.ready.push(row)
  }
}

export function unknownToken(token: QueueToken): ParakernelError {
  return new ParakernelError('EINVAL', 'was redeemed already, or never issued', { subject: `token ${token}` })
}

export function takenToken(token: QueueToken): ParakernelError {
  return new ParakernelError('EINVAL', 'has a promise that waits for it', {
    subject: `token ${token}`,
    remedy: 'Redeem each token in one way only',
  })
}
