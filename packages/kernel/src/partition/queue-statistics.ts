import { BLOCK_COUNTERS, Counters, NetCounters } from '@parakernel/hal'
import type { PartitionPlan } from '../contracts.ts'
import type { LeasedGrant } from '../lease/resource.ts'
import type { PartitionStatistics } from './handle.ts'

/** The counters of a partition's queues, read from shared memory without the partition's help. */
export class QueueCounters {
  readonly #queues: NetCounters[] = []
  readonly #blocks: Counters<(typeof BLOCK_COUNTERS)[number]>[] = []

  constructor({ grants, blockGrants = [], leases = [] }: PartitionPlan) {
    for (const grant of grants) this.add({ lease: 0, kind: 'net-queue', grant })
    for (const grant of blockGrants) this.add({ lease: 0, kind: 'block-queue', grant })
    for (const leased of leases) this.add(leased)
  }

  /** What it was handed while it runs. */
  add({ kind, grant }: LeasedGrant): void {
    if (kind === 'net-queue') this.#queues.push(new NetCounters(grant.counters))
    else if (kind === 'block-queue') this.#blocks.push(new Counters(BLOCK_COUNTERS, grant.counters))
  }

  snapshot(): Pick<PartitionStatistics, 'queues' | 'blocks'> {
    return {
      queues: this.#queues.map((counters) => counters.snapshot()),
      blocks: this.#blocks.map((counters) => counters.snapshot()),
    }
  }
}
