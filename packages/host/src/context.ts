import type { FramePool } from '@parakernel/hal'
import type { QueueRuntime } from '@parakernel/queue'
import type { HostCounters } from './statistics.ts'

/** What all sockets of a libOS share. */
export interface SocketContext {
  readonly runtime: QueueRuntime
  readonly pool: FramePool
  readonly counters: HostCounters
  /** The libOS's one address of each family, or undefined when it has all of the host. */
  readonly address: string | undefined
  readonly ipv6Address: string | undefined
  readonly receiveQueue: number
}
