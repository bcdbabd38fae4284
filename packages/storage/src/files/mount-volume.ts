import { ParakernelError } from '@parakernel/hal'
import { readHeader } from '../format/header.ts'
import type { Medium } from '../medium/medium.ts'
import { Core } from './core.ts'
import { Engine } from './engine.ts'
import { FILES_VERSION } from './layout/constants.ts'
import { type Geometry, geometryOf } from './layout/geometry.ts'
import { load } from './load/loader.ts'
import { Problems } from './load/problems.ts'
import { recover } from './load/recover.ts'
import { MountedVolume } from './mounted-volume.ts'
import { loadSnapshots } from './snapshot/slots.ts'
import { SnapshotSet } from './snapshot/snapshot-set.ts'
import type { MountOptions, Volume } from './volume.ts'

const CACHE_SIZE = 4 << 20
const COMMIT_INTERVAL = 5e9

/**
 * Mounts a volume: the last checkpoint, what the journal adds to it, and a check of all metadata. Lives on the medium's loop.
 * @throws EINVAL for a medium that holds no volume of this format or one that is longer than it, EUCLEAN for a damaged one, EIO, and
 * ENOBUFS when the pool has too few frames; nothing is written then
 */
export async function mountVolume(medium: Medium, options: MountOptions = {}): Promise<Volume> {
  const geometry = geometryOf(await readHeader(medium, 'files', FILES_VERSION), medium)
  const mounted = await assemble(medium, geometry, options)
  return new MountedVolume(mounted, options, () => assemble(medium, geometry, options))
}

export interface Assembled {
  readonly engine: Engine
  readonly snapshots: SnapshotSet
}

async function assemble(medium: Medium, geometry: Geometry, options: MountOptions): Promise<Assembled> {
  const { readOnly = false, cacheSize = CACHE_SIZE, commitInterval = COMMIT_INTERVAL } = options
  const recovered = await recover(medium, geometry)
  if (recovered === undefined) {
    throw new ParakernelError('EUCLEAN', 'neither checkpoint of the volume can be read', {
      subject: medium.name,
      remedy: 'Restore the volume from a copy',
    })
  }
  const { root, overlay, epoch, sequence, checkpointNumber } = recovered
  const problems = new Problems()
  const loaded = await load({ medium, geometry, root, overlay, problems })
  const slots = await loadSnapshots(medium, geometry, root, problems)
  problems.refuse(medium.name)
  const snapshots = new SnapshotSet(geometry, slots)
  const core = new Core(loaded, snapshots.frozen)
  const engine = new Engine({
    core,
    medium,
    name: medium.name,
    readOnly,
    cacheSize,
    commitInterval,
    wallClock: options.wallClock ?? (() => Date.now() * 1e6),
    epoch: epoch + 1,
    sequence,
    checkpointNumber,
  })
  if (!readOnly) {
    // The first checkpoint begins an epoch: no record that an earlier mount left behind counts any more.
    const { committer } = engine
    try {
      await committer.exclusive(() => committer.checkpoint())
    } catch (error) {
      await engine.release()
      throw error
    }
    engine.removeOrphans(loaded.orphans)
  }
  return { engine, snapshots }
}
