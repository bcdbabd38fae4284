import type { ErrorCode } from '@parakernel/hal'
import type { ScatterGatherArray } from '../scatter-gather.ts'
import type { Completion, QueueDescriptor, QueueToken } from '../types.ts'
import type { Home } from './home.ts'
import { QueueNode } from './queue-node.ts'

/** A queue that stands on others. */
export abstract class DerivedNode extends QueueNode {
  readonly qd: QueueDescriptor
  override readonly sources: readonly QueueNode[]

  constructor(home: Home, capacity: number, sources: readonly QueueNode[]) {
    super(home, capacity)
    this.sources = sources
    this.qd = home.runtime.open(this, home)
  }

  /** Pushes to every source, and completes when all of them have: with the bytes, or the first error. */
  push(sga: ScatterGatherArray): QueueToken {
    return this.pushTo(this.sources, sga)
  }

  protected pushTo(targets: readonly QueueNode[], sga: ScatterGatherArray): QueueToken {
    const token = this.runtime.issue(this.qd)
    let left = targets.length
    let bytes = 0
    let failure: { readonly code: ErrorCode; readonly message: string } | undefined
    const done = (completion: Completion) => {
      if (completion.kind === 'push') bytes = completion.bytes
      else if (completion.kind === 'failed') failure ??= completion
      left--
      if (left > 0 || !this.runtime.isPending(token)) return
      if (failure === undefined) this.runtime.completePush(token, bytes)
      else this.runtime.fail(token, failure.code, failure.message)
    }
    for (const target of targets) this.runtime.notify(target.push(sga), done)
    return token
  }

  protected failedPush(code: ErrorCode, message: string): QueueToken {
    const token = this.runtime.issue(this.qd)
    this.runtime.fail(token, code, message)
    return token
  }
}
