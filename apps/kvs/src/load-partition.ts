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
    // A schedule is kept by looking at the clock; without one, answers wake the loop, and the timer below the retries.
    arm: () => options.rate > 0 && !runner.done,
  }
  let timer = 0
  return {
    methods: {
      start() {
        context.loop.add(pollable)
        timer = context.loop.timers.every(2e6, () => runner.tick())
      },
      elapsed: () => runner.elapsed,
      frames: () => ({ exhausted: libos.pool.exhausted, available: libos.pool.available }),
    },
    async stop() {
      context.loop.remove(pollable)
      if (timer !== 0) context.loop.timers.cancel(timer)
      runner.engine.close()
      await transport.close()
    },
  }
}
