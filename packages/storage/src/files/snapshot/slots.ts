import { read } from '../../medium/awaitable.ts'
import type { Medium } from '../../medium/medium.ts'
import { AT_INDEX, INODE_SIZE, TYPE_BITMAP, TYPE_SNAPSHOT } from '../layout/constants.ts'
import type { Geometry } from '../layout/geometry.ts'
import { SNAPSHOT_MASK_AT, SNAPSHOT_TAGS_AT } from '../layout/root.ts'
import type { Problems } from '../load/problems.ts'
import { blockDefect, seal, stamp } from '../meta/block.ts'
import { fillBitmapBlock, wordsOf } from '../space/bitmap.ts'

// A snapshot's descriptor, behind the header of the block, whose index is the slot's tag.
const CREATED_AT = 32
const NAME_LENGTH_AT = 40
const NAME_AT = 48
const TABLE_AT = 128
export const SNAPSHOT_NAME_MAX = 63

/** A snapshot: which clusters it holds, and the inode of its inode table. */
export interface Snapshot {
  readonly slot: number
  readonly tag: number
  readonly name: string
  /** Nanoseconds since 1970. */
  readonly created: number
  /** The record of its inode table's inode. */
  readonly table: Uint8Array
  readonly words: Int32Array
}

/** The descriptor and the bitmap of a snapshot, as they stand in its slot. */
export function encodeSnapshot(snapshot: Snapshot, geometry: Geometry): Uint8Array {
  const { clusterSize, bitmapBlocks, uuid } = geometry
  const first = geometry.snapshotSlot(snapshot.slot)
  const bytes = new Uint8Array((1 + bitmapBlocks) * clusterSize)
  for (let i = 0; i <= bitmapBlocks; i++) {
    const block = bytes.subarray(i * clusterSize, (i + 1) * clusterSize)
    const view = new DataView(block.buffer, block.byteOffset, clusterSize)
    if (i > 0) {
      stamp(view, TYPE_BITMAP, first + i, snapshot.tag, i - 1, uuid)
      fillBitmapBlock(block, i - 1, snapshot.words)
    } else {
      const name = new TextEncoder().encode(snapshot.name)
      stamp(view, TYPE_SNAPSHOT, first, snapshot.slot, snapshot.tag, uuid)
      view.setFloat64(CREATED_AT, snapshot.created, true)
      view.setUint32(NAME_LENGTH_AT, name.length, true)
      block.set(name, NAME_AT)
      block.set(snapshot.table, TABLE_AT)
    }
    seal(block, view)
  }
  return bytes
}

/** The snapshots that a root names. What cannot be believed is reported, and left out. */
export async function loadSnapshots(
  medium: Medium,
  geometry: Geometry,
  root: Uint8Array,
  problems: Problems,
): Promise<Snapshot[]> {
  const { clusterSize, bitmapBlocks, maxSnapshots } = geometry
  const view = new DataView(root.buffer, root.byteOffset, root.byteLength)
  const mask = view.getUint32(SNAPSHOT_MASK_AT, true)
  const found: Snapshot[] = []
  for (let slot = 0; slot < 32; slot++) {
    if ((mask & (1 << slot)) === 0) continue
    const name = `snapshot slot ${slot}`
    if (slot >= maxSnapshots) {
      problems.damage(`${name} is in use, and there are only ${maxSnapshots}`, 'the snapshot is lost')
      continue
    }
    const tag = view.getUint32(SNAPSHOT_TAGS_AT + 4 * slot, true)
    try {
      const bytes = await read(medium, geometry.snapshotSlot(slot) * clusterSize, (1 + bitmapBlocks) * clusterSize)
      const snapshot = decodeSnapshot(bytes, slot, tag, geometry)
      if (typeof snapshot === 'string') problems.damage(`${name} ${snapshot}`, 'the snapshot is lost')
      else found.push(snapshot)
    } catch (error) {
      if ((error as { code?: string }).code !== 'EIO') throw error
      problems.damage(`${name} cannot be read`, 'the snapshot is lost')
    }
  }
  return found
}

function decodeSnapshot(bytes: Uint8Array, slot: number, tag: number, geometry: Geometry): Snapshot | string {
  const { clusterSize, bitmapBlocks, uuid } = geometry
  const first = geometry.snapshotSlot(slot)
  const blocks: Uint8Array[] = []
  for (let i = 0; i <= bitmapBlocks; i++) {
    const block = bytes.subarray(i * clusterSize, (i + 1) * clusterSize)
    const reason = blockDefect(block, i === 0 ? TYPE_SNAPSHOT : TYPE_BITMAP, first + i, uuid)
    if (reason !== undefined) return i === 0 ? `has a descriptor that ${reason}` : `has a bitmap block that ${reason}`
    if (i > 0) blocks.push(block)
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, clusterSize)
  if (view.getUint32(AT_INDEX, true) !== tag) return 'has the descriptor of an earlier snapshot'
  const length = view.getUint32(NAME_LENGTH_AT, true)
  if (length === 0 || length > SNAPSHOT_NAME_MAX) return `has a name of ${length} bytes`
  const words = wordsOf(blocks, geometry)
  return {
    slot,
    tag,
    name: new TextDecoder().decode(bytes.subarray(NAME_AT, NAME_AT + length)),
    created: view.getFloat64(CREATED_AT, true),
    table: bytes.slice(TABLE_AT, TABLE_AT + INODE_SIZE),
    words,
  }
}
