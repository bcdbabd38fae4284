import type { Counters } from '../counters.ts'
import type { FramePool } from '../memory/frame-pool.ts'
import type { FrameWindow } from '../memory/frame-window.ts'
import type { WakeSource } from '../wake.ts'
import type { BlockBurst, BlockCompletions } from './burst.ts'

export interface BlockCapabilities {
  /** Bytes a logical block. */
  readonly blockSize: number
  /** Alignment of a segment in memory, in bytes. */
  readonly memoryAlignment: number
  readonly maxSegments: number
  /** Longest transfer of one command, in blocks. */
  readonly maxTransfer: number
  /** Blocks that are written whole or not at all when power fails (NVMe AWUPF + 1). */
  readonly atomicUnit: number
  /** Blocks at whose multiples an atomic write may not cross, 0 for none (NVMe NABSPF). */
  readonly atomicBoundary: number
  /** Completed writes may be lost until a flush. */
  readonly volatileCache: boolean
  /** Opcodes that it takes, `1 << BLOCK_*`. */
  readonly opcodes: number
  readonly queueDepth: number
  readonly regions: readonly ('plain' | 'memfd')[]
}

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

/** Blocks `firstLba` to `firstLba + blocks` of one namespace: what a lease holds. */
export interface BlockRange {
  readonly namespace: number
  readonly firstLba: number
  readonly blocks: number
}

export interface BlockQueueGrant<Transport = unknown> {
  readonly module: string
  readonly device: string
  readonly queue: number
  readonly range: BlockRange
  readonly window: FrameWindow
  readonly capabilities: BlockCapabilities
  readonly counters: SharedArrayBuffer
  readonly transport: Transport
}

/** The control half of a block device; the same two halves, and the same errors, as a net device. */
export interface BlockDevice {
  readonly name: string
  readonly queues: number
  readonly capabilities: BlockCapabilities
  /** Blocks of each namespace, by its number. */
  readonly namespaces: ReadonlyMap<number, number>
  grant(queue: number, range: BlockRange, window: FrameWindow): BlockQueueGrant
  reclaim(grant: BlockQueueGrant): void
  statistics(): Record<BlockCounter, number>
  close(): Promise<void>
}

/** One submission and completion queue pair, in the thread that uses it. Never blocks, never throws. */
export interface BlockQueue {
  readonly grant: BlockQueueGrant
  readonly pool: FramePool
  readonly capabilities: BlockCapabilities
  readonly counters: Counters<BlockCounter>
  readonly wake: WakeSource
  /**
   * Offers commands from `start` and returns how many were consumed; fewer means that the queue is full. A refused command
   * carries `BLOCK_REFUSED` and is counted; it gets no completion. An accepted one gets exactly one, also after a reset or
   * a removal, and its frames are the device's to read or write until then.
   */
  submit(burst: BlockBurst, start?: number): number
  /** Fills `completions` from entry 0; returns the count. */
  complete(completions: BlockCompletions): number
  arm(): boolean
  detach(): void
}
