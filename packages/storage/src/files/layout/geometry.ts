import { ParakernelError } from '@parakernel/hal'
import type { ImageHeader } from '../../format/header.ts'
import type { Medium } from '../../medium/medium.ts'
import type { VolumeGeometry } from '../volume.ts'
import {
  BLOCK_HEADER,
  FILES_VERSION,
  INODE_SIZE,
  MAX_CLUSTER,
  MAX_CLUSTERS,
  MAX_SNAPSHOTS,
  MIN_CLUSTER,
  MIN_JOURNAL,
} from './constants.ts'

/** Where everything is, in clusters from the start of the image; all of it follows from five numbers of the header. */
export class Geometry {
  readonly clusterSize: number
  readonly clusters: number
  readonly journalClusters: number
  readonly maxSnapshots: number
  readonly checksums: boolean
  /** As the image names itself, 16 bytes. */
  readonly uuid: Uint8Array

  /** Two clusters, written in turn. */
  readonly checkpoint = 1
  readonly journal = 3
  /** Clusters that one bitmap takes, and clusters that one block of it says something about. */
  readonly bitmapBlocks: number
  readonly bitsPerBlock: number
  readonly bitmap: number
  /** Of each snapshot: a descriptor and a bitmap. */
  readonly snapshots: number
  readonly checksumsPerBlock: number
  readonly checksumBlocks: number
  readonly checksumTable: number
  /** First cluster that is not at a fixed place, and the first behind the last such. */
  readonly dataStart: number
  readonly dataEnd: number

  readonly inodesPerBlock: number
  readonly rowsPerLeaf: number
  readonly pointersPerIndex: number

  constructor(
    clusterSize: number,
    clusters: number,
    journalClusters: number,
    maxSnapshots: number,
    checksums: boolean,
    uuid: Uint8Array,
  ) {
    this.clusterSize = clusterSize
    this.clusters = clusters
    this.journalClusters = journalClusters
    this.maxSnapshots = maxSnapshots
    this.checksums = checksums
    this.uuid = uuid
    const body = clusterSize - BLOCK_HEADER
    this.bitsPerBlock = body * 8
    this.bitmapBlocks = Math.ceil(clusters / this.bitsPerBlock)
    this.bitmap = this.journal + journalClusters
    this.snapshots = this.bitmap + this.bitmapBlocks
    this.checksumsPerBlock = body / 4
    this.checksumBlocks = checksums ? Math.ceil(clusters / this.checksumsPerBlock) : 0
    this.checksumTable = this.snapshots + maxSnapshots * (1 + this.bitmapBlocks)
    this.dataStart = this.checksumTable + this.checksumBlocks
    this.dataEnd = clusters - 1
    // The first place of a block of inodes is its header's.
    this.inodesPerBlock = clusterSize / INODE_SIZE - 1
    this.rowsPerLeaf = Math.floor(body / 12)
    this.pointersPerIndex = body / 8
  }

  /** Where a snapshot's descriptor is; its bitmap follows. */
  snapshotSlot(slot: number): number {
    return this.snapshots + slot * (1 + this.bitmapBlocks)
  }

  get backupHeader(): number {
    return this.clusters - 1
  }

  header(medium: Medium): ImageHeader {
    const { clusterSize, clusters, journalClusters, maxSnapshots, checksums, uuid } = this
    return {
      kind: 'files',
      version: FILES_VERSION,
      blockSize: medium.blockSize,
      byteLength: clusters * clusterSize,
      uuid,
      parameters: [clusterSize, clusters, journalClusters, maxSnapshots, checksums ? 1 : 0],
    }
  }

  describe(): VolumeGeometry {
    const { clusterSize, clusters, maxSnapshots, checksums } = this
    const hex = Array.from(this.uuid, (byte) => byte.toString(16).padStart(2, '0')).join('')
    const uuid = hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
    return {
      uuid,
      clusterSize,
      clusters,
      journalSize: this.journalClusters * clusterSize,
      maxSnapshots,
      checksums,
    }
  }
}

/** Why five numbers are not those of a volume; undefined when they are. */
export function defect(
  clusterSize: number,
  clusters: number,
  journal: number,
  snapshots: number,
  flags: number,
): string | undefined {
  if (!(clusterSize >= MIN_CLUSTER && clusterSize <= MAX_CLUSTER) || (clusterSize & (clusterSize - 1)) !== 0) {
    return `a cluster size of ${clusterSize} is no power of two from ${MIN_CLUSTER} to ${MAX_CLUSTER}`
  }
  if (!Number.isInteger(clusters) || clusters < 1 || clusters > MAX_CLUSTERS) {
    return `${clusters} clusters are not between 1 and ${MAX_CLUSTERS}`
  }
  if (!Number.isInteger(journal) || journal < MIN_JOURNAL || journal > clusters) {
    return `a journal of ${journal} clusters is not between ${MIN_JOURNAL} and the ${clusters} of the volume`
  }
  if (!Number.isInteger(snapshots) || snapshots < 0 || snapshots > MAX_SNAPSHOTS) {
    return `${snapshots} snapshots are not between 0 and ${MAX_SNAPSHOTS}`
  }
  if (flags !== 0 && flags !== 1) return `flags ${flags} are unknown`
  const geometry = new Geometry(clusterSize, clusters, journal, snapshots, flags === 1, new Uint8Array(16))
  if (geometry.dataEnd - geometry.dataStart < 8) {
    return `${clusters} clusters of ${clusterSize} bytes leave no room for files`
  }
  return undefined
}

/** @throws EUCLEAN for numbers that cannot be */
export function geometryOf(header: ImageHeader, medium: Medium): Geometry {
  const [clusterSize, clusters, journal, snapshots, flags] = header.parameters
  const reason =
    defect(clusterSize, clusters, journal, snapshots, flags) ??
    (clusterSize * clusters === header.byteLength ? undefined : 'its length is not that of its clusters') ??
    (clusterSize % medium.blockSize === 0 ? undefined : `its clusters are not of whole blocks of ${medium.blockSize}`)
  if (reason !== undefined) {
    throw new ParakernelError('EUCLEAN', `the header says what cannot be: ${reason}`, {
      subject: medium.name,
      remedy: 'Restore the first block from a copy, or make the volume anew',
    })
  }
  return new Geometry(clusterSize, clusters, journal, snapshots, flags === 1, header.uuid)
}
