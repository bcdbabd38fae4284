import type { Counters } from '@parakernel/hal'
import type { Durability } from '@parakernel/queue'
import type { LogOptions, LogScrubReport, LostRecords } from '../log/log.ts'

export interface RecordsOptions {
  /** Of writes that name none. Default `flushed`. */
  readonly durability?: Durability
  /** Bytes that keep values in memory; 0 for none. Default 8 MiB. */
  readonly cacheBytes?: number
  /** Longest value that is kept there. Default 4096. */
  readonly cachedValueLimit?: number
  /** Bytes of log after which the index is written out, so that opening begins there. Default an eighth of the log. */
  readonly checkpointBytes?: number
  /** What to do about records that were acknowledged and are damaged: `refuse` to open (EUCLEAN), or `skip` them. Default `refuse`. */
  readonly damaged?: 'refuse' | 'skip'
  /** Of the log beneath: `groupLimit`, `maxPending`, `gather`. */
  readonly log?: Pick<LogOptions, 'groupLimit' | 'maxPending' | 'gather'>
}

export const RECORD_COUNTERS = [
  'puts',
  'deletes',
  'batches',
  'gets',
  'cached',
  'reads',
  'waited',
  'full',
  'movedBytes',
  'compactedBytes',
  'checkpoints',
  'damaged',
] as const
export type RecordCounter = (typeof RECORD_COUNTERS)[number]

export const RECORDS_PUTS = 0
export const RECORDS_DELETES = 1
export const RECORDS_BATCHES = 2
/** Lookups of values, those answered from the cache, and requests that the others took. */
export const RECORDS_GETS = 3
export const RECORDS_CACHED = 4
export const RECORDS_READS = 5
/** Writes that waited for room or for the queue; writes refused with ENOSPC. */
export const RECORDS_WAITED = 6
export const RECORDS_FULL = 7
/** Bytes written again by compaction, and bytes of log that it freed. */
export const RECORDS_MOVED_BYTES = 8
export const RECORDS_COMPACTED_BYTES = 9
export const RECORDS_CHECKPOINTS = 10
/** Values that could not be read or failed their checksum. */
export const RECORDS_DAMAGED = 11

export type RecordCounters = Counters<RecordCounter>

/** How the store came back when it was opened. */
export interface RecordsRecovery {
  readonly clean: boolean
  readonly keys: number
  /** Keys that a checkpoint brought, and records of the log that were replayed behind it. */
  readonly fromCheckpoint: number
  readonly replayed: number
  /** Only with `damaged: 'skip'`: sequences of the log whose changes are gone. */
  readonly lost: readonly LostRecords[]
}

/** Values that are lost, as far as that is known. */
export interface LostKeys {
  readonly first: Uint8Array
  readonly last: Uint8Array
  readonly keys: number
  readonly records: LostRecords
}

export interface RecordsScrubReport extends LogScrubReport {
  /** The keys whose values are in what is lost, a range for each. */
  readonly keys: readonly LostKeys[]
}

export interface RecordRange {
  readonly gt?: Uint8Array
  readonly gte?: Uint8Array
  readonly lt?: Uint8Array
  readonly lte?: Uint8Array
  readonly reverse?: boolean
}

export interface RecordsUsage {
  readonly keys: number
  /** Of entries that can be seen; of the log that is taken; of the log. */
  readonly liveBytes: number
  readonly usedBytes: number
  readonly capacityBytes: number
  /** Live bytes that the store takes at most. */
  readonly limitBytes: number
  /** Of the index in memory. */
  readonly indexBytes: number
}

/** What holds a state of the store: see `RecordStore.snapshot`. */
export interface RecordSnapshot {
  readonly version: number
  /** Idempotent. */
  release(): void
}
