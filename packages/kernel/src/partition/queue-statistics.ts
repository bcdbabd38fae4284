import { BLOCK_COUNTERS, Counters, NetCounters } from '@parakernel/hal'
import type { PartitionPlan } from '../contracts.ts'
import type { PartitionStatistics } from './handle.ts'

/** The counters of a partition's queues, read from shared memory without the partition's help. */
export function queueCounters({
  grants,
  blockGrants = [],
}: PartitionPlan): () => Pick<PartitionStatistics, 'queues' | 'blocks'> {
  const queues = grants.map(({ counters }) => new NetCounters(counters))
  const blocks = blockGrants.map(({ counters }) => new Counters(BLOCK_COUNTERS, counters))
  return () => ({
    queues: queues.map((counters) => counters.snapshot()),
    blocks: blocks.map((counters) => counters.snapshot()),
  })
}
