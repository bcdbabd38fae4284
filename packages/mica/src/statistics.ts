import type { WasmMemory } from '@parakernel/hal'
import { COUNTERS_OFFSET } from './layout.ts'

// Counters by index in the header's Float64Array. `kernel/mica.c` repeats the numbers.
export const C_REQUESTS = 0
export const C_HITS = 1
export const C_MISSES = 2
export const C_SETS_IN_PLACE = 3
export const C_SETS_MOVED = 4
export const C_INSERTS = 5
export const C_DELETES = 6
export const C_INDEX_EVICTIONS = 7
export const C_LOG_EVICTIONS = 8
export const C_EXPIRED = 9
export const C_MOVED_TO_HEAD = 10
export const C_STALE_CLEARED = 11
export const C_STALE_SWEPT = 12
/** Requests by refusal: C_REFUSED + RESULT_* (1..9). GETs that miss are in C_MISSES instead. */
export const C_REFUSED = 16
export const C_HASH_MISMATCHES = 26
export const C_SPARE_BUCKETS = 27
export const COUNTERS = 32

/** A copy of a partition's counters. All are totals since creation, but for `items` and `spareBucketsInUse`. */
export interface MicaStatistics {
  /** Requests executed, of any kind. */
  readonly requests: number
  /** GET, TEST and GET_AND_TOUCH that found their key. */
  readonly hits: number
  readonly misses: number
  /** Values overwritten where they lay. */
  readonly setsInPlace: number
  /** Values of existing keys that were written to a new place (larger, or old enough to move to the head). */
  readonly setsMoved: number
  /** Keys that were stored and not there before. */
  readonly inserts: number
  readonly deletes: number
  /** Cache mode: live items dropped because their bucket was full (the oldest of the bucket goes). */
  readonly indexEvictions: number
  /** Cache mode: live items overwritten by the log's wrap. */
  readonly logEvictions: number
  /** Items found past their expiry and removed. */
  readonly expired: number
  /** Items that a read re-appended because they were close to eviction. */
  readonly movedToHead: number
  /** Index entries of evicted items cleared by a lookup. */
  readonly staleCleared: number
  /** The same, cleared by the sweep or reused by an insert. */
  readonly staleSwept: number
  readonly notFound: number
  readonly exists: number
  readonly noSpace: number
  readonly indexFull: number
  readonly badKey: number
  readonly valueTooLarge: number
  /** Values found that did not fit in the output area. */
  readonly noRoom: number
  readonly notACounter: number
  readonly unknownOpcode: number
  /** Requests whose keyhash was not the key's (only where the partition computes hashes itself). */
  readonly hashMismatches: number
  /** Store mode: spare buckets chained to full ones now. */
  readonly spareBucketsInUse: number
  /** Items in the store now: inserts less deletes, evictions and expiries. Exact. */
  readonly items: number
}

/** The counters of the partition at `byteOffset`, live: usable from any thread that has the memory. */
export function countersOf(memory: WasmMemory, byteOffset: number): Float64Array {
  return new Float64Array(memory.buffer, byteOffset + COUNTERS_OFFSET, COUNTERS)
}

/** Reads live counters into a plain object. From another thread the numbers may be a few requests apart. */
export function snapshotOf(counters: Float64Array): MicaStatistics {
  return {
    requests: counters[C_REQUESTS],
    hits: counters[C_HITS],
    misses: counters[C_MISSES],
    setsInPlace: counters[C_SETS_IN_PLACE],
    setsMoved: counters[C_SETS_MOVED],
    inserts: counters[C_INSERTS],
    deletes: counters[C_DELETES],
    indexEvictions: counters[C_INDEX_EVICTIONS],
    logEvictions: counters[C_LOG_EVICTIONS],
    expired: counters[C_EXPIRED],
    movedToHead: counters[C_MOVED_TO_HEAD],
    staleCleared: counters[C_STALE_CLEARED],
    staleSwept: counters[C_STALE_SWEPT],
    notFound: counters[C_REFUSED + 1],
    exists: counters[C_REFUSED + 2],
    noSpace: counters[C_REFUSED + 3],
    indexFull: counters[C_REFUSED + 4],
    badKey: counters[C_REFUSED + 5],
    valueTooLarge: counters[C_REFUSED + 6],
    noRoom: counters[C_REFUSED + 7],
    notACounter: counters[C_REFUSED + 8],
    unknownOpcode: counters[C_REFUSED + 9],
    hashMismatches: counters[C_HASH_MISMATCHES],
    spareBucketsInUse: counters[C_SPARE_BUCKETS],
    items:
      counters[C_INSERTS] -
      counters[C_DELETES] -
      counters[C_INDEX_EVICTIONS] -
      counters[C_LOG_EVICTIONS] -
      counters[C_EXPIRED],
  }
}
