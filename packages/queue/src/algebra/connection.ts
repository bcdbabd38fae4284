import type { ErrorCode } from '@parakernel/hal'
import type { ScatterGatherArray } from '../scatter-gather.ts'
import type { Completion, QueueToken } from '../types.ts'
import { DerivedNode } from './derived.ts'
import type { Element, Ending } from './element.ts'
import type { Home } from './home.ts'
import { RETRY } from './libos-node.ts'
import type { Consumer, GiveBack, QueueNode } from './queue-node.ts'

/** Pushes that a connection has under way at once: more arrive than one by one, and a slow target holds the source up. */
const WINDOW = 16

/**
 * A pipe: pops one queue and pushes what comes to another, for as long as both are open, and no faster than the target takes it. A
 * pop of the connection completes when it ends: empty at the end of the source, or failed as the source or the target did.
 */
export class Connection extends DerivedNode implements Consumer {
  /** Elements and bytes that the target has taken. */
  elements = 0
  bytes = 0
  readonly #source: QueueNode
  readonly #target: QueueNode
  #underWay = 0
  #isAsking = false
  #ended: Ending | undefined
  #isClosed = false
  readonly #ask = () => {
    if (this.#isAsking || this.#ended !== undefined || this.#isClosed || this.#underWay >= WINDOW) return
    this.#isAsking = true
    this.#source.request(this)
  }
  readonly #pushed = (completion: Completion) => {
    this.#underWay--
    if (completion.kind === 'push') {
      this.elements++
      this.bytes += completion.bytes
    } else if (completion.kind === 'failed') this.#ended ??= completion
    if (this.#ended === undefined) this.runtime.loop.defer(this.#ask)
    else this.#finishWhenDone()
  }

  constructor(home: Home, source: QueueNode, target: QueueNode) {
    super(home, 1, [source])
    this.#source = source
    this.#target = target
  }

  open(): this {
    this.#ask()
    return this
  }

  /** Out of the midst of a completion, in which no libOS may be called. */
  take({ sga }: Element): void {
    this.#isAsking = false
    this.#underWay++
    this.runtime.loop.defer(() => this.#handOn(sga))
    this.runtime.loop.wake()
  }

  override finish(ending: Ending): void {
    this.#isAsking = false
    this.#ended ??= ending
    this.#finishWhenDone()
  }

  override push(_sga: ScatterGatherArray): QueueToken {
    return this.failedPush('ENOTSUP', 'nothing is pushed to a connection: push to the queue that it reads')
  }

  override close(giveBack: GiveBack): void {
    this.#isClosed = true
    this.#source.leave(this, [])
    super.close(giveBack)
  }

  describe() {
    const what = `${this.elements} elements, ${this.bytes} bytes to queue ${this.#target.name}`
    const why = 'queues may be of several libOSes'
    return { operation: 'qconnect', runs: 'software', what, why } as const
  }

  protected fetch(): void {}

  #handOn(sga: ScatterGatherArray): void {
    let token: QueueToken
    try {
      token = this.#target.push(sga)
    } catch (error) {
      const { code = 'EIO', message } = error as Error & { code?: ErrorCode }
      if (code === 'ENOBUFS' && !this.#isClosed) {
        // Too many tokens are outstanding: until some are redeemed.
        this.runtime.loop.timers.at(this.runtime.loop.now + RETRY, () => this.#handOn(sga))
        return
      }
      sga.free()
      this.#underWay--
      this.finish({ code, message })
      return
    }
    sga.free()
    this.runtime.notify(token, this.#pushed)
    this.#ask()
  }

  #finishWhenDone(): void {
    if (this.#underWay === 0 && this.#ended !== undefined) super.finish(this.#ended)
  }
}
