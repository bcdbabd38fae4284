import { setUint64 } from '../../format/header.ts'
import type { MetadataWriter } from '../io/media.ts'
import type { Task } from '../io/task.ts'
import { ROOT, TYPE_CHECKPOINT } from '../layout/constants.ts'
import type { Geometry } from '../layout/geometry.ts'
import { CHECKPOINT_NUMBER_AT, EPOCH_AT, JOURNAL_SEQUENCE_AT } from '../layout/root.ts'
import { MetaBlock, seal, stamp } from '../meta/block.ts'
import type { MetaStore } from '../meta/store.ts'

/** Clusters that one write home has at most. */
const RUN = 16

/** Writes all committed metadata to its places, in runs; durable after the next flush. Returns the number of blocks. */
export function* writeHome(writer: MetadataWriter, store: MetaStore, geometry: Geometry): Task<number> {
  const { clusterSize } = geometry
  const places = [...store.home.keys()].sort((a, b) => a - b)
  for (let i = 0; i < places.length; ) {
    let end = i + 1
    while (end < places.length && end - i < RUN && places[end] === places[end - 1] + 1) end++
    const bytes = new Uint8Array((end - i) * clusterSize)
    for (let k = i; k < end; k++) {
      const block = store.home.get(places[k]) as MetaBlock | Uint8Array
      bytes.set(block instanceof Uint8Array ? block : block.captured, (k - i) * clusterSize)
    }
    yield* writer.write(places[i], bytes, false)
    i = end
  }
  return places.length
}

export interface CheckpointState {
  readonly number: number
  readonly epoch: number
  readonly journalSequence: number
}

/** Writes the root as it was captured last, in turn to one of its two places; durable when it ends. */
export function* writeCheckpoint(
  writer: MetadataWriter,
  geometry: Geometry,
  root: Uint8Array,
  state: CheckpointState,
): Task<void> {
  const block = new MetaBlock(ROOT, root.slice(), undefined)
  const { bytes, view } = block
  stamp(view, TYPE_CHECKPOINT, ROOT, 0, 0, geometry.uuid)
  setUint64(view, CHECKPOINT_NUMBER_AT, state.number)
  setUint64(view, EPOCH_AT, state.epoch)
  setUint64(view, JOURNAL_SEQUENCE_AT, state.journalSequence)
  seal(bytes, view)
  const place = geometry.checkpoint + (state.number % 2)
  yield* writer.write(place, bytes, true)
}
