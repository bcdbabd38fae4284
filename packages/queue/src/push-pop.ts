import type { FramePool } from '@parakernel/hal'
import type { ScatterGatherArray } from './scatter-gather.ts'
import type { QueueDescriptor, QueueToken } from './types.ts'

/** What a network and a storage libOS have in common: descriptors that are pushed to and popped from. */
export interface PushPop {
  readonly name: string
  readonly pool: FramePool
  push(qd: QueueDescriptor, sga: ScatterGatherArray): QueueToken
  pop(qd: QueueDescriptor, limit?: number): QueueToken
  close(qd: QueueDescriptor): void
  asyncClose(qd: QueueDescriptor): QueueToken
}
