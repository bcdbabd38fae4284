import type { FramePool } from '@parakernel/hal'
import type { PushPop, QueueRuntime } from '@parakernel/queue'
import type { HostCounters } from './statistics.ts'

/** What all sockets of a libOS share. */
export interface SocketContext {
  readonly runtime: QueueRuntime
  /** The libOS that their descriptors are used through. */
  readonly libos: PushPop
  readonly pool: FramePool
  readonly counters: HostCounters
  /** The libOS's one address of each family, or undefined when it has all of the host. */
  readonly address: string | undefined
  readonly ipv6Address: string | undefined
  readonly receiveQueue: number
}
