import type {
  BlockQueue,
  BlockQueueGrant,
  Clock,
  FramePool,
  Host,
  NetQueue,
  NetQueueGrant,
  PersistentGrant,
  PersistentRegion,
  WakeSource,
} from '@parakernel/hal'
import type { LeasedGrant } from './lease/resource.ts'

/**
 * Something that the run loop polls: a device queue with the stack above it, a ring from another partition, a memory queue.
 * None of the calls may block or throw.
 */
export interface Pollable {
  /**
   * Does a bounded amount of work and returns how much (frames, messages, completions); 0 when there was none. The loop asks
   * for `limit` at most; what a pollable does beyond it, because it works in bursts of its own, is owed by its group.
   */
  poll(now: number, limit?: number): number
  readonly wake: WakeSource
  /** Asks for a wake-up, then looks once more; true: there is work, do not sleep. */
  arm(): boolean
  /** Time of the next thing that will happen by itself (a delivery on a virtual clock), Infinity when there is none. */
  nextEvent?(): number
  /** What reports about the loop call it; its class by default. */
  readonly label?: string
}

/** Where pollables are unless they are added elsewhere: device queues, rings, memory queues. */
export const FAST = 'fast'
/** What may wait while there is anything else: clearing up, flushing for somebody who has left. */
export const BACKGROUND = 'background'

/** Opaque; 0 is never a timer. */
export type TimerId = number

export interface Timers {
  /**
   * Calls `task(now)` once at `time` (absolute nanoseconds on the loop's clock), or in the next round if that is past. O(1). With
   * `slack`, it may be up to so many nanoseconds later, together with others, so that a loop that sleeps wakes up less often.
   */
  at(time: number, task: (now: number) => void, slack?: number): TimerId
  /**
   * Calls `task` every `period` nanoseconds from `first` on, without drift; late rounds are not made up for. With `slack`, each
   * time may be so much later.
   */
  every(period: number, task: (now: number) => void, first?: number, slack?: number): TimerId
  /** O(1). False when the timer has fired, was cancelled, or never was. */
  cancel(id: TimerId): boolean
  /** Earliest time at which a timer is due, Infinity when there is none. Never later than the true one. */
  next(): number
  readonly size: number
}

/** How a loop with nothing to do waits: burn the core, burn it for a while and then sleep, or sleep at once. */
export interface WaitPolicy {
  readonly kind: 'spin' | 'hybrid' | 'sleep'
  /** Nanoseconds without work after which a hybrid loop sleeps. */
  readonly spin?: number
  /**
   * Nanoseconds for which a hybrid loop that owns its thread sleeps as soon as it runs out of work, without asking to be
   * woken, as long as each such sleep gathers several packets, messages or completions; what adds to their latency at most,
   * beside the lateness of the host's timers (50 us on Linux). Default 50,000; 0: never.
   */
  readonly gather?: number
}

/** What floors above may use of the run loop of their thread. */
export interface Loop {
  readonly clock: Clock
  readonly timers: Timers
  /** The clock as read at the start of the current round: free to read, at most one round old. */
  readonly now: number
  /** Adds it to a scheduling group, `FAST` unless another is named; one that is new gets a share of 1. */
  add(pollable: Pollable, group?: string): void
  remove(pollable: Pollable): void
  /** Runs `task` at the end of the current round, or in the next one. */
  defer(task: () => void): void
  /** Lets a driver that sleeps on Node's own loop go on at once: work was made outside of a round. Cheap when nobody sleeps. */
  wake(): void
  /** Asks the driver to let Node's own loop run after this round: a promise was resolved, say. */
  requestYield(): void
  /**
   * Says that something in this thread lives in Node's own loop, a socket of Node's say: from now on no driver blocks the
   * thread, whichever was chosen. Returns the way to take it back.
   */
  dependOnNode(): () => void
  /** One round: polls everything, runs due timers and deferred tasks; returns the work done. Not re-entrant. */
  runOnce(): number
  /**
   * Runs rounds in the calling thread until `done()` or `deadline` (absolute nanoseconds), waiting by the loop's policy;
   * returns `done()`. On a virtual clock, time jumps to the next event when there is no work, and the call returns
   * false when nothing can ever happen again. Blocks Node's own loop meanwhile.
   */
  runUntil(done: () => boolean, deadline?: number): boolean
}

/** One end of a shared ring between two partitions, as plain clonable data. */
export interface RingDescriptor {
  readonly buffer: SharedArrayBuffer
  /** Power of two. */
  readonly slots: number
  /** Bytes a slot, a multiple of 8. */
  readonly slotBytes: number
  /** Wake word of the consumer's partition. */
  readonly wake: SharedArrayBuffer
  /** The flag that the producer raises when it has published: the consumer may then poll the ring in a `ReadySet`. */
  readonly ready?: { readonly flags: SharedArrayBuffer; readonly index: number }
}

