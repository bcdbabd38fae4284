import { type ErrorCode, ParakernelError } from '@parakernel/hal'
import type { Loop } from '@parakernel/kernel'
import type { PushPop } from '../push-pop.ts'
import type { QueueOwner, QueueRuntime } from '../queue-runtime.ts'
import type { ScatterGatherArray } from '../scatter-gather.ts'
import type { Completion, QueueDescriptor, QueueToken, SocketAddress } from '../types.ts'
import { DescriptorTable } from './descriptor-table.ts'
import { TokenList } from './token-list.ts'
import { COMPLETE, MAX_TOKENS, PENDING, TokenTable } from './token-table.ts'
import { takenToken, unknownToken, WaitGroup } from './wait-group.ts'

export interface QueueRuntimeOptions {
  /** Tokens that may be outstanding, completed ones included; at most and by default 65,536. */
  readonly tokens?: number
  /** Completed tokens that may wait to be redeemed before `issue` refuses further ones; by default as many as `tokens`. */
  readonly completions?: number
  /** Queues that may be open; default 65,536. */
  readonly descriptors?: number
}

/** Creates the table of queues and tokens of `loop`'s thread. One a thread is the rule: one wait then spans every libOS. */
export function createQueueRuntime(loop: Loop, options: QueueRuntimeOptions = {}): QueueRuntime {
  const { tokens = MAX_TOKENS, completions = tokens, descriptors = 65_536 } = options
  checkCount(tokens, MAX_TOKENS, 'tokens')
  checkCount(completions, tokens, 'completions')
  return new TableRuntime(loop, tokens, completions, descriptors)
}

function checkCount(count: number, most: number, what: string): void {
  if (Number.isInteger(count) && count > 0 && count <= most) return
  throw new ParakernelError('EINVAL', `${count} ${what} are not between 1 and ${most}`, { subject: 'queue runtime' })
}

class TableRuntime implements QueueRuntime {
  readonly loop: Loop
  strays = 0
  refused = 0
  readonly #tokens: TokenTable
  readonly #completions: number
  readonly #descriptors: DescriptorTable
  /** Completed tokens in the order of their completion, but for those of the wait group. */
  readonly #ready: TokenList
  readonly #group: WaitGroup
  /** Pending tokens, and how many of them only Node's loop can move on. */
  #pending = 0
  #pendingOnNode = 0

  // What the synchronous wait that is under way looks for. There is at most one: rounds do not nest.
  #target = -1
  #waitsForGroup = false
  readonly #targetDone = () => this.#tokens.state[this.#target] !== PENDING
  readonly #groupStirred = () => this.#group.stirred
  readonly #anyReady = () => this.#ready.size > 0

