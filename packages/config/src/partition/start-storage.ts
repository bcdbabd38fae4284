import type { PartitionContext } from '@parakernel/kernel'
import type { StorageLibOS, StorageLibOSFactory } from '@parakernel/queue'
import { runtimeOf } from './runtime.ts'
import { startSlot } from './slot.ts'

/** What a partition must know to build its storage: clonable, part of its plan. */
export interface StoragePlan {
  /** URL of the libOS's module. */
  readonly module: string
  readonly options: Readonly<Record<string, unknown>>
}

/**
 * The storage of a partition: mounts, by the libOS that the config names, the share of the device that the partition holds. On
 * the same tokens as its network. Calling it again gives the same one. It is shut down when the machine stops, after the
 * partition's own `stop` and before its network. A partition that wants no files takes `context.blocks` or `context.persistent`
 * and does not call this.
 * @throws EINVAL for a context that `compose` did not make, or a config without `storage`; what the libOS throws
 */
export function startStorage(context: PartitionContext<unknown>): Promise<StorageLibOS> {
  const remedy = 'Give the config a "storage", start the partition by compose(), and hand on the context as it came'
  return startSlot('storage', context, createStorage, remedy)
}

async function createStorage(
  { module, options }: StoragePlan,
  context: PartitionContext<unknown>,
): Promise<StorageLibOS> {
  const { storageLibos } = (await import(/* @vite-ignore */ module)) as { storageLibos: StorageLibOSFactory<object> }
  const { pool, loop, index, partitions, blocks, persistent } = context
  return storageLibos.create(options, {
    loop,
    runtime: runtimeOf(loop),
    pool,
    block: blocks[0],
    persistent: persistent[0],
    partition: index,
    partitions,
  })
}
