import { ParakernelError } from '@parakernel/hal'
import { crc32c } from '../format/crc32c.ts'
import { getUint64, headerBlock, type ImageHeader, setUint64 } from '../format/header.ts'
import { read, write } from '../medium/awaitable.ts'
import type { Medium } from '../medium/medium.ts'
import { subMedium } from '../medium/sub-medium.ts'

const MiB = 1 << 20
/** "PKRC" */
const MAGIC = 0x4352_4b50
const BYTES = 128
const UUID_AT = 64

/** Where the log of the store begins: behind the header and the two blocks that point at checkpoints. */
export function logStart(medium: Medium, byteLength: number): number {
  const blocks = 3 * headerBlock(medium)
  return byteLength >= MiB ? Math.ceil(blocks / 4096) * 4096 : blocks
}

/** The log's part of the image. @throws EUCLEAN for a header that no store was made with */
export function logMedium(medium: Medium, header: Pick<ImageHeader, 'byteLength' | 'parameters'>): Medium {
  const [start] = header.parameters
  const length = header.byteLength - start
  if (start !== logStart(medium, header.byteLength) || !(length > 0) || header.byteLength % medium.blockSize !== 0) {
    throw new ParakernelError('EUCLEAN', 'the header of the store has numbers that contradict each other', {
      subject: medium.name,
      remedy: 'Restore the first block from a copy',
    })
  }
  return subMedium(medium, start, length, `${medium.name} (log of the records)`)
}

/** A whole index in the log. */
export interface CheckpointPointer {
  readonly generation: number
  /** Changes up to this sequence are in it; replay begins behind it. */
  readonly asOf: number
  /** Sequences between which its records are, both included. */
  readonly first: number
  readonly last: number
  readonly keys: number
}

/** The pointers that are whole, the newer one first. One that cannot be read is none: the log has everything. */
export async function loadPointers(medium: Medium, uuid: Uint8Array): Promise<CheckpointPointer[]> {
  const slot = headerBlock(medium)
  const pointers: CheckpointPointer[] = []
  for (const at of [slot, 2 * slot]) {
    try {
      const pointer = decode(await read(medium, at, slot), uuid)
      if (pointer !== undefined) pointers.push(pointer)
    } catch (error) {
      if (!(error instanceof ParakernelError) || error.code !== 'EIO') throw error
    }
  }
  return pointers.sort((a, b) => b.generation - a.generation)
}

/** Durably, over the older one. */
export function storePointer(medium: Medium, pointer: CheckpointPointer, uuid: Uint8Array): Promise<void> {
  const slot = headerBlock(medium)
  const bytes = new Uint8Array(slot)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, MAGIC, true)
  setUint64(view, 8, pointer.generation)
  setUint64(view, 16, pointer.asOf)
  setUint64(view, 24, pointer.first)
  setUint64(view, 32, pointer.last)
  setUint64(view, 40, pointer.keys)
  bytes.set(uuid, UUID_AT)
  view.setInt32(4, crc32c(bytes, 0, 8, BYTES - 8), true)
  return write(medium, pointer.generation % 2 === 0 ? slot : 2 * slot, bytes, true)
}

function decode(bytes: Uint8Array, uuid: Uint8Array): CheckpointPointer | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (view.getUint32(0, true) !== MAGIC || view.getInt32(4, true) !== crc32c(bytes, 0, 8, BYTES - 8)) return undefined
  if (uuid.some((byte, i) => bytes[UUID_AT + i] !== byte)) return undefined
  return {
    generation: getUint64(view, 8),
    asOf: getUint64(view, 16),
    first: getUint64(view, 24),
    last: getUint64(view, 32),
    keys: getUint64(view, 40),
  }
}
