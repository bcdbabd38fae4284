import { randomUUID } from 'node:crypto'
import { ParakernelError } from '@parakernel/hal'
import { decodeHeader, encodeHeader, headerBlock, setUint64, writeHeader } from '../format/header.ts'
import { flush, read, write, writeZeroes } from '../medium/awaitable.ts'
import type { Medium } from '../medium/medium.ts'
import { COUNT_AT, KIND_AT, LINKS_AT, MAP_AT, PARENT_AT, SIZE_AT } from './inode/inode.ts'
import {
  DIRECTORY,
  INODE_SIZE,
  MIN_JOURNAL,
  ROOT,
  ROOT_INODE,
  TABLE,
  TYPE_BITMAP,
  TYPE_CHECKPOINT,
  TYPE_CHECKSUMS,
  TYPE_INODES,
} from './layout/constants.ts'
import { defect, Geometry } from './layout/geometry.ts'
import { CHECKPOINT_NUMBER_AT, EPOCH_AT, JOURNAL_SEQUENCE_AT, TABLE_AT } from './layout/root.ts'
import { MetaBlock, seal, stamp } from './meta/block.ts'
import { fillBitmapBlock } from './space/bitmap.ts'
import { bitWords, setBits } from './space/bits.ts'
import type { MakeVolumeOptions, VolumeGeometry } from './volume.ts'

const CLUSTER = 4096
const SNAPSHOTS = 8
const JOURNAL_MOST = 32 << 20
/** Blocks that are written at a time. */
const RUN = 64

/**
 * Makes an empty volume. The header comes last and durably: a medium on which this did not come to its end holds no volume.
 * @throws EEXIST when the medium holds an image and `overwrite` is absent, EINVAL for options that do not fit, EIO
 */
export async function makeVolume(medium: Medium, options: MakeVolumeOptions = {}): Promise<VolumeGeometry> {
  const geometry = chooseGeometry(medium, options)
  if (options.overwrite !== true) await refuseImage(medium)
  const { clusterSize, clusters, bitmap, bitmapBlocks, checksumTable, checksumBlocks, dataStart } = geometry
  const empty = new Uint8Array(headerBlock(medium))
  await write(medium, 0, empty, true)
  // A backup header of an earlier volume would still name it.
  await write(medium, clusters * clusterSize - clusterSize, new Uint8Array(clusterSize), true)
  await writeZeroes(medium, geometry.journal * clusterSize, clusterSize)
  const used = bitWords(clusters)
  setBits(used, 0, dataStart + 1)
  setBits(used, clusters - 1, 1)
  await writeBlocks(medium, geometry, bitmap, bitmapBlocks, TYPE_BITMAP, (block, i) => fillBitmapBlock(block, i, used))
  await writeBlocks(medium, geometry, checksumTable, checksumBlocks, TYPE_CHECKSUMS, () => {})
  await writeBlocks(medium, geometry, dataStart, 1, TYPE_INODES, (_block, _i, view) => {
    const base = (ROOT_INODE + 1) * INODE_SIZE
    view.setUint8(base + KIND_AT, DIRECTORY)
    view.setUint32(base + LINKS_AT, 1, true)
    view.setUint32(base + PARENT_AT, ROOT_INODE, true)
  })
  const root = new MetaBlock(ROOT, new Uint8Array(clusterSize), undefined)
  const { view, bytes } = root
  stamp(view, TYPE_CHECKPOINT, ROOT, 0, 0, geometry.uuid)
  setUint64(view, CHECKPOINT_NUMBER_AT, 2)
  setUint64(view, EPOCH_AT, 1)
  setUint64(view, JOURNAL_SEQUENCE_AT, 1)
  view.setUint8(TABLE_AT + KIND_AT, TABLE)
  view.setUint16(TABLE_AT + COUNT_AT, 1, true)
  view.setUint32(TABLE_AT + LINKS_AT, 1, true)
  setUint64(view, TABLE_AT + SIZE_AT, 1)
  view.setUint32(TABLE_AT + MAP_AT + 4, dataStart, true)
  view.setUint32(TABLE_AT + MAP_AT + 8, 1, true)
  seal(bytes, view)
  await write(medium, geometry.checkpoint * clusterSize, bytes)
  await writeZeroes(medium, (geometry.checkpoint + 1) * clusterSize, clusterSize)
  const header = geometry.header(medium)
  const backup = new Uint8Array(clusterSize)
  backup.set(encodeHeader(header, headerBlock(medium)).subarray(0, clusterSize))
  await write(medium, geometry.backupHeader * clusterSize, backup)
  await flush(medium)
  await writeHeader(medium, header)
  return geometry.describe()
}

function chooseGeometry(medium: Medium, options: MakeVolumeOptions): Geometry {
  const { clusterSize = Math.max(CLUSTER, medium.blockSize), checksums = true } = options
  const invalid = (message: string, remedy?: string) =>
    new ParakernelError('EINVAL', message, { subject: medium.name, ...(remedy !== undefined && { remedy }) })
  const sound = Number.isInteger(clusterSize) && clusterSize > 0
  if (!sound || clusterSize % medium.blockSize !== 0) {
    throw invalid(`a cluster size of ${clusterSize} is no multiple of the medium's block of ${medium.blockSize} bytes`)
  }
  const clusters = Math.floor(medium.byteLength / clusterSize)
  const snapshots = options.snapshots ?? SNAPSHOTS
  const bitmapBlocks = Math.ceil(clusters / ((clusterSize - 32) * 8))
  const most = Math.floor(JOURNAL_MOST / clusterSize)
  const share = Math.min(most, Math.max(clusters >= 512 ? 64 : MIN_JOURNAL, clusters >> 4))
  const journal =
    options.journalSize === undefined ? share + bitmapBlocks : Math.floor(options.journalSize / clusterSize)
  const reason = defect(clusterSize, clusters, journal, snapshots, checksums ? 1 : 0)
  if (reason !== undefined) throw invalid(reason, 'Choose other sizes, or a larger medium')
  const uuid = Uint8Array.from(Buffer.from(randomUUID().replaceAll('-', ''), 'hex'))
  return new Geometry(clusterSize, clusters, journal, snapshots, checksums, uuid)
}

async function refuseImage(medium: Medium): Promise<void> {
  const found = decodeHeader(await read(medium, 0, headerBlock(medium)))
  if (found === 'no-image') return
  const what = typeof found === 'string' ? 'an image' : `an image of ${found.kind}`
  throw new ParakernelError('EEXIST', `the medium holds ${what}`, {
    subject: medium.name,
    remedy: 'Name another medium, or pass `overwrite: true` to lose what is there',
  })
}

async function writeBlocks(
  medium: Medium,
  geometry: Geometry,
  first: number,
  count: number,
  type: number,
  fill: (block: Uint8Array, index: number, view: DataView) => void,
): Promise<void> {
  const { clusterSize, uuid } = geometry
  for (let at = 0; at < count; at += RUN) {
    const part = Math.min(RUN, count - at)
    const bytes = new Uint8Array(part * clusterSize)
    for (let i = 0; i < part; i++) {
      const block = bytes.subarray(i * clusterSize, (i + 1) * clusterSize)
      const view = new DataView(block.buffer, block.byteOffset, clusterSize)
      stamp(view, type, first + at + i, 0, at + i, uuid)
      fill(block, at + i, view)
      seal(block, view)
    }
    await write(medium, (first + at) * clusterSize, bytes)
  }
}
