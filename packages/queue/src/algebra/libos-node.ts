import type { ErrorCode } from '@parakernel/hal'
import type { PushPop } from '../push-pop.ts'
import type { ScatterGatherArray } from '../scatter-gather.ts'
import type { Completion, QueueDescriptor, QueueToken } from '../types.ts'
import type { Home } from './home.ts'
import { type GiveBack, QueueNode } from './queue-node.ts'

/** Nanoseconds until a pop that found no token is tried again. */
export const RETRY = 100_000

/** A socket or a file below other queues. Its descriptor is the libOS's; pops go through here while there are queues above it. */
export class LibosNode extends QueueNode {
  /** Of the pops that come through here; the libOS knows its own. */
  readonly qd: QueueDescriptor
  readonly below: QueueDescriptor
  readonly #libos: PushPop
  #fetching: QueueToken | undefined
  #deferred = false
  #closing = false
  readonly #fetch = () => {
    this.#deferred = false
    if (!this.isWanted || this.#fetching !== undefined || this.#closing) return
    try {
      this.#fetching = this.#libos.pop(this.below)
    } catch (error) {
      const { code = 'EIO', message } = error as Error & { code?: ErrorCode }
      // Too many tokens are outstanding: until some are redeemed.
      if (code === 'ENOBUFS') this.runtime.loop.timers.at(this.runtime.loop.now + RETRY, this.#fetch)
      else this.finish({ code, message })
      return
    }
    this.runtime.notify(this.#fetching, this.#completed)
  }
  readonly #completed = (completion: Completion) => {
    this.#fetching = undefined
    if (completion.kind === 'pop') {
      const { sga, source } = completion
      if (sga.segments.length > 0) this.arrive({ sga, source })
      else this.finish('end')
    } else if (completion.kind === 'failed' && !(this.#closing && completion.code === 'ECANCELED')) {
      this.finish({ code: completion.code, message: completion.message })
    }
  }

  constructor(home: Home, libos: PushPop, below: QueueDescriptor, capacity: number) {
    super(home, capacity)
    this.#libos = libos
    this.below = below
    this.qd = home.runtime.open(this, home)
  }

  override get name(): QueueDescriptor {
    return this.below
  }

  push(sga: ScatterGatherArray): QueueToken {
    return this.#libos.push(this.below, sga)
  }

  /** Ends what is above; the socket or file itself is its libOS's to close. */
  override close(giveBack: GiveBack): void {
    this.#closing = true
    if (this.#fetching !== undefined) this.runtime.cancel(this.#fetching)
    super.close(giveBack)
  }

  describe() {
    const { name } = this.#libos
    return { operation: 'socket or file', runs: 'software', what: name, why: `libOS ${name}` } as const
  }

  /** A completion must not call its libOS: the next pop is issued behind it. */
  protected fetch(): void {
    if (this.#deferred || this.#fetching !== undefined) return
    this.#deferred = true
    this.runtime.loop.defer(this.#fetch)
    this.runtime.loop.wake()
  }
}
