import { ParakernelError } from '@parakernel/hal'
import type { StorageContext, StorageLibOSFactory } from '@parakernel/queue'
import { makeVolume } from '../files/make-volume.ts'
import { mountVolume } from '../files/mount-volume.ts'
import type { MakeVolumeOptions, MountOptions, Volume } from '../files/volume.ts'
import { openBlockMedium } from '../medium/block-medium.ts'
import type { Medium } from '../medium/medium.ts'
import { openPersistentMedium } from '../medium/persistent-medium.ts'
import { isBlankMedium } from './blank.ts'
import { STORAGE_OPTIONS, type StorageOptions } from './options.ts'
import { VolumeLibOS } from './volume-libos.ts'

/** Nanoseconds a millisecond. */
const MILLISECOND = 1_000_000

export const storageLibos: StorageLibOSFactory<StorageOptions> = {
  kind: 'storage-libos',
  name: 'storage',
  options: STORAGE_OPTIONS,
  needsBackend: true,
  async create(options: StorageOptions, context: StorageContext) {
    const { runtime, loop } = context
    const medium = mediumOf(context)
    try {
      const { readOnly = false, format = true, snapshot, durability = 'flushed' } = options
      if (format && !readOnly && (await isBlankMedium(medium))) await makeVolume(medium, makeOptions(options))
      const live = await mountVolume(medium, mountOptions(options))
      let volume: Volume = live
      try {
        if (snapshot !== undefined) volume = await live.mountSnapshot(snapshot)
        return new VolumeLibOS({
          loop,
          runtime,
          medium,
          volume,
          durability,
          async release() {
            try {
              if (volume !== live) await live.close()
            } finally {
              medium.close()
            }
          },
        })
      } catch (error) {
        await live.close()
        throw error
      }
    } catch (error) {
      medium.close()
      throw error
    }
  },
}

function mediumOf({ block, persistent, pool, loop }: StorageContext): Medium {
  if (block !== undefined) return openBlockMedium(block, loop)
  if (persistent !== undefined) return openPersistentMedium(persistent, pool, loop)
  throw new ParakernelError('EINVAL', 'stands on a block device or on persistent memory, and was given neither', {
    subject: 'libOS storage',
    remedy: 'Set storage.backend, to io-uring with a path for example',
  })
}

function makeOptions({ clusterSize, journalSize, snapshots, checksums }: StorageOptions): MakeVolumeOptions {
  return {
    ...(clusterSize !== undefined && { clusterSize }),
    ...(journalSize !== undefined && { journalSize }),
    ...(snapshots !== undefined && { snapshots }),
    ...(checksums !== undefined && { checksums }),
  }
}

function mountOptions({ readOnly, snapshot, cacheSize, commitInterval }: StorageOptions): MountOptions {
  return {
    // The live volume under a snapshot is not for use.
    readOnly: readOnly === true || snapshot !== undefined,
    ...(cacheSize !== undefined && { cacheSize }),
    ...(commitInterval !== undefined && { commitInterval: commitInterval * MILLISECOND }),
  }
}