  #resolverRow = 0
  readonly #keepResolver = (resolve: (completion: Completion) => void) => {
    this.#tokens.resolvers[this.#resolverRow] = resolve
  }

  constructor(loop: Loop, tokens: number, completions: number, descriptors: number) {
    this.loop = loop
    this.#completions = completions
    this.#tokens = new TokenTable(tokens)
    this.#descriptors = new DescriptorTable(descriptors, this.#tokens)
    this.#ready = new TokenList(this.#tokens)
    this.#group = new WaitGroup(this.#tokens, this.#ready)
  }

  get outstanding(): number {
    return this.#tokens.outstanding
  }

  get unredeemed(): number {
    return this.#tokens.outstanding - this.#pending
  }

  wait(token: QueueToken, timeout?: number): Completion {
    const row = this.#claimable(token)
    if (this.#tokens.state[row] === PENDING) {
      if (timeout !== 0 && this.#onNode(row)) throw needsNode(`token ${token}`)
      this.#target = row
      try {
        if (!this.#run(this.#targetDone, timeout)) throw timedOut(`token ${token}`, timeout)
      } finally {
        this.#target = -1
      }
      if (this.#tokens.rowOf(token) < 0) throw unknownToken(token)
    }
    return this.#redeem(row)
  }

  waitAny(tokens: readonly QueueToken[], timeout?: number): { index: number; completion: Completion } {
    if (tokens.length === 0) throw new ParakernelError('EINVAL', 'the list is empty', { subject: 'waitAny' })
    const group = this.#group
    group.join(tokens)
    const deadline = this.#deadline(timeout)
    for (let row = group.take(tokens); ; row = group.take(tokens)) {
      if (row >= 0) return { index: this.#tokens.position[row], completion: this.#finish(row) }
      if (timeout !== 0 && this.#pendingOnNode > 0 && this.#someOnNode(tokens)) throw needsNode('waitAny')
      this.#waitsForGroup = true
      try {
        if (!this.loop.runUntil(this.#groupStirred, deadline)) throw timedOut('waitAny', timeout)
      } finally {
        this.#waitsForGroup = false
      }
      group.recheck(tokens)
    }
  }

  waitAll(tokens: readonly QueueToken[], timeout?: number): Completion[] {
    if (new Set(tokens).size !== tokens.length) {
      throw new ParakernelError('EINVAL', 'a token is in the list twice', { subject: 'waitAll' })
    }
    for (const token of tokens) this.#claimable(token)
    if (timeout !== 0 && this.#pendingOnNode > 0 && this.#someOnNode(tokens)) throw needsNode('waitAll')
    let done = 0
    const allDone = () => {
      while (done < tokens.length && !this.isPending(tokens[done])) done++
      return done === tokens.length
    }
    if (!allDone() && !this.#run(allDone, timeout)) throw timedOut('waitAll', timeout)
    // A task of the loop may have redeemed one meanwhile: then the others stay.
    const rows = tokens.map((token) => this.#claimable(token))
    return rows.map((row) => this.#redeem(row))
  }

  waitNext(timeout?: number): Completion | undefined {
    // A task of the loop may call this, for what is ready, in the middle of somebody's waitAny.
    if (!this.#waitsForGroup) this.#group.dissolve()
    if (this.#ready.size === 0) {
      if (timeout !== 0 && this.#pending > 0 && this.#pending === this.#pendingOnNode) throw needsNode('waitNext')
      if (!this.#run(this.#anyReady, timeout)) return undefined
    }
    return this.#finish(this.#ready.head)
  }

  completion(token: QueueToken): Promise<Completion> {
    const row = this.#claimable(token)
    if (this.#tokens.state[row] === COMPLETE) return Promise.resolve(this.#redeem(row))
    if (this.#tokens.group[row] === this.#group.epoch) this.#group.dissolve()
    this.#resolverRow = row
    return new Promise(this.#keepResolver)
  }

  notify(token: QueueToken, callback: (completion: Completion) => void): void {
    const row = this.#claimable(token)
    if (this.#tokens.state[row] === COMPLETE) {
      callback(this.#redeem(row))
      return
    }
    if (this.#tokens.group[row] === this.#group.epoch) this.#group.dissolve()
    this.#tokens.resolvers[row] = callback
  }

  cancel(token: QueueToken): boolean {
    const row = this.#tokens.rowOf(token)
    if (row < 0 || this.#tokens.state[row] !== PENDING) return false
    const qd = this.#tokens.qd[row] as QueueDescriptor
    this.#descriptors.owner(qd).cancel(qd, token)
    if (!this.isPending(token)) return false
    this.fail(token, 'ECANCELED', 'cancelled')
    return true
  }

  open(owner: QueueOwner, libos?: PushPop): QueueDescriptor {
    return this.#descriptors.open(owner, libos)
  }

  libosOf(qd: QueueDescriptor): PushPop | undefined {
    return this.#descriptors.libos(qd)
  }

  onClose(qd: QueueDescriptor, listener: () => void): void {
    this.#descriptors.onClose(qd, listener)
  }

  close(qd: QueueDescriptor): void {
    this.#descriptors.owner(qd)
    const pending = this.#descriptors.pending(qd)
    for (let row = pending.head; row >= 0; row = pending.head) {
      this.fail(this.#tokens.tokenOf(row), 'ECANCELED', 'the queue was closed')
    }
    this.#descriptors.forget(qd)
  }

  issue(qd: QueueDescriptor): QueueToken {
    const owner = this.#descriptors.owner(qd)
    const row = this.#takeRow(qd)
    this.#descriptors.pending(qd).push(row)
    this.#pending++
    if (owner.needsNodeLoop === true) this.#pendingOnNode++
    this.loop.wake()
    return this.#tokens.tokenOf(row)
  }

  issuePushed(qd: QueueDescriptor, bytes: number): QueueToken {
    this.#descriptors.owner(qd)
    const row = this.#takeRow(qd)
    const token = this.#tokens.tokenOf(row)
    this.#completeAtOnce(row, { kind: 'push', qd, token, bytes })
    return token
  }

  issuePopped(qd: QueueDescriptor, sga: ScatterGatherArray, source: SocketAddress | undefined): QueueToken {
    this.#descriptors.owner(qd)
    const row = this.#takeRow(qd)
    const token = this.#tokens.tokenOf(row)
    this.#completeAtOnce(row, { kind: 'pop', qd, token, sga, source })
    return token
  }

  isPending(token: QueueToken): boolean {
    const row = this.#tokens.rowOf(token)
    return row >= 0 && this.#tokens.state[row] === PENDING
  }

  completePush(token: QueueToken, bytes: number): void {
    const row = this.#pendingRow(token)
    if (row >= 0) this.#complete(row, { kind: 'push', qd: this.#qdOf(row), token, bytes })
  }

  completePop(token: QueueToken, sga: ScatterGatherArray, source: SocketAddress | undefined): void {
    const row = this.#pendingRow(token)
    if (row >= 0) this.#complete(row, { kind: 'pop', qd: this.#qdOf(row), token, sga, source })
    else sga.free()
  }

  completeAccept(token: QueueToken, accepted: QueueDescriptor, peer: SocketAddress): void {
    const row = this.#pendingRow(token)
    if (row >= 0) this.#complete(row, { kind: 'accept', qd: this.#qdOf(row), token, accepted, peer })
  }

  completeConnect(token: QueueToken): void {
    const row = this.#pendingRow(token)
    if (row >= 0) this.#complete(row, { kind: 'connect', qd: this.#qdOf(row), token })
  }

  completeClose(token: QueueToken): void {
    const row = this.#pendingRow(token)
    if (row >= 0) this.#complete(row, { kind: 'close', qd: this.#qdOf(row), token })
  }

  fail(token: QueueToken, code: ErrorCode, message: string): void {
    const row = this.#pendingRow(token)
    if (row >= 0) this.#complete(row, { kind: 'failed', qd: this.#qdOf(row), token, code, message })
  }

  #takeRow(qd: QueueDescriptor): number {
    const tokens = this.#tokens
    const { outstanding } = tokens
    if (outstanding === tokens.capacity || outstanding - this.#pending >= this.#completions) throw this.#full(qd)
    return tokens.allocate(qd)
  }

  /** A fresh token, of which nobody knows yet: it is in no list, and in no group. */
  #completeAtOnce(row: number, completion: Completion): void {
    this.#tokens.state[row] = COMPLETE
    this.#tokens.completions[row] = completion
    this.#ready.push(row)
    this.#group.meet()
  }

  #full(qd: QueueDescriptor): ParakernelError {
    this.refused++
    const { outstanding, unredeemed } = this
    return new ParakernelError('ENOBUFS', `${outstanding} tokens are outstanding, ${unredeemed} of them completed`, {
      subject: `queue ${qd}`,
      remedy: 'Redeem completed tokens with a wait call before issuing more',
    })
  }

  #qdOf(row: number): QueueDescriptor {
    return this.#tokens.qd[row] as QueueDescriptor
  }

  #pendingRow(token: QueueToken): number {
    const row = this.#tokens.rowOf(token)
    if (row >= 0 && this.#tokens.state[row] === PENDING) return row
    this.strays++
    return -1
  }

  #complete(row: number, completion: Completion): void {
    const tokens = this.#tokens
    const qd = this.#qdOf(row)
    this.#descriptors.pending(qd).remove(row)
    this.#pending--
    if (this.#descriptors.owner(qd).needsNodeLoop === true) this.#pendingOnNode--
    const resolve = tokens.resolvers[row]
    if (resolve !== undefined) {
      tokens.free(row)
      resolve(completion)
      this.loop.requestYield()
      return
    }
    tokens.state[row] = COMPLETE
    tokens.completions[row] = completion
    // The target of a `wait` is in no list, so that nobody else takes it.
    if (row === this.#target) return
    if (tokens.group[row] === this.#group.epoch) this.#group.ready.push(row)
    else {
      this.#ready.push(row)
      this.#group.meet()
    }
  }

  /** Redeems a completed token by name; one of a wait group leaves the group's list out of step. */
  #redeem(row: number): Completion {
    if (this.#tokens.group[row] === this.#group.epoch) this.#group.dissolve()
    return this.#finish(row)
  }

  #finish(row: number): Completion {
    const completion = this.#tokens.completions[row] as Completion
    this.#tokens.lists[row]?.remove(row)
    this.#tokens.free(row)
    return completion
  }

  #claimable(token: QueueToken): number {
    const row = this.#tokens.rowOf(token)
    if (row < 0) throw unknownToken(token)
    if (this.#tokens.resolvers[row] !== undefined) throw takenToken(token)
    return row
  }

  #deadline(timeout: number | undefined): number {
    return timeout === undefined ? Infinity : this.loop.clock.now() + timeout
  }

  #run(done: () => boolean, timeout: number | undefined): boolean {
    return this.loop.runUntil(done, this.#deadline(timeout))
  }

  #onNode(row: number): boolean {
    return this.#descriptors.owner(this.#qdOf(row)).needsNodeLoop === true
  }

  #someOnNode(tokens: readonly QueueToken[]): boolean {
    return tokens.some((token) => this.isPending(token) && this.#onNode(this.#tokens.rowOf(token)))
  }
}

function timedOut(subject: string, timeout: number | undefined): ParakernelError {
  return timeout === undefined
    ? new ParakernelError('ETIMEDOUT', 'nothing is left that could complete it', { subject })
    : new ParakernelError('ETIMEDOUT', `nothing completed within ${timeout} ns`, { subject })
}

function needsNode(subject: string): ParakernelError {
  return new ParakernelError('ENOTSUP', "only Node's own loop can complete this, and a synchronous wait holds it up", {
    subject,
    remedy: 'Use `await runtime.completion(token)`',
  })
}
