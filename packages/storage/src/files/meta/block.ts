import { crc32c } from '../../format/crc32c.ts'
import { AT_CRC, AT_INDEX, AT_MAGIC, AT_OWNER, AT_SELF, AT_TYPE, AT_VOLUME, BLOCK_MAGIC } from '../layout/constants.ts'

/** Who is told that a block has moved, because a snapshot holds its old place. */
export interface BlockParent {
  moved(block: MetaBlock): void
}

/**
 * A block of metadata in memory. `bytes` are the truth that control calls work on; `before` is what they were at the last capture, kept
 * while they differ from it.
 */
export class MetaBlock {
  cluster: number
  readonly bytes: Uint8Array
  readonly view: DataView
  before: Uint8Array | undefined = undefined
  /** Never captured at this place: the journal gets it as a whole. */
  fresh = false
  dirty = false
  freed = false
  parent: BlockParent | undefined

  constructor(cluster: number, bytes: Uint8Array, parent: BlockParent | undefined) {
    this.cluster = cluster
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.parent = parent
  }

  get type(): number {
    return this.view.getUint16(AT_TYPE, true)
  }

  /** What the last capture saw. */
  get captured(): Uint8Array {
    return this.before ?? this.bytes
  }
}

/** Writes the header of a block, the checksum apart. */
export function stamp(
  view: DataView,
  type: number,
  self: number,
  owner: number,
  index: number,
  volume: Uint8Array,
): void {
  view.setUint32(AT_MAGIC, BLOCK_MAGIC, true)
  view.setUint32(AT_TYPE, type, true)
  view.setUint32(AT_SELF, self, true)
  view.setUint32(AT_OWNER, owner, true)
  view.setUint32(AT_INDEX, index, true)
  for (let i = 0; i < 8; i++) view.setUint8(AT_VOLUME + i, volume[i])
}

/** The checksum of a block: over all its bytes, with zero in place of the checksum. */
export function blockChecksum(bytes: Uint8Array): number {
  const head = crc32c(bytes, 0, 0, AT_CRC)
  return crc32c(bytes, crc32c(ZERO, head), AT_CRC + 4)
}

export function seal(bytes: Uint8Array, view: DataView): void {
  view.setInt32(AT_CRC, blockChecksum(bytes), true)
}

/** Why bytes are not the block that is looked for; undefined when they are. */
export function blockDefect(bytes: Uint8Array, type: number, self: number, volume: Uint8Array): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (view.getUint32(AT_MAGIC, true) !== BLOCK_MAGIC) return 'is no block of metadata'
  if (view.getInt32(AT_CRC, true) !== blockChecksum(bytes)) return 'fails its checksum'
  for (let i = 0; i < 8; i++) if (bytes[AT_VOLUME + i] !== volume[i]) return 'is of another volume'
  if (view.getUint32(AT_TYPE, true) !== type) return `is of type ${view.getUint32(AT_TYPE, true)}, not ${type}`
  if (view.getUint32(AT_SELF, true) !== self) return `says that its place is ${view.getUint32(AT_SELF, true)}`
  return undefined
}

const ZERO = new Uint8Array(4)
