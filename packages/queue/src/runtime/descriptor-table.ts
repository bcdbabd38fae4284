import { ParakernelError } from '@parakernel/hal'
import type { QueueOwner } from '../queue-runtime.ts'
import type { QueueDescriptor } from '../types.ts'
import { TokenList } from './token-list.ts'
import type { TokenTable } from './token-table.ts'

/** The open queues of a runtime: who owns each, and its pending tokens. Numbers start at 1 and go round. */
export class DescriptorTable {
  readonly #capacity: number
  readonly #tokens: TokenTable
  readonly #owners: (QueueOwner | undefined)[] = [undefined]
  readonly #pending: (TokenList | undefined)[] = [undefined]
  /** Lists of closed queues, for the next ones: numbers go round, and each would keep a list of its own otherwise. */
  readonly #spare: TokenList[] = []
  #last = 0
  #open = 0

  constructor(capacity: number, tokens: TokenTable) {
    this.#capacity = capacity
    this.#tokens = tokens
  }

  /** @throws EMFILE */
  open(owner: QueueOwner): QueueDescriptor {
    if (this.#open === this.#capacity) {
      throw new ParakernelError('EMFILE', `${this.#capacity} queues are open`, {
        subject: 'queue runtime',
        remedy: 'Close some, or create the runtime with more descriptors',
      })
    }
    let qd = this.#last
    do qd = qd === this.#capacity ? 1 : qd + 1
    while (this.#owners[qd] !== undefined)
    this.#last = qd
    this.#open++
    this.#owners[qd] = owner
    this.#pending[qd] = this.#spare.pop() ?? new TokenList(this.#tokens)
    return qd as QueueDescriptor
  }

  /** @throws EBADF */
  owner(qd: QueueDescriptor): QueueOwner {
    const owner = this.#owners[qd]
    if (owner === undefined) throw badDescriptor(qd)
    return owner
  }

  /** Pending tokens of an open queue. */
  pending(qd: QueueDescriptor): TokenList {
    return this.#pending[qd] as TokenList
  }

  /** The queue has no pending tokens any more. */
  forget(qd: QueueDescriptor): void {
    const list = this.#pending[qd]
    if (list !== undefined) this.#spare.push(list)
    this.#pending[qd] = undefined
    this.#owners[qd] = undefined
    this.#open--
  }
}

export function badDescriptor(qd: QueueDescriptor): ParakernelError {
  return new ParakernelError('EBADF', 'is not open', { subject: `queue ${qd}` })
}
