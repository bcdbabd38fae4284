import type { PartitionContext, PartitionExports, PartitionMain } from '@parakernel/kernel'
import { observedMethods } from './observed.ts'
import { contextWithSlots, startedSlot } from './slot.ts'
import type { NetworkPlan } from './start-network.ts'
import type { StoragePlan } from './start-storage.ts'

/** What `compose` puts into a plan: the application's module and data, and how to build its libOSes. */
export interface Payload {
  readonly module: string
  readonly data: unknown
  readonly network: NetworkPlan
  readonly storage: StoragePlan | undefined
}

/** Answers the counters of the partition's libOSes to `Machine.statistics`. */
export const STATISTICS = 'parakernel:statistics'

/** Counters of a libOS, by group. */
export type LibOSStatistics = Readonly<Record<string, Readonly<Record<string, number>>>>

export interface PartitionLibOSStatistics {
  readonly network: LibOSStatistics | undefined
  readonly storage: LibOSStatistics | undefined
}

interface LibOS {
  statistics(): LibOSStatistics
  shutdown(): Promise<void>
}

/** Runs the application's partition module, and shuts its libOSes down after it. */
export const partition: PartitionMain<Payload> = async (context) => {
  const { module, data, network, storage } = context.data
  const own = contextWithSlots(context, data, { network, storage })
  const started = (name: 'network' | 'storage') => startedSlot<LibOS>(name, own)
  const shutDown = async () => {
    try {
      await (await started('storage'))?.shutdown()
    } finally {
      await (await started('network'))?.shutdown()
    }
  }
  try {
    const exports = await runMain(module, own)
    return {
      methods: {
        ...exports?.methods,
        ...observedMethods(context),
        [STATISTICS]: async (): Promise<PartitionLibOSStatistics> => ({
          network: (await started('network'))?.statistics(),
          storage: (await started('storage'))?.statistics(),
        }),
      },
      async stop() {
        try {
          await exports?.stop?.()
        } finally {
          await shutDown()
        }
      },
    }
  } catch (error) {
    await shutDown()
    throw error
  }
}

async function runMain(module: string, context: PartitionContext): Promise<PartitionExports | undefined> {
  const { partition: main } = (await import(/* @vite-ignore */ module)) as { partition?: PartitionMain }
  if (main === undefined) throw new TypeError(`${module} has no export "partition"`)
  return main(context)
}