/** What the code of a partition gets when it starts, in its own thread. */
export interface PartitionContext<Data = unknown> {
  readonly name: string
  /** From 0. */
  readonly index: number
  /** Partitions in the machine. */
  readonly partitions: number
  readonly loop: Loop
  readonly clock: Clock
  readonly host: Host | undefined
  /** Over the lease's window; every queue below attaches with it. */
  readonly pool: FramePool
  /** What it holds now: leases come and go (`onGrant`, `onRevoke`). */
  readonly queues: readonly NetQueue[]
  /** Its queues of block devices, each with the range of blocks that it may touch. */
  readonly blocks: readonly BlockQueue[]
  /** Its ranges of persistent memory. */
  readonly persistent: readonly PersistentRegion[]
  /** Incoming and outgoing rings by partner partition; undefined at the own index. */
  readonly incoming: readonly (RingDescriptor | undefined)[]
  readonly outgoing: readonly (RingDescriptor | undefined)[]
  /** Region bytes of the lease beside the frame window, for the partition's own use (a store, a log). */
  readonly heap: { readonly byteOffset: number; readonly byteLength: number }
  readonly data: Data
  /**
   * Calls a method that another partition's module returned; arguments and result are cloned between threads. For the control path:
   * it goes by way of the control thread.
   * @throws what the method threw; EINVAL for a partition that is none, ENXIO for one that is not there or gone, ENOSYS for an unknown
   * method, ETIMEDOUT at the deadline, whatever the other one does later
   */
  call(partition: number, method: string, args?: readonly unknown[], options?: PeerCallOptions): Promise<unknown>
}

export interface PeerCallOptions {
  /** Milliseconds on the loop's clock; default 5,000. */
  readonly timeout?: number
}

/** What a partition module exports as `partition`. */
export type PartitionMain<Data = unknown> = (
  context: PartitionContext<Data>,
) => PartitionExports | Promise<PartitionExports> | undefined | Promise<undefined>

export interface PartitionExports {
  /** Control calls from `PartitionHandle.call`; arguments and results are clonable. */
  readonly methods?: Readonly<Record<string, (...args: never[]) => unknown>>
  /** Called once when the machine stops, before the queues are detached. */
  stop?(): void | Promise<void>
  /**
   * A lease came while it runs; it is attached, and in the context's lists. To refuse it, throw: it is given back at once.
   * Default: nobody uses it until somebody looks at the lists.
   */
  onGrant?(lease: HeldLease): void | Promise<void>
  /**
   * The control plane wants a lease back by `deadline` (nanoseconds on the context's clock). What this resolves means: everything is
   * in order, commands have completed; the kernel then detaches. At the deadline it is taken, whatever this does. Default: a net
   * queue and a persistent range are detached at once; a block queue is taken at once, so that what is outstanding completes with
   * ECANCELED.
   */
  onRevoke?(lease: HeldLease, deadline: number): void | Promise<void>
  /** A lease is over without having been given back: its deadline passed, or its device is gone. Nothing can be done about it. */
  onTaken?(lease: HeldLease): void
}

/** A lease as its holder sees it: what it is of, attached. */
export type HeldLease =
  | { readonly id: number; readonly kind: 'net-queue'; readonly queue: NetQueue }
  | { readonly id: number; readonly kind: 'block-queue'; readonly queue: BlockQueue }
  | { readonly id: number; readonly kind: 'persistent-range'; readonly region: PersistentRegion }

/** What the control thread hands to a partition's thread: everything that a `PartitionContext` is made of. Clonable. */
export interface PartitionPlan<Data = unknown> {
  readonly name: string
  readonly index: number
  readonly partitions: number
  /** Module with the export `partition`, by URL: it is imported from this package, in the partition's thread. */
  readonly module: string
  readonly grants: readonly NetQueueGrant[]
  readonly blockGrants?: readonly BlockQueueGrant[]
  readonly persistentGrants?: readonly PersistentGrant[]
  /** What it holds by a `LeaseTable`, and may lose: attached after the grants above, which nobody takes while it runs. */
  readonly leases?: readonly LeasedGrant[]
  readonly window: NetQueueGrant['window']
  readonly heap: { readonly byteOffset: number; readonly byteLength: number }
  readonly incoming: readonly (RingDescriptor | undefined)[]
  readonly outgoing: readonly (RingDescriptor | undefined)[]
  /** Core to pin the thread to, or undefined. */
  readonly cpu: number | undefined
  readonly wait: WaitPolicy
  /** Module with the export `host` (a `Host`), by URL, or undefined to run without one. */
  readonly hostModule: string | undefined
  readonly deviceReserve?: number
  readonly debugFrames?: boolean
  readonly data: Data
}
