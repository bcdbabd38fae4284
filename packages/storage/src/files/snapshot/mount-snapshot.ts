import type { Medium } from '../../medium/medium.ts'
import { Core } from '../core.ts'
import { Engine } from '../engine.ts'
import { ROOT, TYPE_CHECKPOINT } from '../layout/constants.ts'
import type { Geometry } from '../layout/geometry.ts'
import { TABLE_AT } from '../layout/root.ts'
import { type Loaded, load } from '../load/loader.ts'
import { Problems } from '../load/problems.ts'
import { type MetaBlock, stamp } from '../meta/block.ts'
import { MountedVolume } from '../mounted-volume.ts'
import type { MountOptions, Volume } from '../volume.ts'
import type { Snapshot } from './slots.ts'
import { SnapshotSet } from './snapshot-set.ts'

/** Cache of a mounted snapshot where nothing else is said, in bytes. */
const CACHE = 1 << 20

/** The metadata of a snapshot: it is all at home, the journal says nothing about it. */
export function loadSnapshot(
  medium: Medium,
  geometry: Geometry,
  snapshot: Snapshot,
  checksums: readonly MetaBlock[],
  problems: Problems,
): Promise<Loaded> {
  const root = new Uint8Array(geometry.clusterSize)
  stamp(new DataView(root.buffer), TYPE_CHECKPOINT, ROOT, 0, 0, geometry.uuid)
  root.set(snapshot.table, TABLE_AT)
  return load({ medium, geometry, root, overlay: undefined, problems, snapshotBitmap: snapshot.words, checksums })
}

/** Mounts a snapshot beside its volume, read-only, on the same medium. @throws EUCLEAN, EIO, ENOBUFS */
export async function mountSnapshot(
  live: Engine,
  snapshot: Snapshot,
  options: MountOptions,
  release: () => void,
): Promise<Volume> {
  const { medium, core } = live
  const { geometry } = core
  const name = `${live.name} snapshot ${snapshot.name}`
  try {
    const problems = new Problems()
    const loaded = await loadSnapshot(medium, geometry, snapshot, core.checksums.blocks, problems)
    problems.refuse(name)
    const engine = new Engine({
      core: new Core(loaded, snapshot.words),
      medium,
      name,
      readOnly: true,
      cacheSize: Math.min(options.cacheSize ?? CACHE, CACHE),
      commitInterval: Number.POSITIVE_INFINITY,
      wallClock: live.time,
      epoch: 0,
      sequence: 0,
      checkpointNumber: 0,
    })
    engine.onReleased = release
    const assembled = { engine, snapshots: new SnapshotSet(geometry, []) }
    return new MountedVolume(assembled, options, () => Promise.resolve(assembled))
  } catch (error) {
    release()
    throw error
  }
}
