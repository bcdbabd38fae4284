import { startNetwork } from '@parakernel/config'
import type { PartitionContext, Pollable } from '@parakernel/kernel'
import { LibOSTransport } from './client/libos-transport.ts'
import { type LoadOptions, LoadRunner } from './load/load-runner.ts'
import { type LoadMemory, LoadStatistics } from './load/load-statistics.ts'

export interface LoadData {
  readonly options: LoadOptions
  readonly server: { readonly address: string; readonly port: number }
  readonly memory: LoadMemory
}

/** The load generator on a NIC of its own, for `compose`. Starts when it is told to. */
export async function partition(context: PartitionContext<LoadData>) {
  const libos = await startNetwork(context)
  const { options, server, memory } = context.data
  const transport = new LibOSTransport(libos, server)
  const runner = new LoadRunner(transport, options, new LoadStatistics(memory))
  const pollable: Pollable = {
    wake: { kind: 'none' },
    poll: () => runner.tick(),
    // There is always something to send, or a schedule to keep.
    arm: () => !runner.done,
  }
  return {
    methods: {
      start: () => context.loop.add(pollable),
      elapsed: () => runner.elapsed,
      frames: () => ({ exhausted: libos.pool.exhausted, available: libos.pool.available }),
    },
    async stop() {
      context.loop.remove(pollable)
      runner.engine.close()
      await transport.close()
    },
  }
}
