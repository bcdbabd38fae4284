import { ParakernelError } from '@parakernel/hal'
import { getUint64 } from '../format/header.ts'
import { RECORD_HEADER } from '../log/record.ts'
import type { RecordsCore } from './core.ts'
import {
  BATCH_FIRST,
  BATCH_LAST,
  BATCH_MORE,
  BATCH_WHOLE,
  CHECKPOINT,
  CHECKPOINT_ENTRY,
  CHECKPOINT_HEADER,
  DELETE,
  ENTRY_HEADER,
  entryBytes,
  getUint32,
  keyLengthAt,
  MOVED,
  MOVED_OLD,
  operationAt,
  PAYLOAD_HEADER,
  PUT,
  valueLengthAt,
} from './format.ts'
import type { CheckpointPointer } from './image.ts'

/** A record of a batch of several, until the last is there. */
interface Part {
  readonly bytes: Uint8Array
  readonly position: number
}

export interface Replayed {
  readonly generation: number
  readonly fromCheckpoint: number
  readonly records: number
}

/** Fills the index: from the newest checkpoint that is whole, and from the log behind it. Writes nothing. */
export async function replay(core: RecordsCore, pointers: readonly CheckpointPointer[]): Promise<Replayed> {
  const { log, index } = core
  let from = log.first
  let fromCheckpoint = 0
  for (const pointer of pointers) {
    if (pointer.first < log.first || pointer.last >= log.next) continue
    if (await loadCheckpoint(core, pointer)) {
      from = Math.max(log.first, pointer.asOf + 1)
      fromCheckpoint = index.keys
      break
    }
    // Half a checkpoint is worse than none.
    clearAll(core)
  }
  let parts: Part[] = []
  const records = await log.visit((sequence, bytes, at, length, position) => {
    const type = bytes[at]
    const payload = position + RECORD_HEADER
    if (type === BATCH_WHOLE || type === MOVED) {
      if (type === BATCH_WHOLE) parts = []
      apply(core, bytes, at, length, payload, sequence)
    } else if (type === BATCH_FIRST || type === BATCH_MORE || type === BATCH_LAST) {
      // A first one that is missing was compacted, and so belonged to a batch that was whole.
      if (type === BATCH_FIRST) parts = []
      parts.push({ bytes: bytes.slice(at, at + length), position: payload })
      if (type !== BATCH_LAST) return
      for (const part of parts) apply(core, part.bytes, 0, part.bytes.length, part.position, sequence)
      parts = []
    } else if (type !== MOVED_OLD && type !== CHECKPOINT) throw foreign(core, sequence)
  }, from)
  const newest = pointers[0]?.generation ?? 0
  return { generation: newest, fromCheckpoint, records }
}

/** Whether a checkpoint was there, all of it. */
async function loadCheckpoint(core: RecordsCore, pointer: CheckpointPointer): Promise<boolean> {
  const { log, index } = core
  const head = log.firstPosition
  let keys = 0
  const load = (_sequence: number, bytes: Uint8Array, start: number, length: number) => {
    if (bytes[start] !== CHECKPOINT || getUint32(bytes, start + 8) !== pointer.generation) return
    const view = new DataView(bytes.buffer, bytes.byteOffset + start, length)
    for (let at = CHECKPOINT_HEADER; at + CHECKPOINT_ENTRY <= length; ) {
      const position = getUint64(view, at)
      const valueLength = view.getUint32(at + 8, true)
      const keyLength = view.getUint32(at + 12, true)
      // What lies before the log's head was deleted, or moved, by a record behind it.
      if (position >= head) index.put(bytes, start + at + CHECKPOINT_ENTRY, keyLength, position, valueLength)
      keys++
      at += CHECKPOINT_ENTRY + keyLength
    }
  }
  try {
    await log.visit(load, pointer.first, pointer.last + 1)
  } catch (error) {
    if (!(error instanceof ParakernelError) || (error.code !== 'EUCLEAN' && error.code !== 'EIO')) throw error
    return false
  }
  return keys === pointer.keys
}

function clearAll({ index }: RecordsCore): void {
  index.order.toEnd()
  if (!index.order.back()) return
  const last = index.keyOf(index.order.slot)
  index.clear(last, 0, 0, 0, last.length)
}

function apply(core: RecordsCore, bytes: Uint8Array, from: number, length: number, position: number, sequence: number) {
  const { index } = core
  index.version++
  for (let at = from + PAYLOAD_HEADER; at < from + length; ) {
    const keyLength = keyLengthAt(bytes, at)
    const valueLength = valueLengthAt(bytes, at)
    const size = entryBytes(keyLength, valueLength)
    const key = at + ENTRY_HEADER
    if (at + size > from + length) throw foreign(core, sequence)
    const operation = operationAt(bytes, at)
    if (operation === PUT) index.put(bytes, key, keyLength, position + at - from, valueLength)
    else if (operation === DELETE) index.delete(bytes, key, keyLength)
    else index.clear(bytes, key, keyLength, key + keyLength, valueLength)
    at += size
  }
}

function foreign(core: RecordsCore, sequence: number): ParakernelError {
  return new ParakernelError('EUCLEAN', `record ${sequence} of the log is none of a key-value store`, {
    subject: core.name,
    remedy: 'Restore the image from a copy',
  })
}
