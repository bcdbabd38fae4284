import { ParakernelError } from '@parakernel/hal'
import type { PushPop } from '../push-pop.ts'
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
  readonly #liboses: (PushPop | undefined)[] = [undefined]
  readonly #closeListeners: ((() => void) | undefined)[] = []
  /** Lists of closed queues, for the next ones: numbers go round, and each would keep a list of its own otherwise. */
  readonly #spare: TokenList[] = []
  #last = 0
  #open = 0

  constructor(capacity: number, tokens: TokenTable) {
    this.#capacity = capacity
    this.#tokens = tokens
  }

  /** @throws EMFILE */
  open(owner: QueueOwner, libos: PushPop | undefined): QueueDescriptor {
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
    this.#liboses[qd] = libos
    this.#pending[qd] = this.#spare.pop() ?? new TokenList(this.#tokens)
    return qd as QueueDescriptor
  }

  /** @throws EBADF */
  owner(qd: QueueDescriptor): QueueOwner {
    const owner = this.#owners[qd]
    if (owner === undefined) throw badDescriptor(qd)
    return owner
  }

  /** The libOS of an open queue, where it has one. */
  libos(qd: QueueDescriptor): PushPop | undefined {
    return this.#liboses[qd]
  }

  /** @throws EBADF */
  onClose(qd: QueueDescriptor, listener: () => void): void {
    this.owner(qd)
    this.#closeListeners[qd] = listener
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
    this.#liboses[qd] = undefined
    this.#open--
    const listener = this.#closeListeners[qd]
    if (listener === undefined) return
    this.#closeListeners[qd] = undefined
    listener()
  }
}

export function badDescriptor(qd: QueueDescriptor): ParakernelError {
  return new ParakernelError('EBADF', 'is not open', { subject: `queue ${qd}` })
}
