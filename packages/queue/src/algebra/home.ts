import type { PushPop } from '../push-pop.ts'
import type { QueueRuntime } from '../queue-runtime.ts'

/** What the queues of an algebra have in common: the algebra, as the libOS through which their descriptors are used. */
export interface Home extends PushPop {
  readonly runtime: QueueRuntime
}
