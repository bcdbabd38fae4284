import type { NetQueue } from '@parakernel/hal'
import { type PartitionContext, type SteeringPlan, steerQueues } from '@parakernel/kernel'
import type { LibOSInterface, NetworkLibOS, NetworkLibOSFactory } from '@parakernel/queue'
import { runtimeOf } from './runtime.ts'
import { startSlot } from './slot.ts'

/** What a partition must know to build its network: clonable, part of its plan. */
export interface NetworkPlan {
  /** URL of the libOS's module: the worker imports it without looking any package up. */
  readonly module: string
  readonly options: Readonly<Record<string, unknown>>
  /** Further interfaces, with the number of queues that this partition has of each: the last of its queues, in this order. */
  readonly interfaces: readonly {
    readonly name: string
    readonly queues: number
    readonly options: Readonly<Record<string, unknown>>
  }[]
  /** What the partitions do of the steering of the first interface. */
  readonly steering?: SteeringPlan
}

/**
 * The network of a partition: builds the libOS that the config names over the partition's queues. Calling it again gives the
 * same one. It is shut down when the machine stops, after the partition's own `stop`.
 * @throws EINVAL for a context that `compose` did not make; what the libOS throws
 */
export function startNetwork(context: PartitionContext<unknown>): Promise<NetworkLibOS> {
  return startSlot('network', context, createNetwork, 'Start it by compose(), and hand on the context as it came')
}

async function createNetwork(
  { module, options, interfaces, steering }: NetworkPlan,
  context: PartitionContext<unknown>,
): Promise<NetworkLibOS> {
  const { libos } = (await import(/* @vite-ignore */ module)) as { libos: NetworkLibOSFactory<object> }
  const { pool, clock, host, loop, index, partitions } = context
  const { queues: own, further } = shareOut(context.queues, interfaces)
  const queues =
    steering === undefined ? own : steerQueues(own, steering, { partition: index, partitions, clock, host })
  return libos.create(options, {
    pool,
    clock,
    ...(host === undefined ? {} : { host }),
    loop,
    runtime: runtimeOf(loop),
    queues,
    ...(further.length === 0 ? {} : { interfaces: further }),
    partition: index,
    partitions,
  })
}

/** Whose queue is whose: the first interface has what the others leave. */
function shareOut(
  queues: readonly NetQueue[],
  interfaces: NetworkPlan['interfaces'],
): { queues: readonly NetQueue[]; further: readonly LibOSInterface[] } {
  let next = queues.length - interfaces.reduce((sum, one) => sum + one.queues, 0)
  const own = queues.slice(0, next)
  const further = interfaces.map(({ name, queues: count, options }) => {
    const from = next
    next += count
    return { name, options, queues: queues.slice(from, next) }
  })
  return { queues: own, further }
}
