import type { BlockCounter, NetStatistics } from '@parakernel/hal'
import type { LeaseHolder } from '../lease/lease.ts'
import type { HistogramSnapshot } from '../loop/log-histogram.ts'
import type { LoopStatistics } from '../loop/statistics.ts'

/** How a partition ended. */
export type PartitionExit =
  | { readonly kind: 'stopped' }
  | {
      /** Its code threw, or its thread ended, without having been asked to. */
      readonly kind: 'crashed'
      readonly error: Error
    }

export interface PartitionStatistics {
  readonly loop: LoopStatistics
  /** See `LoopCounters.roundTimes`. */
  readonly roundTimes: HistogramSnapshot
  /** Of each of the partition's device queues, in the order of the plan's grants. */
  readonly queues: readonly NetStatistics[]
  /** Of each of its queues of block devices, in the order of the plan's grants. */
  readonly blocks: readonly Readonly<Record<BlockCounter, number>>[]
}

/** The control thread's end of a partition; what a `LeaseTable` tells its holder goes by it. */
export interface PartitionHandle extends LeaseHolder {
  readonly name: string
  readonly index: number
  /** Resolves when the partition's code has started; rejects when it failed to, in which case `exited` resolves too. */
  readonly ready: Promise<void>
  /** Resolves once, when the partition is gone for whatever reason. Never rejects. */
  readonly exited: Promise<PartitionExit>
  /**
   * Calls a method that the partition's module returned.
   * @throws what the method threw; ENOSYS for an unknown method, ENXIO when the partition is gone.
   */
  call(method: string, ...args: readonly unknown[]): Promise<unknown>
  /** Read from shared memory: asks nothing of the partition, and works after its end. */
  statistics(): PartitionStatistics
  /**
   * Stops it in order: its `stop` is called, its queues are detached, its loop ends. A partition that does not follow
   * within `timeout` milliseconds (default 5,000) is ended by force, which counts as a crash with ETIMEDOUT. Idempotent.
   */
  stop(timeout?: number): Promise<PartitionExit>
  /**
   * Ends it by force, at once: a crash with ECANCELED. Inline, where nothing ends a running thread's code, it is declared gone: it
   * hears of nothing any more, and what it holds is left as it is, to be reclaimed.
   */
  kill(): Promise<PartitionExit>
}

export const STOP_TIMEOUT = 5_000
