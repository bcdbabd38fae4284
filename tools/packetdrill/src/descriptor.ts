import type { ErrorCode } from '@parakernel/hal'
import type { Completion, QueueDescriptor, QueueToken } from '@parakernel/queue'

/** A POSIX descriptor: a queue of the libOS, with what POSIX keeps between calls. */
export class Descriptor {
  readonly number: number
  readonly qd: QueueDescriptor
  readonly family: number
  readonly stream: boolean
  nonblocking: boolean
  /** SHUT_RD: reads find the end of the stream; the queues have no such call. */
  readEnded = false
  /** An accept that waits across calls: taking it back would drop a connection that has come meanwhile. */
  accepting: QueueToken | undefined
  connecting: QueueToken | undefined
  /** What SO_ERROR tells, once. */
  error: ErrorCode | undefined

  constructor(number: number, qd: QueueDescriptor, family: number, stream: boolean, nonblocking: boolean) {
    this.number = number
    this.qd = qd
    this.family = family
    this.stream = stream
    this.nonblocking = nonblocking
  }
}

/** A call that waits for a token. */
export interface BlockedCall {
  readonly token: QueueToken
  finish(completion: Completion): void
}
