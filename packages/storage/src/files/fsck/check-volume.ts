import { ParakernelError } from '@parakernel/hal'
import { decodeHeader, headerBlock, readHeader } from '../../format/header.ts'
import { read } from '../../medium/awaitable.ts'
import type { Medium } from '../../medium/medium.ts'
import { FILES_VERSION, MAX_CLUSTER, MIN_CLUSTER } from '../layout/constants.ts'
import { type Geometry, geometryOf } from '../layout/geometry.ts'
import { load } from '../load/loader.ts'
import { Problems } from '../load/problems.ts'
import { recover } from '../load/recover.ts'
import { loadSnapshot } from '../snapshot/mount-snapshot.ts'
import { loadSnapshots, type Snapshot } from '../snapshot/slots.ts'
import { countBits } from '../space/bits.ts'
import type { CheckReport } from '../volume.ts'
import { repairVolume } from './repair.ts'

export interface CheckOptions {
  /** Mends what can be mended, and rewrites all metadata. Not atomic: when it is interrupted, run it again. */
  readonly repair?: boolean
}

/**
 * Verifies a volume that is not mounted: headers, checkpoints, journal, every block of metadata, that no cluster has two owners, that
 * the bitmap is right, that the directories are a tree, and each snapshot likewise. Data are `scrub`'s. Without `repair` nothing is written.
 * @throws EINVAL for a medium that holds no volume of this format, EUCLEAN when there is nothing left to check
 */
export async function checkVolume(medium: Medium, options: CheckOptions = {}): Promise<CheckReport> {
  const problems = new Problems()
  const geometry = await findGeometry(medium, problems)
  const recovered = await recover(medium, geometry)
  if (recovered === undefined) {
    throw new ParakernelError('EUCLEAN', 'neither checkpoint of the volume can be read', {
      subject: medium.name,
      remedy: 'Restore the volume from a copy',
    })
  }
  const { root, overlay, records } = recovered
  const loaded = await load({ medium, geometry, root, overlay, problems })
  const snapshots = await loadSnapshots(medium, geometry, root, problems)
  const sound: Snapshot[] = []
  for (const snapshot of snapshots) {
    const own = new Problems()
    const { used } = await loadSnapshot(medium, geometry, snapshot, loaded.checksums, own)
    for (const { message, kind } of own.list) {
      if (kind === 'leak') problems.leak(`snapshot ${snapshot.name}: ${message}`, 'its bitmap is made anew')
      else problems.damage(`snapshot ${snapshot.name}: ${message}`, 'the snapshot is lost')
    }
    if (own.damages === 0) sound.push(own.leaks === 0 ? snapshot : { ...snapshot, words: used })
  }
  const files = [...loaded.inodes.values()].length
  const report = {
    clean: problems.list.length === 0,
    problems: problems.list,
    repaired: false,
    files: files - loaded.directories,
    directories: loaded.directories,
    usedBytes: countBits(loaded.used) * geometry.clusterSize,
    snapshots: snapshots.length,
    replayed: records,
  }
  if (options.repair !== true || report.clean || problems.hopeless) return report
  await repairVolume(medium, recovered, loaded, sound)
  return { ...report, repaired: true }
}

/** The geometry from the first block, or from its copy at the end. */
async function findGeometry(medium: Medium, problems: Problems): Promise<Geometry> {
  const repair = 'it is written anew'
  try {
    const geometry = geometryOf(await readHeader(medium, 'files', FILES_VERSION), medium)
    const copy = await backupHeader(medium, geometry.clusterSize, geometry.clusters)
    if (copy === undefined) problems.damage('the copy of the header is damaged', repair)
    return geometry
  } catch (error) {
    const code = error instanceof ParakernelError ? error.code : undefined
    if (code !== 'EUCLEAN' && code !== 'EIO' && code !== 'EINVAL') throw error
    for (let size = MAX_CLUSTER; size >= Math.max(MIN_CLUSTER, medium.blockSize); size /= 2) {
      const geometry = await backupHeader(medium, size, Math.floor(medium.byteLength / size))
      if (geometry === undefined) continue
      problems.damage('the header is damaged; its copy at the end is not', repair)
      return geometry
    }
    throw error
  }
}

async function backupHeader(medium: Medium, clusterSize: number, clusters: number): Promise<Geometry | undefined> {
  // A medium that was cut to less than a cluster has no end to look at.
  if (clusters < 1) return undefined
  try {
    const bytes = await read(medium, (clusters - 1) * clusterSize, Math.max(clusterSize, headerBlock(medium)))
    const header = decodeHeader(bytes)
    if (typeof header === 'string' || header.kind !== 'files' || header.version !== FILES_VERSION) return undefined
    if (header.parameters[0] !== clusterSize || header.parameters[1] !== clusters) return undefined
    return geometryOf(header, medium)
  } catch (error) {
    if (error instanceof ParakernelError && (error.code === 'EIO' || error.code === 'EUCLEAN')) return undefined
    throw error
  }
}
