import { ParakernelError } from '@parakernel/hal'
import {
  BUCKET_BYTES,
  BUCKET_SLOTS,
  HEADER_BYTES,
  ITEM_EXTENSION_BYTES,
  ITEM_HEADER_BYTES,
  MAX_KEY_BYTES,
  MAX_VALUE_BYTES,
  MOST_TOUCH_LINES,
} from './layout.ts'
import { RequestBatch } from './request-batch.ts'

/** `cache`: lossy index and circular log, never out of space. `store`: nothing is lost, and inserts may be refused. */
export type MicaMode = 'cache' | 'store'

export interface GeometryOptions {
  /** Default `cache`. */
  readonly mode?: MicaMode
  /** Main buckets of 7 slots, rounded up to a power of two. Default: items that fit in the data / (7 x `indexLoad`). */
  readonly buckets?: number
  /** Bytes of the circular log (a power of two) or of the heap (a multiple of 64). Default: what the window leaves. */
  readonly dataBytes?: number
  /** Typical key plus value bytes, for the defaults above. Default 64. */
  readonly expectedItemBytes?: number
  /** Share of index slots in use when the data area is full. Default 0.5: under 1.5 % of keys lost to full buckets. */
  readonly indexLoad?: number
  /** Store mode: spare buckets as a share of the main ones. Default 0.1. */
  readonly spareBuckets?: number
  /** Largest value. Default: 1 MiB, or a quarter of the data area if that is less. */
  readonly maxValueBytes?: number
}

/** Byte offsets from the window's start, and sizes. */
export interface Geometry {
  readonly mode: MicaMode
  readonly batchOffset: number
  readonly stagingOffset: number
  readonly stagingBytes: number
  readonly indexOffset: number
  readonly buckets: number
  readonly spareOffset: number
  readonly spareBuckets: number
  readonly dataOffset: number
  readonly dataBytes: number
  readonly maxValueBytes: number
  /** Bytes of the window that the partition uses. */
  readonly byteLength: number
}

const align = (value: number, to: number) => Math.ceil(value / to) * to
const powerOfTwoAtLeast = (value: number) => 2 ** Math.max(0, Math.ceil(Math.log2(value)))

/** Bytes that one item takes in the data area. */
export function itemBytes(keyLength: number, valueLength: number, extended = false): number {
  return ITEM_HEADER_BYTES + (extended ? ITEM_EXTENSION_BYTES : 0) + align(keyLength, 8) + align(valueLength, 8)
}

function layOut(options: GeometryOptions, dataBytes: number): Geometry {
  const { mode = 'cache', expectedItemBytes = 64, indexLoad = 0.5, spareBuckets: spareShare = 0.1 } = options
  const largestValue = Math.floor(dataBytes / 4 / 8) * 8 - itemBytes(MAX_KEY_BYTES, 0, true)
  const maxValueBytes = Math.min(options.maxValueBytes ?? MAX_VALUE_BYTES, MAX_VALUE_BYTES, Math.max(largestValue, 0))
  const expectedItems = dataBytes / (ITEM_HEADER_BYTES + align(expectedItemBytes, 8))
  const buckets = powerOfTwoAtLeast(options.buckets ?? expectedItems / (BUCKET_SLOTS * indexLoad))
  const spareBuckets = mode === 'store' ? Math.max(1, Math.ceil(buckets * spareShare)) : 0
  const batchOffset = HEADER_BYTES
  const stagingOffset = batchOffset + RequestBatch.byteLength(1)
  const stagingBytes = align(MAX_KEY_BYTES + 1 + maxValueBytes, 64)
  const indexOffset = align(stagingOffset + stagingBytes, 4096)
  const spareOffset = indexOffset + buckets * BUCKET_BYTES
  const dataOffset = spareOffset + spareBuckets * BUCKET_BYTES
  return {
    mode,
    batchOffset,
    stagingOffset,
    stagingBytes,
    indexOffset,
    buckets,
    spareOffset,
    spareBuckets,
    dataOffset,
    dataBytes,
    maxValueBytes,
    byteLength: dataOffset + dataBytes + 64 * (MOST_TOUCH_LINES + 1),
  }
}

/**
 * Divides a window of `byteLength` bytes. A circular log is a power of two (its wide positions must wrap with it), so
 * unless `dataBytes` says otherwise it is the largest that fits beside its index, and a part of the window may stay
 * unused. A heap takes what is left. Throws ENOSPC if nothing fits, EINVAL for an option out of range.
 */
export function planPartition(byteLength: number, options: GeometryOptions = {}): Geometry {
  const { mode = 'cache', indexLoad = 0.5, dataBytes } = options
  const subject = 'MicaPartition'
  if (!(indexLoad > 0 && indexLoad <= 1)) {
    throw new ParakernelError('EINVAL', `indexLoad is ${indexLoad}`, { subject, remedy: 'Give a share in (0, 1]' })
  }
  if (dataBytes !== undefined) {
    const valid =
      dataBytes >= 4096 && (mode === 'cache' ? Number.isInteger(Math.log2(dataBytes)) : dataBytes % 64 === 0)
    if (!valid) {
      throw new ParakernelError('EINVAL', `dataBytes is ${dataBytes}`, {
        subject,
        remedy: mode === 'cache' ? 'Give a power of two, at least 4096' : 'Give a multiple of 64, at least 4096',
      })
    }
  }
  let geometry: Geometry | undefined
  if (dataBytes !== undefined) geometry = layOut(options, dataBytes)
  else if (mode === 'cache') {
    for (let log = 2 ** 30; log >= 4096 && geometry === undefined; log /= 2) {
      const candidate = layOut(options, log)
      if (candidate.byteLength <= byteLength) geometry = candidate
    }
  } else geometry = largestHeap(byteLength, options)
  if (geometry === undefined || geometry.byteLength > byteLength) {
    throw new ParakernelError(
      'ENOSPC',
      `${geometry?.byteLength ?? 'more'} bytes wanted, the window has ${byteLength}`,
      {
        subject,
        remedy: 'Give a larger window, fewer buckets, less data or a smaller maxValueBytes',
      },
    )
  }
  if (geometry.maxValueBytes < 1) {
    throw new ParakernelError('ENOSPC', `a data area of ${geometry.dataBytes} bytes holds no values`, { subject })
  }
  return geometry
}

/** The index grows in steps with the heap, so the largest heap is found by bisection over its size. */
function largestHeap(byteLength: number, options: GeometryOptions): Geometry | undefined {
  let best: Geometry | undefined
  let low = 4096 / 64
  let high = Math.floor(byteLength / 64)
  while (low <= high) {
    const middle = Math.floor((low + high) / 2)
    const candidate = layOut(options, middle * 64)
    if (candidate.byteLength <= byteLength) {
      best = candidate
      low = middle + 1
    } else high = middle - 1
  }
  return best
}
