import type { PartitionState } from '../server/partition-state.ts'
import { ENTRY_PUT, EntryReader } from './entry.ts'
import type { StoreJournal } from './store-journal.ts'

/** Of the log's room: compaction begins above the first, and goes on down to the second. */
const START = 0.6
const ENOUGH = 0.4
/** A cache whose live items alone take so much gives the oldest of them up. */
const CROWDED = 0.75
/** Records that are looked at in one go. */
const CHUNK = 128

/**
 * Makes room at the log's end: what is still current among the oldest records is written once more, and then they are cut off. An
 * entry is current when the store holds its value under its key. In cache mode, where the live items alone fill the log, the oldest of
 * them are dropped from the store too, as any cache evicts.
 */
export class Compaction {
  /** Entries that were written again, and items that were given up for want of room. */
  moved = 0
  evicted = 0
  readonly #journal: StoreJournal
  readonly #state: PartitionState
  readonly #reader = new EntryReader()
  #running: Promise<void> | undefined
  #stopped = false
  /** Why compaction came to an end before its time; the journal goes on until it is full. */
  failure: unknown

  constructor(journal: StoreJournal, state: PartitionState) {
    this.#journal = journal
    this.#state = state
  }

  startIfDue(): void {
    const { log } = this.#journal
    if (this.#running !== undefined || this.#stopped || log.usedBytes < START * log.capacityBytes) return
    this.#running = this.#run()
      .catch((error: unknown) => {
        this.failure = error
      })
      .finally(() => {
        this.#running = undefined
      })
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
  }

  /** Until there is room enough, or once through all that was there when it began. */
  async #run(): Promise<void> {
    const { log } = this.#journal
    const last = log.next
    while (!this.#stopped && log.failure === undefined && log.first < last) {
      if (log.usedBytes < ENOUGH * log.capacityBytes) return
      await this.#compact(log.first, Math.min(log.first + CHUNK, last))
    }
  }

  async #compact(from: number, to: number): Promise<void> {
    const { log } = this.#journal
    const chunk: Uint8Array[] = []
    await log.visit((_sequence, bytes, at, length) => void chunk.push(bytes.slice(at, at + length)), from, to)
    const givesUp = this.#state.isCache && log.usedBytes > CROWDED * log.capacityBytes
    for (const record of chunk) this.#move(record, givesUp)
    this.#journal.commit()
    const sequence = this.#journal.take()
    if (sequence < 0) return
    await log.sync()
    await log.truncate(to)
  }

  #move(record: Uint8Array, givesUp: boolean): void {
    const reader = this.#reader.open(record, 0, record.length)
    const journal = this.#journal
    const { pool, journalScratch } = this.#state
    const { milliseconds } = journal
    while (reader.next()) {
      if (reader.type !== ENTRY_PUT) continue
      const { keyLength, valueLength } = reader
      pool.bytes.set(record.subarray(reader.keyAt, reader.valueAt + valueLength), journalScratch)
      if (!journal.access.find(journalScratch, keyLength, milliseconds)) continue
      const { storedAddress, responseLength } = journal.access.batch
      if (responseLength[0] !== valueLength) continue
      if (!isEqual(pool.bytes, storedAddress[0], journalScratch + keyLength, valueLength)) continue
      if (givesUp) {
        journal.access.delete(journalScratch, keyLength, milliseconds)
        this.evicted++
      } else {
        journal.noteCurrent(journalScratch, keyLength, milliseconds)
        this.moved++
      }
    }
  }
}

function isEqual(bytes: Uint8Array, a: number, b: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (bytes[a + i] !== bytes[b + i]) return false
  return true
}
