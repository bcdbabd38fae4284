import { startNetwork } from '@parakernel/config'
import type { PartitionContext } from '@parakernel/kernel'
import type { Durability } from '@parakernel/queue'
import { openPartitionLog, type Persistence } from './persist/open-log.ts'
import type { StoreLocation } from './server/foreign-reads.ts'
import { type KvsServerOptions, openServer } from './server/kvs-server.ts'
import { channelOf } from './server/ring-ports.ts'

/** What every partition of a server is told: clonable. */
export type ServerData = Pick<
  KvsServerOptions,
  'port' | 'memcachedPort' | 'guard' | 'key' | 'mode' | 'concurrency' | 'expectedItemBytes'
> & { readonly persistence?: Persistence; readonly durability?: Durability }

/** One partition of the key-value server, for `compose`. */
export async function partition(context: PartitionContext<ServerData>) {
  const { persistence = 'none', durability = 'flushed', ...data } = context.data
  const libos = await startNetwork(context)
  const kept = persistence === 'none' ? undefined : await openPartitionLog(context, persistence)
  const channel = channelOf(context)
  const { server, recovered } = await openServer(libos, {
    ...data,
    index: context.index,
    partitions: context.partitions,
    heap: context.heap,
    channel,
    shared: context.queues.length > 0,
    journal: kept === undefined ? undefined : { log: kept.log, loop: context.loop, durability },
  }).catch((error: unknown) => {
    kept?.close()
    throw error
  })
  if (channel !== undefined) context.loop.add(channel)
  const { state } = server
  return {
    methods: {
      location: () => server.location,
      readOthers: (stores: readonly StoreLocation[]) => server.readOthers(stores),
      addresses: () => libos.addresses,
      recovered: () => recovered,
      statistics: () => ({
        store: state.store.statistics(),
        server: state.counters.snapshot(),
        kernel: state.store.kernel,
        frames: { exhausted: state.pool.exhausted, available: state.pool.available },
        log: kept?.log.counters.snapshot(),
      }),
    },
    async stop() {
      if (channel !== undefined) context.loop.remove(channel)
      try {
        // First, so that the replies that wait for it still go out.
        await state.journal?.close()
      } finally {
        server.close()
        kept?.close()
      }
    },
  }
}
