import { ParakernelError } from '@parakernel/hal'
import type { Loop, PartitionContext } from '@parakernel/kernel'
import { createQueueRuntime, type NetworkLibOS, type NetworkLibOSFactory, type QueueRuntime } from '@parakernel/queue'

/** What a partition must know to build its network: clonable, part of its plan. */
export interface NetworkPlan {
  /** URL of the libOS's module: the worker imports it without looking any package up. */
  readonly module: string
  readonly options: Readonly<Record<string, unknown>>
}

/** Where a context keeps its network; registered, so that two copies of this package in one process agree. */
const NETWORK = Symbol.for('parakernel.config.network')

interface NetworkSlot {
  readonly plan: NetworkPlan
  started: Promise<NetworkLibOS> | undefined
}

type WithNetwork = { readonly [NETWORK]?: NetworkSlot }

/**
 * The network of a partition: builds the libOS that the config names over the partition's queues. Calling it again gives the
 * same one. It is shut down when the machine stops, after the partition's own `stop`.
 * @throws EINVAL for a context that `compose` did not make; what the libOS throws
 */
export function startNetwork(context: PartitionContext<unknown>): Promise<NetworkLibOS> {
  const slot = (context as WithNetwork)[NETWORK]
  if (slot === undefined) {
    throw new ParakernelError('EINVAL', 'has no network in its plan', {
      subject: `partition ${context.name}`,
      remedy: 'Start it by compose(), and hand on the context as it came',
    })
  }
  slot.started ??= createNetwork(slot.plan, context)
  return slot.started
}

/** The context that a partition's own module sees. */
export function contextWithNetwork<Data>(
  context: PartitionContext<unknown>,
  data: Data,
  plan: NetworkPlan,
): PartitionContext<Data> {
  const slot: NetworkSlot = { plan, started: undefined }
  return Object.create(context, {
    data: { value: data, enumerable: true },
    [NETWORK]: { value: slot },
  }) as PartitionContext<Data>
}

/** The network that was started in a context, if one was and came up. */
export async function startedNetwork(context: PartitionContext<unknown>): Promise<NetworkLibOS | undefined> {
  return (context as WithNetwork)[NETWORK]?.started?.catch(() => undefined)
}

async function createNetwork(
  { module, options }: NetworkPlan,
  context: PartitionContext<unknown>,
): Promise<NetworkLibOS> {
  const { libos } = (await import(/* @vite-ignore */ module)) as { libos: NetworkLibOSFactory<object> }
  const { pool, clock, host, loop, queues, index, partitions } = context
  return libos.create(options, {
    pool,
    clock,
    ...(host === undefined ? {} : { host }),
    loop,
    runtime: runtimeOf(loop),
    queues,
    partition: index,
    partitions,
  })
}

const runtimes = new WeakMap<Loop, QueueRuntime>()

/** One runtime a thread, so that one wait spans everything in it. */
function runtimeOf(loop: Loop): QueueRuntime {
  const runtime = runtimes.get(loop) ?? createQueueRuntime(loop)
  runtimes.set(loop, runtime)
  return runtime
}
