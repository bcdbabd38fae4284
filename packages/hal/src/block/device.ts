import type { Counters } from '../counters.ts'
import type { FramePool } from '../memory/frame-pool.ts'
import type { FrameWindow } from '../memory/frame-window.ts'
import type { MemoryRegion } from '../memory/region.ts'
import type { ControlBlock } from '../net/control-block.ts'
import type { BlockProcessLease } from '../process/lease.ts'
import type { WakeSource } from '../wake.ts'
import type { BlockBurst, BlockCompletions } from './burst.ts'

/**
 * What survives: power loss (`media`), a crash of the host but not of its power supply's (`host-crash`), a crash of the process
 * (`process-crash`), or nothing.
 */
export type Persistence = 'media' | 'host-crash' | 'process-crash' | 'none'

export interface BlockCapabilities {
  /** Bytes a logical block. */
  readonly blockSize: number
  /** Of a segment's address in the region and of its length, in bytes. */
  readonly memoryAlignment: number
  readonly maxSegments: number
  /**
   * Segments other than the first begin, and other than the last end, at multiples of this address, in bytes (the entries of an
   * NVMe PRP list); 0: wherever they like.
   */
  readonly segmentPage: number
  /** Longest read, write, compare or write zeroes, in blocks. A deallocation may have any length. */
  readonly maxTransfer: number
  /**
   * A write of at most so many blocks is there whole or not at all after power failed (NVMe AWUPF + 1). A longer one, or one that
   * crosses `atomicBoundary`, may be torn between any two blocks; a single block never is.
   */
  readonly atomicUnit: number
  /** Blocks at whose multiples an atomic write may not cross, 0 for none (NVMe NABSPF). */
  readonly atomicBoundary: number
  /** Completed writes may be lost until a flush. */
  readonly volatileCache: boolean
  /** What a completed flush promises. */
  readonly persistence: Persistence
  /** Opcodes that it takes, `1 << BLOCK_*`. */
  readonly opcodes: number
  /** Commands of one queue that may be accepted and not yet completed. */
  readonly queueDepth: number
  /** A queue can be used in another thread, or another process, than the one that granted it. */
  readonly attach: 'thread' | 'worker' | 'process'
  readonly regions: readonly MemoryRegion['kind'][]
}

/**
 * The counters of one block queue, in the order of their indices below. Every command that is offered and consumed ends in
 * exactly one of `submitted`, `refusedLease` and `refusedInvalid`; every submitted one, sooner or later, in `completed`.
 */
export const BLOCK_COUNTERS = [
  'submitted',
  'completed',
  'failed',
  'bytesRead',
  'bytesWritten',
  'queueFull',
  'refusedLease',
  'refusedInvalid',
  'timeouts',
  'wakeUps',
] as const
export type BlockCounter = (typeof BLOCK_COUNTERS)[number]

/** Commands accepted. */
export const BLOCK_SUBMITTED = 0
/** Completions handed to the holder, failed ones included. */
export const BLOCK_COMPLETED = 1
/** Completions with a status other than 0. */
export const BLOCK_FAILED = 2
/** Bytes moved by successful reads. */
export const BLOCK_BYTES_READ = 3
/** Bytes moved by successful writes. */
export const BLOCK_BYTES_WRITTEN = 4
/** Times that `submit` took less than it was offered because the queue was full. Nothing is lost by it. */
export const BLOCK_QUEUE_FULL = 5
/** Outside the granted blocks, or a segment outside the window or in a frame that is not held. */
export const BLOCK_REFUSED_LEASE = 6
/** Malformed: unknown opcode, misaligned, no blocks, a length that does not fit, or more than the device takes. */
export const BLOCK_REFUSED_INVALID = 7
/** Commands that the device did not answer in time. */
export const BLOCK_TIMEOUTS = 8
/** System calls or futex calls made to wake a sleeping side. */
export const BLOCK_WAKE_UPS = 9

/** Blocks `firstLba` to `firstLba + blocks` of one namespace: what a lease holds. */
export interface BlockRange {
  readonly namespace: number
  readonly firstLba: number
  readonly blocks: number
}

