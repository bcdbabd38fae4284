import { type Host, MonotonicClock, type NetDevice } from '@parakernel/hal'
import { afterOnNode, LeaseTable } from '../lease/lease-table.ts'
import type { RunLoop } from '../loop/run-loop.ts'
import type { PartitionExit } from '../partition/handle.ts'
import { runPartitionInline } from '../partition/inline.ts'
import { spawnPartition } from '../partition/spawn.ts'
import type { PartitionSpecification } from './specification.ts'
import { SupervisedPartition } from './supervised-partition.ts'
import type { Supervision } from './supervision.ts'

export interface ControlPlaneOptions {
  /** Runs partitions inline, on this loop and its clock, instead of in workers. */
  readonly loop?: RunLoop
  readonly host?: Host
  /** URL of the module with the export `host`, for the partitions' own threads. */
  readonly hostModule?: string
}

/**
 * Hands out devices, memory and cores: specification -> leases -> plan -> partition. It alone holds the devices; it never blocks on a
 * partition, and outlives every one of them.
 */
export class ControlPlane {
  readonly leases: LeaseTable
  readonly #supervision: Supervision
  readonly #partitions = new Set<SupervisedPartition>()
  readonly #watched = new Map<NetDevice, () => void>()

  constructor({ loop, host, hostModule }: ControlPlaneOptions = {}) {
    const clock = loop?.clock ?? new MonotonicClock()
    const after = loop === undefined ? afterOnNode : afterOnLoop(loop)
    this.leases = new LeaseTable({ clock, after })
    const withHost = host === undefined ? {} : { host }
    this.#supervision = {
      ...{ leases: this.leases, clock, after, host, hostModule },
      start: (plan) => (loop === undefined ? spawnPartition(plan, withHost) : runPartitionInline(plan, loop, host)),
      watch: (device) => this.#watch(device),
    }
  }

  /** Those that have not ended for good. */
  get partitions(): readonly SupervisedPartition[] {
    return [...this.#partitions]
  }

  /**
   * Starts a partition with what its specification names; see its `ready`.
   * @throws EBUSY naming the owner of what is leased already, and what devices and memory throw; nothing is left behind then
   */
  spawn(specification: PartitionSpecification): SupervisedPartition {
    const partition = new SupervisedPartition(specification, this.#supervision)
    this.#partitions.add(partition)
    void partition.exited.then(() => this.#partitions.delete(partition))
    return partition
  }

  /** Stops every partition, the last one first. The devices stay their owner's to close. */
  async stop(timeout?: number): Promise<readonly PartitionExit[]> {
    const exits: PartitionExit[] = []
    for (const partition of this.partitions.toReversed()) exits.push(await partition.stop(timeout))
    for (const unsubscribe of this.#watched.values()) unsubscribe()
    this.#watched.clear()
    return exits
  }

  #watch(device: NetDevice): void {
    if (this.#watched.has(device)) return
    const unsubscribe = device.subscribe(({ kind }) => {
      if (kind === 'removed') void this.leases.deviceGone(device)
    })
    this.#watched.set(device, unsubscribe)
  }
}

function afterOnLoop({ timers, clock }: RunLoop): Supervision['after'] {
  return (nanoseconds, task) => {
    const timer = timers.at(clock.now() + nanoseconds, task)
    return () => timers.cancel(timer)
  }
}
