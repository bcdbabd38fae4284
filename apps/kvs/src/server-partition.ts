import { startNetwork } from '@parakernel/config'
import type { PartitionContext } from '@parakernel/kernel'
import type { StoreLocation } from './server/foreign-reads.ts'
import { KvsServer, type KvsServerOptions } from './server/kvs-server.ts'
import { channelOf } from './server/ring-ports.ts'

/** What every partition of a server is told: clonable. */
export type ServerData = Pick<
  KvsServerOptions,
  'port' | 'memcachedPort' | 'guard' | 'key' | 'mode' | 'concurrency' | 'expectedItemBytes'
>

/** One partition of the key-value server, for `compose`. */
export async function partition(context: PartitionContext<ServerData>) {
  const libos = await startNetwork(context)
  const channel = channelOf(context)
  const server = new KvsServer(libos, {
    ...context.data,
    index: context.index,
    partitions: context.partitions,
    heap: context.heap,
    channel,
    shared: context.queues.length > 0,
  })
  if (channel !== undefined) context.loop.add(channel)
  const { state } = server
  return {
    methods: {
      location: () => server.location,
      readOthers: (stores: readonly StoreLocation[]) => server.readOthers(stores),
      addresses: () => libos.addresses,
      statistics: () => ({
        store: state.store.statistics(),
        server: state.counters.snapshot(),
        kernel: state.store.kernel,
        frames: { exhausted: state.pool.exhausted, available: state.pool.available },
      }),
    },
    stop() {
      if (channel !== undefined) context.loop.remove(channel)
      server.close()
    },
  }
}
