/** Bucket 0 is for 0, bucket i for values from 2^(i-1) to 2^i - 1. */
const BUCKETS = 32
/** Behind the buckets: the sum of all values. */
const SUM = BUCKETS
/** Doubles that a histogram takes. */
export const HISTOGRAM_DOUBLES = BUCKETS + 1

/** What a histogram held at one moment. */
export interface HistogramSnapshot {
  /** How many values lay in each bucket: bucket i counts those below `2 ** i` that no earlier one has. */
  readonly counts: readonly number[]
  readonly sum: number
}

/**
 * Counts values from 0 to 2^31 - 1 by their power of two, in shared memory: one thread records, any other reads. A record is
 * one clz and two adds.
 */
export class LogHistogram {
  readonly #values: Float64Array

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(HISTOGRAM_DOUBLES * 8), byteOffset = 0) {
    this.#values = new Float64Array(buffer, byteOffset, HISTOGRAM_DOUBLES)
  }

  /** @param value what is larger counts as 2^31 - 1 */
  record(value: number): void {
    const values = this.#values
    const bounded = Math.min(value, 0x7fff_ffff)
    values[32 - Math.clz32(bounded)]++
    values[SUM] += bounded
  }

  snapshot(): HistogramSnapshot {
    return { counts: [...this.#values.subarray(0, BUCKETS)], sum: this.#values[SUM] }
  }
}
