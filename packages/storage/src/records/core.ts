import { Counters } from '@parakernel/hal'
import type { LogGeometry } from '../log/geometry.ts'
import type { Log } from '../log/log.ts'
import type { Medium } from '../medium/medium.ts'
import { KeyIndex } from './index/key-index.ts'
import type { RangeReader } from './reader.ts'
import { Readers } from './readers.ts'
import { RECORD_COUNTERS, type RecordCounter, type RecordCounters } from './records.ts'
import { ValueCache } from './value-cache.ts'

/** What the parts of an open store share. */
export class RecordsCore {
  readonly name: string
  readonly medium: Medium
  readonly log: Log
  readonly reader: RangeReader
  readonly index = new KeyIndex()
  readonly cache: ValueCache
  readonly readers = new Readers()
  readonly counters: RecordCounters = new Counters<RecordCounter>(RECORD_COUNTERS)
  readonly counts = this.counters.values
  /** Bytes of the log that compaction needs for itself: writers leave them free. */
  readonly reserve: number
  /** Live bytes that the store takes at most: a quarter of the rest is garbage, so that compaction always gains. */
  readonly limitBytes: number
  /** Bytes of log that one step of compaction reads. */
  readonly step: number
  /** First record of a batch that is not whole yet, or Infinity: what lies there is of use though nothing points at it. */
  unfinished = Infinity

  constructor(medium: Medium, log: Log, reader: RangeReader, geometry: LogGeometry, cacheBytes: number, limit: number) {
    this.name = `records on ${medium.name}`
    this.medium = medium
    this.log = log
    this.reader = reader
    this.cache = new ValueCache(this.index.slots, cacheBytes, limit)
    this.step = Math.min(1 << 18, geometry.segment)
    // A segment is free only as a whole; a step's bytes may all be live, and come with a header for each record.
    this.reserve = geometry.segment + 2 * this.step + log.recordLimit / 8 + 8 * geometry.unit
    this.limitBytes = Math.max(0, Math.floor((log.capacityBytes - this.reserve) * 0.75))
  }

  /** Bytes that writers may use now. */
  get room(): number {
    return this.log.capacityBytes - this.reserve - this.log.usedBytes
  }
}
