import type { BlockQueueGrant, MemoryRegion } from '@parakernel/hal'
import type { RegisterShare, VectorShare } from '../transport.ts'

/** Byte offsets of one submission and one completion ring in the region of the queue memory. */
export interface RingOffsets {
  readonly submission: number
  readonly completion: number
}

/** What a holder needs beside the grant's common part. Plain clonable data. */
export interface NvmeQueueTransport {
  /** Of the grant, in its process: a clone is the same grant. */
  readonly serial: number
  readonly registers: RegisterShare
  /** The controller's number of the queue pair, from 1. */
  readonly hardwareQueue: number
  /** Entries of each ring, a power of two; one less can be outstanding. */
  readonly depth: number
  readonly submissionDoorbell: number
  readonly completionDoorbell: number
  readonly region: MemoryRegion
  /** Two sets: each reset of the controller goes on with the other, so that nobody clears a ring under a holder in mid-burst. */
  readonly rings: readonly [RingOffsets, RingOffsets]
  /** Byte offset, and bus address, of the first slot's list of PRP entries, SGL descriptors or ranges. */
  readonly lists: number
  readonly listBus: number
  /** Bytes of such a list: a power of two below `pageSize`, or whole pages. */
  readonly listBytes: number
  /** Bus address that byte 0 of the window's region has, or would have: negative when only a later part of it is mapped. */
  readonly frameBus: number
  readonly pageSize: number
  readonly sgl: boolean
  /** How often a command is sent again: after a passing error, or a reset of the controller. */
  readonly retries: number
  /** Most blocks of one range of a deallocation. */
  readonly maxRange: number
  /** Shared memory of a `QueueState`. */
  readonly state: SharedArrayBuffer
  readonly vector: VectorShare
}

export type NvmeQueueGrant = BlockQueueGrant<NvmeQueueTransport>
