import type { Counters, FramePool, Persistence, PersistentRegion } from '@parakernel/hal'
import type { Loop } from '@parakernel/kernel'
import type { MediumRequest } from './request.ts'

export const MEDIUM_COUNTERS = [
  'reads',
  'writes',
  'flushes',
  'discards',
  'bytesRead',
  'bytesWritten',
  'bytesCopied',
  'split',
  'failed',
] as const
export type MediumCounter = (typeof MEDIUM_COUNTERS)[number]

export const MEDIUM_READS = 0
export const MEDIUM_WRITES = 1
export const MEDIUM_FLUSHES = 2
/** Deallocations and writes of zeroes. */
export const MEDIUM_DISCARDS = 3
export const MEDIUM_BYTES_READ = 4
export const MEDIUM_BYTES_WRITTEN = 5
/** Between frames and persistent memory; a block device copies nothing here. */
export const MEDIUM_BYTES_COPIED = 6
/** Commands that requests took beyond their first. */
export const MEDIUM_SPLIT = 7
/** Requests that ended with a status other than 0. */
export const MEDIUM_FAILED = 8

/**
 * What log, files and records stand on: a queue of a block device or a persistent region, seen as bytes that are read and
 * written by whole blocks. Lives in one thread. Requests complete in any order, never within `submit`; only a flush orders:
 * it covers the writes that had completed when it was submitted, and no others.
 */
export interface Medium {
  readonly name: string
  /** That completes the requests. */
  readonly loop: Loop
  /** Of the frames that requests name. */
  readonly pool: FramePool
  readonly byteLength: number
  /** Positions, lengths and segments are multiples of it, in bytes: a logical block, or a cache line of persistent memory. */
  readonly blockSize: number
  /** Of a segment's address in the region, in bytes. */
  readonly memoryAlignment: number
  /** As in `BlockCapabilities`; a request that breaks the rule is split. */
  readonly segmentPage: number
  /**
   * A write that lies within an aligned run of so many bytes is there whole or not at all after power failed; a longer one may be
   * torn between any two such units. At least 8.
   */
  readonly atomicUnit: number
  /** Longest request that is one command of the device; longer ones are split, and are whole by atomic units alone. */
  readonly maxTransfer: number
  /** What was written may be lost until a flush, or until its own completion with `fua`. */
  readonly volatileCache: boolean
  readonly persistence: Persistence
  /**
   * The memory itself where the medium is persistent memory, and where in the region (from `region.byteOffset`) position 0 is: for
   * those who would rather store than submit.
   */
  readonly persistent: { readonly region: PersistentRegion; readonly position: number } | undefined
  readonly counters: Counters<MediumCounter>
  /** Owned by the medium until `request.done` is called, exactly once. A request that is malformed or outside completes with EINVAL. */
  submit(request: MediumRequest): void
  /** Requests that are not done. */
  readonly outstanding: number
  /** From then on requests end with EBADF, and `persistent` is not to be touched. */
  readonly closed: boolean
  /** Completes what is outstanding with ECANCELED where the device has not, gives the queue back and leaves the loop. Idempotent. */
  close(): void
}
