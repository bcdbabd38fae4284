/** Sub-buckets of each power of two: a value is known to 1/64 = 1.6 %. */
const SUB_BITS = 6
const SUB = 1 << SUB_BITS
/** Values below 2^SUB_BITS have a bucket each; above, 64 buckets for each of the remaining powers of 2^31. */
const BUCKETS = SUB * (32 - SUB_BITS)

/**
 * A log-linear histogram of values from 0 to 2^31 - 1 (here: latencies in units of 10 ns, up to 21 s). Recording is one shift,
 * one clz and one add. The buckets may lie in shared memory, so that another thread reads them while they fill.
 */
export class Histogram {
  readonly counts: Uint32Array

  static readonly BYTES = BUCKETS * 4

  constructor(buffer: ArrayBufferLike = new ArrayBuffer(Histogram.BYTES), byteOffset = 0) {
    this.counts = new Uint32Array(buffer, byteOffset, BUCKETS)
  }

  /** @param value int32; negative ones (a clock that stepped) count as 0 */
  record(value: number): void {
    this.counts[bucketOf(Math.max(value, 0))]++
  }

  get total(): number {
    let sum = 0
    for (const count of this.counts) sum += count
    return sum
  }

  /** The value below or at which a share of `quantile` lies (upper end of its bucket); 0 when empty. */
  quantile(quantile: number): number {
    const total = this.total
    if (total === 0) return 0
    const rank = Math.max(1, Math.ceil(quantile * total))
    let seen = 0
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.counts[bucket]
      if (seen >= rank) return upperEnd(bucket)
    }
    return upperEnd(BUCKETS - 1)
  }

  get max(): number {
    for (let bucket = BUCKETS - 1; bucket >= 0; bucket--) if (this.counts[bucket] !== 0) return upperEnd(bucket)
    return 0
  }

  add(other: Histogram): void {
    for (let bucket = 0; bucket < BUCKETS; bucket++) this.counts[bucket] += other.counts[bucket]
  }

  /** What was recorded since `earlier` was copied from this one. */
  since(earlier: Uint32Array): Histogram {
    const out = new Histogram()
    for (let bucket = 0; bucket < BUCKETS; bucket++) out.counts[bucket] = this.counts[bucket] - earlier[bucket]
    return out
  }

  clear(): void {
    this.counts.fill(0)
  }
}

function bucketOf(value: number): number {
  if (value < SUB) return value
  const exponent = 31 - Math.clz32(value)
  return ((exponent - SUB_BITS + 1) << SUB_BITS) + ((value >>> (exponent - SUB_BITS)) & (SUB - 1))
}

/** Largest value of a bucket. */
function upperEnd(bucket: number): number {
  if (bucket < SUB) return bucket
  const shift = (bucket >>> SUB_BITS) - 1
  return (SUB + (bucket & (SUB - 1)) + 1) * 2 ** shift - 1
}
