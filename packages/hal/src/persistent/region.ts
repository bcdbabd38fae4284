import type { Persistence } from '../block/device.ts'
import type { MemoryRegion } from '../memory/region.ts'
import type { PersistentProcessLease } from '../process/lease.ts'
import type { PersistentCopy } from './copy.ts'

/** Byte ranges as pairs [offset, length, offset, length, ...] in a flat list, so that a flush of many is one call. */
export type ByteRanges = readonly number[] | Float64Array

export interface PersistentCapabilities {
  /** Bytes that a flush moves at once: 1, a cache line (64), or a page. */
  readonly granularity: number
  /** What a completed `drain` promises. */
  readonly persistence: Persistence
}

/** Bytes `byteOffset` to `byteOffset + byteLength` of a device: what a lease holds. Both are multiples of the granularity. */
export interface PersistentRange {
  readonly byteOffset: number
  readonly byteLength: number
}

/** Plain clonable data: what the holder of a range attaches with, in its own thread. */
export interface PersistentGrant<Transport = unknown> {
  /** URL of the module that exports `persistentBackend`, for `attach`. */
  readonly module: string
  readonly device: string
  /** Names the holder in errors. */
  readonly lease: number
  readonly range: PersistentRange
  readonly capabilities: PersistentCapabilities
  readonly transport: Transport
}

/** The control half: owns the mapping and hands out ranges of it. */
export interface PersistentDevice {
  readonly name: string
  readonly byteLength: number
  readonly capabilities: PersistentCapabilities
  /** @throws EINVAL for a range that is not in the device or not aligned, EBUSY for one that overlaps a range that is held */
  grant(range: PersistentRange, lease?: number): PersistentGrant
  /** Without the holder's help. What it stored and did not drain may or may not be there. Idempotent. */
  reclaim(grant: PersistentGrant): void
  /** Gives a range to another process: see `leasePersistentRange`, by which it is called. Without it the device has nothing to offer. */
  lease?(range: PersistentRange): PersistentProcessLease
  /** Drains, and unmaps what no holder can reach any more. Idempotent. */
  close(): Promise<void>
}

/**
 * Byte-addressable memory that outlives the process, as its holder sees it, in its own thread. Stores are volatile until they
 * are flushed and drained, and may become durable earlier, in any order; an aligned 8-byte store is the only atomic publish.
 */
export interface PersistentRegion {
  readonly name: string
  readonly grant: PersistentGrant
  /** The memory that it lies in, and where: offsets of all calls are bytes from there. */
  readonly region: MemoryRegion
  readonly byteOffset: number
  readonly byteLength: number
  readonly capabilities: PersistentCapabilities
  /** Starts write-back of the ranges. @throws EIO when one is poisoned, EINVAL outside the range */
  flush(ranges: ByteRanges): void
  /** Returns when everything flushed so far is durable. */
  drain(): void
  /** `flush` and `drain` in one step: what a single record costs is mostly the calls. Same errors as `flush`. */
  persist(ranges: ByteRanges): void
  /** A copy that is quicker than stores and a flush, where there is one: see `persistentCopy`. */
  copyFrom?(source: MemoryRegion): PersistentCopy
  /** First byte of a poisoned range at or after `offset`, or -1: reading it would fail (EIO). */
  poisonedFrom(offset: number): number
  /** The range can be granted again. Idempotent. */
  detach(): void
}
