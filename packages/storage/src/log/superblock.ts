import { ParakernelError } from '@parakernel/hal'
import { crc32c } from '../format/crc32c.ts'
import { getUint64, setUint64 } from '../format/header.ts'
import { read, write } from '../medium/awaitable.ts'
import type { Medium } from '../medium/medium.ts'
import { slotBytes } from './geometry.ts'

/** "PKLS" */
const MAGIC = 0x534c_4b50
const BYTES = 128
const FLAG_CLEAN = 1

/** Where the log begins and, after a clean close, where it ends. */
export interface Superblock {
  /** Moves on with every write; the newer one of the two slots counts. */
  readonly generation: number
  readonly epoch: number
  /** Records from here on are of this epoch; all before it were durable when it began. */
  readonly epochSequence: number
  readonly epochPosition: number
  readonly headSequence: number
  readonly headPosition: number
  readonly clean: boolean
  /** When clean: sequence and position of the next append. */
  readonly tailSequence: number
  readonly tailPosition: number
}

export function encodeSuperblock(block: Superblock, uuid: Uint8Array, slot: number): Uint8Array {
  const bytes = new Uint8Array(slot)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, MAGIC, true)
  setUint64(view, 8, block.generation)
  view.setUint32(16, block.epoch, true)
  view.setUint32(20, block.clean ? FLAG_CLEAN : 0, true)
  setUint64(view, 24, block.epochSequence)
  setUint64(view, 32, block.epochPosition)
  setUint64(view, 40, block.headSequence)
  setUint64(view, 48, block.headPosition)
  setUint64(view, 56, block.tailSequence)
  setUint64(view, 64, block.tailPosition)
  bytes.set(uuid, 72)
  view.setInt32(4, crc32c(bytes, 0, 8, BYTES - 8), true)
  return bytes
}

export function decodeSuperblock(bytes: Uint8Array, uuid: Uint8Array): Superblock | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (view.getUint32(0, true) !== MAGIC || view.getInt32(4, true) !== crc32c(bytes, 0, 8, BYTES - 8)) return undefined
  if (uuid.some((byte, i) => bytes[72 + i] !== byte)) return undefined
  return {
    generation: getUint64(view, 8),
    epoch: view.getUint32(16, true),
    clean: (view.getUint32(20, true) & FLAG_CLEAN) !== 0,
    epochSequence: getUint64(view, 24),
    epochPosition: getUint64(view, 32),
    headSequence: getUint64(view, 40),
    headPosition: getUint64(view, 48),
    tailSequence: getUint64(view, 56),
    tailPosition: getUint64(view, 64),
  }
}

/** The newer of both superblocks. @throws EUCLEAN when neither can be read, EIO and others for a device that failed */
export async function loadSuperblock(medium: Medium, uuid: Uint8Array): Promise<Superblock> {
  const slot = slotBytes(medium)
  let newest: Superblock | undefined
  let failure: unknown
  for (const at of [slot, 2 * slot]) {
    try {
      const block = decodeSuperblock(await read(medium, at, slot), uuid)
      if (block !== undefined && (newest === undefined || block.generation > newest.generation)) newest = block
    } catch (error) {
      // A slot that cannot be read is lost; the other one may do. Whatever is wrong with the whole device is not that.
      if (!(error instanceof ParakernelError) || error.code !== 'EIO') throw error
      failure = error
    }
  }
  if (newest === undefined) {
    throw new ParakernelError('EUCLEAN', 'both superblocks of the log are damaged', {
      subject: medium.name,
      remedy: 'Restore the second and the third block from a copy',
      cause: failure,
    })
  }
  return newest
}

/** Writes to the slot that does not hold the newest, durably. */
export function storeSuperblock(medium: Medium, block: Superblock, uuid: Uint8Array): Promise<void> {
  const slot = slotBytes(medium)
  return write(medium, block.generation % 2 === 0 ? slot : 2 * slot, encodeSuperblock(block, uuid, slot), true)
}
