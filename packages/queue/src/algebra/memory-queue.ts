import type { ScatterGatherArray } from '../scatter-gather.ts'
import { shareSga } from '../scatter-gather-helpers.ts'
import type { QueueDescriptor, QueueToken } from '../types.ts'
import type { Element } from './element.ts'
import { Fifo } from './fifo.ts'
import type { Home } from './home.ts'
import { type GiveBack, QueueNode } from './queue-node.ts'

/**
 * A queue in memory, first in, first out. What is pushed is popped as it is: the same bytes, whose frames count one reference more,
 * nothing copied. A push completes when the element has its place in the queue, so a full one holds its producers up.
 */
export class MemoryQueue extends QueueNode {
  readonly qd: QueueDescriptor
  readonly #pushes = new Fifo<{ readonly token: QueueToken; readonly element: Element }>()

  constructor(home: Home, capacity: number) {
    super(home, capacity)
    this.qd = home.runtime.open(this, home)
  }

  push(sga: ScatterGatherArray): QueueToken {
    const refusal = sga.refusalBy(this.home.pool)
    if (refusal !== undefined) {
      const token = this.runtime.issue(this.qd)
      this.runtime.fail(token, 'EINVAL', refusal)
      return token
    }
    const isFull = this.#pushes.size > 0 || (this.held >= this.capacity && !this.isWanted)
    const token = isFull ? this.runtime.issue(this.qd) : this.runtime.issuePushed(this.qd, sga.byteLength)
    const element: Element = { sga: shareSga(sga), source: undefined }
    if (isFull) this.#pushes.push({ token, element })
    else this.arrive(element)
    return token
  }

  override cancel(qd: QueueDescriptor, token: QueueToken): void {
    const waiting = this.#pushes.drain()
    for (const push of waiting) {
      if (push.token === token) push.element.sga.free()
      else this.#pushes.push(push)
    }
    super.cancel(qd, token)
  }

  override close(giveBack: GiveBack): void {
    for (const { element } of this.#pushes.drain()) element.sga.free()
    super.close(giveBack)
  }

  describe() {
    const what = `${this.held} of ${this.capacity} elements`
    return { operation: 'queue', runs: 'software', what, why: 'it is memory' } as const
  }

  /** What somebody wants may stand in line to be pushed. */
  protected fetch(): void {
    this.served()
  }

  protected override served(): void {
    while (this.#pushes.size > 0 && (this.held < this.capacity || this.isWanted)) {
      const { token, element } = this.#pushes.shift() as { token: QueueToken; element: Element }
      if (!this.runtime.isPending(token)) {
        element.sga.free()
        continue
      }
      this.runtime.completePush(token, element.sga.byteLength)
      this.arrive(element)
    }
  }
}
