import { ParakernelError } from '@parakernel/hal'
import { getUint64 } from '../../format/header.ts'
import { read } from '../../medium/awaitable.ts'
import type { Medium } from '../../medium/medium.ts'
import { replay } from '../journal/replay.ts'
import { ROOT, TYPE_CHECKPOINT } from '../layout/constants.ts'
import type { Geometry } from '../layout/geometry.ts'
import { CHECKPOINT_NUMBER_AT, EPOCH_AT, JOURNAL_SEQUENCE_AT } from '../layout/root.ts'
import { blockDefect } from '../meta/block.ts'
import type { Overlay } from '../meta/delta.ts'

/** The last committed state: a checkpoint, and what the journal adds to it. */
export interface Recovered {
  /** The root, with the journal's changes. */
  readonly root: Uint8Array
  readonly checkpointNumber: number
  readonly epoch: number
  readonly overlay: Overlay
  readonly records: number
  /** Of the next record. */
  readonly sequence: number
}

/** Reads the newer of the two checkpoints and the journal behind it. Undefined when no checkpoint can be read. Writes nothing. */
export async function recover(medium: Medium, geometry: Geometry): Promise<Recovered | undefined> {
  let best: Uint8Array | undefined
  let number = -1
  for (let i = 0; i < 2; i++) {
    const bytes = await readCheckpoint(medium, geometry, i)
    if (bytes === undefined) continue
    const own = getUint64(viewOf(bytes), CHECKPOINT_NUMBER_AT)
    if (own % 2 !== i || own <= number) continue
    best = bytes
    number = own
  }
  if (best === undefined) return undefined
  const view = viewOf(best)
  const epoch = getUint64(view, EPOCH_AT)
  const replayed = await replay(medium, geometry, epoch, getUint64(view, JOURNAL_SEQUENCE_AT))
  replayed.overlay.apply(ROOT, best)
  return { root: best, checkpointNumber: number, epoch, ...replayed }
}

async function readCheckpoint(medium: Medium, geometry: Geometry, i: number): Promise<Uint8Array | undefined> {
  const { clusterSize, uuid, checkpoint } = geometry
  try {
    const bytes = await read(medium, (checkpoint + i) * clusterSize, clusterSize)
    return blockDefect(bytes, TYPE_CHECKPOINT, ROOT, uuid) === undefined ? bytes : undefined
  } catch (error) {
    if (error instanceof ParakernelError && error.code === 'EIO') return undefined
    throw error
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
