import { Counters, countersBuffer } from '@parakernel/hal'
import { Histogram } from './histogram.ts'

export const LOAD_COUNTERS = [
  'operations',
  'reads',
  'writes',
  'hits',
  'misses',
  /** Values that were never written under their key: always fatal. */
  'wrong',
  /** Older than an acknowledged write, where no write of the key had been repeated: fatal too. */
  'stale',
  /** The same for keys that had a repeated write, which UDP and at-least-once writes allow. */
  'staleAfterRetry',
  'timeouts',
  /** Results that are neither success nor a miss. */
  'refused',
  'datagramsSent',
  'datagramsReceived',
  'retries',
  'lateResponses',
  'malformedResponses',
  'sendDrops',
  /** 0 starting, 1 filling the store, 2 measuring, 3 done. */
  'phase',
  /** Keys stored in the filling phase. */
  'filled',
  /** Keys read back one by one before the measurement (`verify`), and those that were not there. */
  'checked',
  'checkMisses',
] as const

export type LoadCounter = (typeof LOAD_COUNTERS)[number]

/** Latencies are recorded in units of this many nanoseconds. */
export const LATENCY_UNIT = 10

/** Shared memory of a load's counters and histogram. Plain data, for `postMessage`. */
export interface LoadMemory {
  readonly counters: SharedArrayBuffer
  readonly latency: SharedArrayBuffer
}

export function loadMemory(): LoadMemory {
  return { counters: countersBuffer(LOAD_COUNTERS), latency: new SharedArrayBuffer(Histogram.BYTES) }
}

/** The load's side, and any reader's. */
export class LoadStatistics {
  readonly counters: Counters<LoadCounter>
  /** From the intended time of sending, in LATENCY_UNITs. */
  readonly latency: Histogram

  constructor(memory: LoadMemory) {
    this.counters = new Counters(LOAD_COUNTERS, memory.counters)
    this.latency = new Histogram(memory.latency)
  }
}

const index = (name: LoadCounter) => LOAD_COUNTERS.indexOf(name)

export const L_OPERATIONS = index('operations')
export const L_READS = index('reads')
export const L_WRITES = index('writes')
export const L_HITS = index('hits')
export const L_MISSES = index('misses')
export const L_WRONG = index('wrong')
export const L_STALE = index('stale')
export const L_STALE_AFTER_RETRY = index('staleAfterRetry')
export const L_TIMEOUTS = index('timeouts')
export const L_REFUSED = index('refused')
export const L_PHASE = index('phase')
export const L_FILLED = index('filled')
export const L_CHECKED = index('checked')
export const L_CHECK_MISSES = index('checkMisses')

export const PHASE_FILLING = 1
export const PHASE_MEASURING = 2
export const PHASE_DONE = 3
