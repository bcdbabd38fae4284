import { BLOCK_COUNTERS, Counters, type NetDevice } from '@parakernel/hal'
import type { Lease, LeaseLoss } from './lease.ts'
import type { LeasedGrant } from './resource.ts'

export const NO_LOSS: LeaseLoss = { packets: 0, commands: 0 }

/** Call it before a repossession; what it returns says afterwards what that cost. Reads counters only, and asks nothing of the holder. */
export function lossMeter({ resource, leased, commandsBefore }: Lease): () => LeaseLoss {
  if (resource.kind === 'net-queue') {
    const { device, queue } = resource
    const before = droppedBy(device, queue)
    return () => ({ packets: droppedBy(device, queue) - before, commands: 0 })
  }
  if (leased?.kind !== 'block-queue') return () => NO_LOSS
  const commands = Math.max(0, commandsUnderWay(leased) - commandsBefore)
  return () => ({ packets: 0, commands })
}

/** Commands that a queue has accepted and nobody has seen complete, over all its holders. */
export function commandsUnderWay(leased: LeasedGrant | undefined): number {
  if (leased?.kind !== 'block-queue') return 0
  const { submitted, completed } = new Counters(BLOCK_COUNTERS, leased.grant.counters).snapshot()
  return submitted - completed
}

/** Packets that came for a queue and reached nobody. */
function droppedBy(device: NetDevice, queue: number): number {
  const counted = device.queueStatistics(queue)
  return counted.rxDroppedNoFrame + counted.rxDroppedRingFull
}
