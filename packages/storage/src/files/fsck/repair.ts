import { crc32c } from '../../format/crc32c.ts'
import { encodeHeader, headerBlock, writeHeader } from '../../format/header.ts'
import { flush, read, write } from '../../medium/awaitable.ts'
import type { Medium } from '../../medium/medium.ts'
import { Core } from '../core.ts'
import { COUNT_AT, DEPTH_AT } from '../inode/inode.ts'
import { MetadataWriter } from '../io/media.ts'
import { promised } from '../io/task.ts'
import { writeCheckpoint, writeHome } from '../journal/checkpoint.ts'
import { AT_INDEX, DIRECTORY, ROOT_INODE } from '../layout/constants.ts'
import type { Geometry } from '../layout/geometry.ts'
import { SNAPSHOT_MASK_AT } from '../layout/root.ts'
import type { FoundInode, Loaded } from '../load/loader.ts'
import type { Recovered } from '../load/recover.ts'
import { Namespace } from '../namespace.ts'
import { encodeSnapshot, type Snapshot } from '../snapshot/slots.ts'
import { fillBitmapBlock } from '../space/bitmap.ts'
import { setBits } from '../space/bits.ts'
import { union } from '../space/space.ts'

/** Mends what the loader found, and writes all metadata home with a checkpoint that begins a new epoch. */
export async function repairVolume(
  medium: Medium,
  recovered: Recovered,
  loaded: Loaded,
  snapshots: readonly Snapshot[],
): Promise<void> {
  const { geometry, root, bitmap } = loaded
  const words = loaded.used.slice()
  setBits(words, 0, geometry.dataStart)
  setBits(words, geometry.dataEnd, geometry.clusters - geometry.dataEnd)
  for (const [i, block] of bitmap.entries()) fillBitmapBlock(block.bytes, i, words)
  let mask = 0
  for (const { slot } of snapshots) mask |= 1 << slot
  root.view.setUint32(SNAPSHOT_MASK_AT, mask, true)
  for (const inode of loaded.remap) forgetMap(inode)
  // Nothing may go where the old metadata still are, for what a repair that was interrupted left is repaired again.
  const frozen = union(
    snapshots.map((snapshot) => snapshot.words),
    geometry.clusters,
  )
  const core = new Core(loaded, frozen)
  for (const inode of loaded.remap) remake(core, inode)
  await rescueChecksums(medium, loaded, core)
  const names = new Namespace({
    core,
    allowChange: () => {},
    changed: () => {},
    time: () => Date.now() * 1e6,
    unlinked: () => {},
  })
  bringHome(core, names, loaded.adrift)
  for (const number of loaded.orphans) {
    const inode = core.inodes.get(number)
    inode.map.unmap(0, Number.MAX_SAFE_INTEGER, (cluster, length) => core.space.give(cluster, length))
    inode.map.freeBlocks()
    core.inodes.release(inode)
  }
  while (core.staleMaps.size > 0) for (const map of [...core.staleMaps]) map.layOut()
  for (const cluster of loaded.obsolete) {
    core.space.bitmap.set(cluster, 1, false)
    core.store.blocks.delete(cluster)
  }
  core.store.rewriteAll()
  const writer = new MetadataWriter(medium, geometry.clusterSize)
  try {
    await promised(writeHome(writer, core.store, geometry))
    for (const snapshot of snapshots) {
      await promised(writer.write(geometry.snapshotSlot(snapshot.slot), encodeSnapshot(snapshot, geometry), false))
    }
    await promised(writer.flush())
    const state = { epoch: recovered.epoch + 1, journalSequence: recovered.sequence + 1 }
    for (let i = 1; i <= 2; i++) {
      const number = recovered.checkpointNumber + i
      await promised(writeCheckpoint(writer, geometry, core.root.bytes, { ...state, number }))
    }
  } finally {
    writer.close()
  }
  await writeHeaders(medium, geometry)
}

function forgetMap({ block, base }: FoundInode): void {
  block.view.setUint8(base + DEPTH_AT, 0)
  block.view.setUint16(base + COUNT_AT, 0, true)
}

/** Makes a map of the rows that were sound. The blocks of a directory move up into the places of those that are lost. */
function remake(core: Core, { number, kind, rows, blocks }: FoundInode): void {
  const { map } = core.inodes.get(number)
  if (kind !== DIRECTORY) {
    for (let i = 0; i < rows.length; i += 3) map.map(rows[i], rows[i + 1], rows[i + 2])
    return
  }
  blocks.forEach((block, i) => {
    block.view.setUint32(AT_INDEX, i, true)
    map.map(i, block.cluster, 1)
  })
}

/** Files that no directory has go to /lost+found. */
function bringHome(core: Core, names: Namespace, adrift: readonly number[]): void {
  if (adrift.length === 0) return
  const name = 'lost+found'
  if (!names.readdir('/').includes(name)) names.mkdir(`/${name}`)
  const place = names.lookup(`/${name}`)
  const parent = core.inodes.kindOf(place) === DIRECTORY ? place : ROOT_INODE
  const known = new Set(names.readdir(parent === ROOT_INODE ? '/' : `/${name}`))
  for (const number of adrift) {
    let own = `#${number}`
    while (known.has(own)) own += '~'
    names.adopt(parent, own, number)
  }
}

/** Checksums that are lost are those of the data as they are. */
async function rescueChecksums(medium: Medium, { lostChecksums, inodes, geometry }: Loaded, core: Core): Promise<void> {
  if (lostChecksums.length === 0) return
  const lost = new Set(lostChecksums)
  for (const { kind, rows } of inodes.values()) {
    if (kind === DIRECTORY) continue
    for (let i = 0; i < rows.length; i += 3) {
      for (let cluster = rows[i + 1]; cluster < rows[i + 1] + rows[i + 2]; cluster++) {
        if (!lost.has(Math.floor(cluster / geometry.checksumsPerBlock))) continue
        try {
          core.checksums.set(cluster, crc32c(await read(medium, cluster * geometry.clusterSize, geometry.clusterSize)))
        } catch {
          // What cannot be read needs no checksum to be known as lost.
        }
      }
    }
  }
}

async function writeHeaders(medium: Medium, geometry: Geometry): Promise<void> {
  const header = geometry.header(medium)
  const copy = new Uint8Array(geometry.clusterSize)
  copy.set(encodeHeader(header, headerBlock(medium)).subarray(0, geometry.clusterSize))
  await write(medium, geometry.backupHeader * geometry.clusterSize, copy)
  await flush(medium)
  await writeHeader(medium, header)
}
