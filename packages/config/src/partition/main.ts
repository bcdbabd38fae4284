import type { PartitionContext, PartitionExports, PartitionMain } from '@parakernel/kernel'
import { contextWithNetwork, type NetworkPlan, startedNetwork } from './start-network.ts'

/** What `compose` puts into a plan: the application's module and data, and how to build the network. */
export interface Payload {
  readonly module: string
  readonly data: unknown
  readonly network: NetworkPlan
}

/** Answers the libOS's counters to `Machine.statistics`. */
export const STATISTICS = 'parakernel:statistics'

/** Runs the application's partition module, and shuts its network down after it. */
export const partition: PartitionMain<Payload> = async (context) => {
  const { module, data, network } = context.data
  const own = contextWithNetwork(context, data, network)
  try {
    const exports = await runMain(module, own)
    return {
      methods: {
        ...exports?.methods,
        [STATISTICS]: async () => (await startedNetwork(own))?.statistics(),
      },
      async stop() {
        try {
          await exports?.stop?.()
        } finally {
          await shutDown(own)
        }
      },
    }
  } catch (error) {
    await shutDown(own)
    throw error
  }
}

async function runMain(module: string, context: PartitionContext): Promise<PartitionExports | undefined> {
  const { partition: main } = (await import(/* @vite-ignore */ module)) as { partition?: PartitionMain }
  if (main === undefined) throw new TypeError(`${module} has no export "partition"`)
  return main(context)
}

async function shutDown(context: PartitionContext): Promise<void> {
  await (await startedNetwork(context))?.shutdown()
}
