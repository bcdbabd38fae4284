import { ParakernelError } from '@parakernel/hal'
import type { PartitionState } from '../server/partition-state.ts'
import { ENTRY_CLEAR, ENTRY_PUT, EntryReader } from './entry.ts'
import type { StoreJournal } from './store-journal.ts'

export interface Recovered {
  readonly records: number
  readonly puts: number
  readonly deletes: number
  /** Puts that the store had no room for any more: the heap is smaller than it was. */
  readonly refused: number
  /** Puts whose time was over. */
  readonly expired: number
}

/**
 * Brings the store to where the log says that it was. Versions begin with the log's epoch, which moves on with every opening: none is
 * ever given twice.
 * @throws EUCLEAN for records that no version of this program has written; ENOSPC when a lossless store has no room for its items
 */
export async function recoverStore(state: PartitionState, journal: StoreJournal): Promise<Recovered> {
  const { log, access, milliseconds } = journal
  const reader = new EntryReader()
  let puts = 0
  let deletes = 0
  let refused = 0
  let expired = 0
  state.store.advanceVersion(0, log.epoch)
  const records = await log.visit((sequence, bytes, at, length) => {
    reader.open(bytes, at, length)
    while (reader.next()) {
      const { keyLength, valueLength } = reader
      if (reader.type === ENTRY_CLEAR) {
        state.store.clear()
        continue
      }
      const key = state.journalScratch
      state.pool.bytes.set(bytes.subarray(reader.keyAt, reader.valueAt + valueLength), key)
      if (reader.type !== ENTRY_PUT) {
        access.delete(key, keyLength, milliseconds)
        deletes++
        continue
      }
      const expiresAt = journal.fromWallClock(reader.expiresAt)
      if (expiresAt !== 0 && expiresAt <= milliseconds) {
        access.delete(key, keyLength, milliseconds)
        expired++
        continue
      }
      if (access.put(key, keyLength, key + keyLength, valueLength, reader.flags, expiresAt, milliseconds)) puts++
      else refused++
    }
    if (reader.to !== at + length) throw unreadable(log.medium.name, sequence)
  })
  if (refused > 0 && !state.isCache) {
    throw new ParakernelError('ENOSPC', `has no room for ${refused} items that its log holds`, {
      subject: `store of partition ${state.index}`,
      remedy: 'Give the partitions a larger heap, as large as when the log was written',
    })
  }
  return { records, puts, deletes, refused, expired }
}

function unreadable(subject: string, sequence: number): ParakernelError {
  return new ParakernelError('EUCLEAN', `record ${sequence} is not one of a key-value store`, {
    subject,
    remedy: 'Name the image that the server has written',
  })
}
