import { createPlainWindow, DebugFramePool, FramePool } from '@parakernel/hal'
import { libos as networkLibos } from '@parakernel/host'
import { RunLoop } from '@parakernel/kernel'
import type { FsxParty, StorageLibosFixture, StorageSetup } from '@parakernel/libos-conformance'
import { createHost } from '@parakernel/linux'
import { createQueueRuntime, type StorageLibOS } from '@parakernel/queue'
import { checkVolume } from '../../src/files/index.ts'
import { openBlockMedium, openPersistentMedium } from '../../src/index.ts'
import { type StorageOptions, storageLibos } from '../../src/libos/index.ts'
import type { MediaKind } from './media.ts'

export const MIB = 1 << 20
const FRAME_SIZE = 4096

export interface VolumeOptions extends StorageSetup {
  readonly storage?: StorageOptions
  readonly frames?: number
  /** Finds misuse of frames, at a price. */
  readonly debug?: boolean
}

/** A libOS over media of a kind, on a loop of its own that runs as a guest. */
export async function openVolume(kind: MediaKind, options: VolumeOptions = {}) {
  const { tokens, descriptors, bytes = 16 * MIB, frames = 1024, debug = true } = options
  const media = await kind.open(bytes)
  const loop = new RunLoop({ host: createHost() })
  loop.start()
  const window = createPlainWindow(frames, { frameSize: FRAME_SIZE, headroom: 0 })
  const pool = debug ? new DebugFramePool(window) : new FramePool(window)
  const runtime = createQueueRuntime(loop, {
    ...(tokens === undefined ? {} : { tokens }),
    ...(descriptors === undefined ? {} : { descriptors }),
  })
  let last: StorageLibOS
  const open = async (more: StorageOptions = {}) => {
    const attached = await media.attach(pool)
    last = await storageLibos.create(
      { ...options.storage, ...more },
      { loop, runtime, pool, partition: 0, partitions: 1, ...attached },
    )
    return last
  }
  const party = {
    libos: await open(),
    network: {
      libos: await networkLibos.create(
        { address: '127.0.0.1' },
        { loop, runtime, pool, clock: loop.clock, queues: [], partition: 0, partitions: 1 },
      ),
      address: '127.0.0.1',
    },
    reopen: open,
    async powerCut() {
      media.powerCut?.()
      // The libOS learns of it by its device; its frames come back.
      await last.shutdown().catch(() => {})
      return open()
    },
    async check() {
      const { block, persistent } = await media.attach(pool)
      const medium =
        block === undefined ? openPersistentMedium(persistent as never, pool, loop) : openBlockMedium(block, loop)
      try {
        const report = await checkVolume(medium)
        if (!report.clean) throw new Error(report.problems.map(({ message }) => message).join('\n'))
      } finally {
        medium.close()
      }
    },
    async close() {
      await party.network.libos.shutdown()
      await media.close()
      loop.stop()
    },
  } satisfies StorageLibosFixture & FsxParty
  return { ...party, loop, runtime, pool, media }
}
