import type { Clock, Host, NetDevice } from '@parakernel/hal'
import type { PartitionPlan } from '../contracts.ts'
import type { LeaseTable } from '../lease/lease-table.ts'
import type { PartitionHandle } from '../partition/handle.ts'

/** What a supervised partition needs of its control plane. */
export interface Supervision {
  readonly leases: LeaseTable
  readonly clock: Clock
  readonly host: Host | undefined
  readonly hostModule: string | undefined
  after(nanoseconds: number, task: () => void): () => void
  start(plan: PartitionPlan): PartitionHandle
  /** Its removal ends the leases of its queues. */
  watch(device: NetDevice): void
}