/** Plain clonable data, as a net queue's grant is. */
export interface BlockQueueGrant<Transport = unknown> {
  /** URL of a module that exports the backend under the name `blockBackend`. */
  readonly module: string
  readonly device: string
  readonly queue: number
  readonly range: BlockRange
  readonly window: FrameWindow
  readonly capabilities: BlockCapabilities
  /** Shared memory of a `ControlBlock`, of which a block queue uses the state and the epoch. */
  readonly control: SharedArrayBuffer
  /** Shared memory of `BLOCK_COUNTERS`: the same for every grant of a queue, as long as the device is open. */
  readonly counters: SharedArrayBuffer
  readonly transport: Transport
}

/** The control half of a block device; the same two halves, and the same errors, as a net device. */
export interface BlockDevice {
  readonly name: string
  /** Queue pairs, numbered from 0. */
  readonly queues: number
  readonly capabilities: BlockCapabilities
  /** Blocks of each namespace, by its number. */
  readonly namespaces: ReadonlyMap<number, number>
  /**
   * Gives one queue pair to the holder of `window`, for the blocks of `range` and no others. Ranges of several grants may overlap.
   * @throws EINVAL: queue out of range, a range that is not in its namespace, or a window that the device cannot use. EBUSY:
   * the queue has an owner. ENOTSUP: kind of memory. ENODEV: the device is gone.
   */
  grant(queue: number, range: BlockRange, window: FrameWindow): BlockQueueGrant
  /**
   * Takes a queue back, without the holder's help. When this returns the device touches none of the window's frames any more,
   * and the queue is free to be granted again. Commands that were outstanding may have had an effect or not. Reclaiming twice
   * changes nothing.
   */
  reclaim(grant: BlockQueueGrant): void
  /**
   * Gives the blocks of `range` to another process, with a queue of its own: see `leaseBlockRange`, by which it is called. Without it
   * the device has nothing to offer.
   * @throws EINVAL for a range that is not in its namespace; EPERM where a right is missing that making the kernel object needs
   */
  lease?(range: BlockRange): BlockProcessLease
  /** Sum over all queues, those of ended grants included. */
  statistics(): Record<BlockCounter, number>
  /** Reclaims every queue and lets go of the device. Idempotent. */
  close(): Promise<void>
}

/**
 * One submission and completion queue pair, in the thread that uses it. Never blocks, never throws.
 *
 * Addresses are the device's own, not counted from the lease. The references of the frames that a command names stay the
 * submitter's, which neither releases nor writes them (nor reads what is being read into them) until the completion.
 * Commands run in any order and at the same time; what overlapping ones leave behind is undefined. A flush covers what had
 * completed before it was submitted, of every queue.
 */
export interface BlockQueue {
  readonly grant: BlockQueueGrant
  readonly pool: FramePool
  readonly capabilities: BlockCapabilities
  readonly control: ControlBlock
  readonly counters: Counters<BlockCounter>
  readonly wake: WakeSource
  /**
   * Offers commands from `start` and returns how many were consumed; fewer means that the queue is full, or that the grant has
   * ended (see `control.state`). A refused command carries `BLOCK_REFUSED`, is counted here and in `burst.refused`, which each
   * call sets anew, and gets no completion. An accepted one gets exactly one.
   */
  submit(burst: BlockBurst, start?: number): number
  /**
   * Fills `completions` from entry 0; returns the count. After a `reclaim` what is outstanding completes with ECANCELED, after a
   * removal of the device with ENODEV, unless it had completed before.
   */
  complete(completions: BlockCompletions): number
  /** Asks for a wake-up when something completes, then looks once more: true means that there is work, do not sleep. */
  arm(): boolean
  /**
   * When the next completion will be there, in nanoseconds on the device's clock; Infinity when none is under way. Only devices
   * that know their future have it.
   */
  nextEvent?(): number
  /**
   * Ends the use of the queue. Idempotent. What is outstanding gets no completion any more, and the device may use its frames until
   * `reclaim`: who wants neither completes everything first. The control half may grant the queue again.
   */
  detach(): void
}
