import type { MemoryRegion } from '../memory/region.ts'

/** Byte ranges as pairs [offset, length, offset, length, ...] in a flat list, so that a flush of many is one call. */
export type ByteRanges = readonly number[] | Float64Array

export interface PersistentCapabilities {
  /** Bytes that a flush moves at once: 1, a cache line (64), or a page. */
  readonly granularity: number
  /**
   * What a completed `drain` promises: `media` (survives power loss), `host-crash` (in the host's page cache with
   * write-back started), or `process-crash`.
   */
  readonly durability: 'media' | 'host-crash' | 'process-crash'
}

/**
 * Byte-addressable memory that outlives the process. Stores are volatile until they are flushed and drained, and may
 * become durable earlier, in any order; an aligned 8-byte store is the only atomic publish.
 */
export interface PersistentRegion {
  readonly name: string
  readonly region: MemoryRegion
  readonly byteLength: number
  readonly capabilities: PersistentCapabilities
  /** Starts write-back of the ranges. @throws EIO when one is poisoned, EINVAL outside the region. */
  flush(ranges: ByteRanges): void
  /** Returns when everything flushed so far is durable. */
  drain(): void
  /** First byte of a poisoned range at or after `offset`, or -1: reading it would fail (EIO). */
  poisonedFrom(offset: number): number
  close(): void
}
