import type { ErrorCode } from '@parakernel/hal'
import type { Loop } from '@parakernel/kernel'
import type { PushPop } from './push-pop.ts'
import type { ScatterGatherArray } from './scatter-gather.ts'
import type { Completion, QueueDescriptor, QueueToken, SocketAddress } from './types.ts'

/** A queue behind a descriptor, as its libOS implements it. */
export interface QueueOwner {
  /** Gives up what stands behind `token` (a pop that waits, a push that was not sent); the runtime completes it. */
  cancel(qd: QueueDescriptor, token: QueueToken): void
  /**
   * True for a queue that only Node's own loop can move on (a socket of Node's). A synchronous wait, which holds that loop
   * up, would never end: `wait*` throws ENOTSUP instead, and `completion` is the way.
   */
  readonly needsNodeLoop?: boolean
}

/**
 * Descriptors and tokens of one thread, shared by every libOS in it, so that one wait spans them all. The upper half is the
 * application's, the lower half the libOSes'.
 */
export interface QueueRuntime {
  readonly loop: Loop

  // The application's half. Each token is redeemed exactly once, by one of these.

  /** Runs the loop until `token` completes. @throws ETIMEDOUT after `timeout` ns (the token stays), EINVAL for an unknown token */
  wait(token: QueueToken, timeout?: number): Completion
  /**
   * The first of `tokens` to complete; index in the list. Costs the same for any number of tokens when the caller keeps
   * one array, puts the next token at the index that was returned, and leaves no completed tokens of other queues lying
   * about; otherwise it goes through the list. @throws as `wait`
   */
  waitAny(tokens: readonly QueueToken[], timeout?: number): { readonly index: number; readonly completion: Completion }
  /**
   * All of `tokens`, in the order of the list; costs as much as they are many. On timeout, and on any other error, none of them is
   * redeemed. @throws as `wait`, and EINVAL for a token that is there twice
   */
  waitAll(tokens: readonly QueueToken[], timeout?: number): Completion[]
  /** The next completion of any token that nobody else waits for; undefined on timeout. Costs the same for any number of tokens. */
  waitNext(timeout?: number): Completion | undefined
  /** The friendly face of the same completions: one promise an operation, resolved also with `failed`. */
  completion(token: QueueToken): Promise<Completion>
  /**
   * What other faces are made of: calls `callback` with the completion, at once when it is there, otherwise out of the midst
   * of the round in which it happens. It must not throw, and must not call a libOS: put that off with `queueMicrotask`.
   */
  notify(token: QueueToken, callback: (completion: Completion) => void): void
  /** Ends a pending token with ECANCELED; false when it had completed (it is still to be redeemed) or is unknown. */
  cancel(token: QueueToken): boolean
  /** Tokens issued and not redeemed. */
  readonly outstanding: number
  /** Of these, the tokens that have completed: their completions wait to be redeemed. Bounded by the option `completions`. */
  readonly unredeemed: number
  /** Times that `issue` refused a token, for too many outstanding or unredeemed ones. */
  readonly refused: number
  /** Completions of tokens that were not pending any more (cancelled, or their queue closed): dropped, their arrays freed. */
  readonly strays: number

  // The libOSes' half.

  /**
   * @param libos through which the application uses the descriptor: what `libosOf` answers
   * @throws EMFILE
   */
  open(owner: QueueOwner, libos?: PushPop): QueueDescriptor
  /** The libOS that a descriptor is used through; undefined for one that is not open, or was opened without. */
  libosOf(qd: QueueDescriptor): PushPop | undefined
  /** Calls `listener` when `qd` is closed, by whomever, behind the failing of its tokens. One a descriptor. @throws EBADF */
  onClose(qd: QueueDescriptor, listener: () => void): void
  /** Fails every pending token of `qd` with ECANCELED, and forgets the descriptor. */
  close(qd: QueueDescriptor): void
  /** @throws ENOBUFS when too many tokens are outstanding, or too many have completed: redeem some first */
  issue(qd: QueueDescriptor): QueueToken
  /** A token that has completed as `push` already: what `issue` and `completePush` do, at half the price. @throws as `issue` */
  issuePushed(qd: QueueDescriptor, bytes: number): QueueToken
  /** The same of a pop. The array stays the caller's when it throws. @throws as `issue` */
  issuePopped(qd: QueueDescriptor, sga: ScatterGatherArray, source: SocketAddress | undefined): QueueToken
  isPending(token: QueueToken): boolean
  completePush(token: QueueToken, bytes: number): void
  completePop(token: QueueToken, sga: ScatterGatherArray, source: SocketAddress | undefined): void
  completeAccept(token: QueueToken, accepted: QueueDescriptor, peer: SocketAddress): void
  completeConnect(token: QueueToken): void
  completeClose(token: QueueToken): void
  fail(token: QueueToken, code: ErrorCode, message: string): void
}
