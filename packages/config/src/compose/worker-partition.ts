import type { PartitionPlan } from '@parakernel/kernel'
import type { Payload } from '../partition/main.ts'
import type { RunningPartition } from './running-partition.ts'
export async function startInWorker(_plan: PartitionPlan<Payload>): Promise<RunningPartition> {
  throw new Error('not yet')
}
