import type { FilterExpression } from '../filter/expression.ts'
import type { FramePool } from '../memory/frame-pool.ts'
import type { FrameWindow } from '../memory/frame-window.ts'
import type { NetProcessLease } from '../process/lease.ts'
import type { WakeSource } from '../wake.ts'
import type { NetBurst } from './burst.ts'
import type { NetCapabilities } from './capabilities.ts'
import type { ControlBlock } from './control-block.ts'
import type { MacAddress } from './mac-address.ts'
import type { NetCounters, NetStatistics } from './statistics.ts'

/** What a control thread hands to whoever shall use a queue. Plain clonable data: it crosses `postMessage` as it is. */
export interface NetQueueGrant<Transport = unknown> {
  /**
   * URL of a module that exports the backend under the name `backend`; the holder's thread imports it to attach. A bare
   * package name does not do: it would be looked up from this package.
   */
  readonly module: string
  /** Name of the device, as in errors and statistics. */
  readonly device: string
  readonly queue: number
  readonly window: FrameWindow
  readonly capabilities: NetCapabilities
  /** Shared memory of a {@link ControlBlock}. */
  readonly control: SharedArrayBuffer
  /** Shared memory of {@link NetCounters}: the same for every grant of a queue, as long as the device is open. */
  readonly counters: SharedArrayBuffer
  /** The backend's own part: descriptor numbers, ring geometry, shared rings. */
  readonly transport: Transport
}

/** Exactly matching packets go to `queue`, before RSS. Absent fields match everything. */
export interface SteeringRule {
  readonly protocol: 'udp' | 'tcp'
  /** One port, or an inclusive range. */
  readonly destinationPort?: number | readonly [first: number, last: number]
  /** IPv4 or IPv6 address as text. */
  readonly destinationAddress?: string
  /** A queue, or the first of a run of queues: with a port range, port `first + i` goes to queue `queue + i % spread`. */
  readonly queue: number
  readonly spread?: number
}

/** What a queue's holder wants to receive beside the device's own address and broadcast. */
export interface ReceiveFilter {
  readonly promiscuous?: boolean
  readonly multicast?: readonly MacAddress[]
}

export type NetDeviceEvent =
  | { readonly kind: 'link'; readonly up: boolean }
  | { readonly kind: 'mtu'; readonly mtu: number }
  | { readonly kind: 'mac'; readonly mac: MacAddress }
  | { readonly kind: 'removed' }

/**
 * The control half of a net device: a set of queue pairs. Used by one control thread, which owns every descriptor; may be
 * slow and privileged. See `NetQueue` for the data half.
 */
export interface NetDevice {
  readonly name: string
  readonly mac: MacAddress
  /** Longest IP packet, in bytes. */
  readonly mtu: number
  readonly linkUp: boolean
  /** Queue pairs, numbered from 0. */
  readonly queues: number
  readonly capabilities: NetCapabilities

  /**
   * Gives one queue pair to the holder of `window`.
   * @throws EINVAL: queue out of range, or a window that the device cannot use. EBUSY: the queue has an owner.
   * ENOTSUP: kind of memory. ENODEV: the device is gone.
   */
  grant(queue: number, window: FrameWindow): NetQueueGrant

  /**
   * Takes a queue back, without the holder's help: the queue is free to be granted again when this returns, and frames
   * that the device held are the window owner's to recover (a new `FramePool` over the window has them all). Reclaiming
   * twice changes nothing.
   */
  reclaim(grant: NetQueueGrant): void

  /**
   * Gives one queue pair to another process: see `leaseNetQueue`, by which it is called. Without it the device has nothing to offer.
   * @throws what `grant` throws; ENOTSUP for a region that is no memfd; EPERM for one that another lease's frames lie in
   */
  lease?(queue: number, window: FrameWindow): NetProcessLease

  /** Adds a steering rule. @throws ENOTSUP without the capability, EINVAL for a queue out of range. */
  steer(rule: SteeringRule): void
  /** Removes all rules. */
  clearSteering(): void

  /**
   * From now on only frames that the expression matches reach a queue; the device drops the others, which count as
   * `rxDroppedFilter`. Replaces the queue's filter; `undefined` takes it away, and so does the end of its grant.
   * @throws ENOTSUP without the capability, EINVAL for a malformed expression, a queue out of range, and an expression that is too
   * large for the device, with the refusal of its verifier as cause
   */
  setPacketFilter?(queue: number, expression: FilterExpression | undefined): void

  /** Sum over all queues, those of ended grants included. */
  statistics(): NetStatistics
  /** Of one queue, since the device was opened. */
  queueStatistics(queue: number): NetStatistics
  /** Packets for a queue that its holder has not taken yet, as far as the device knows without asking it; undefined: not at all. */
  queueBacklog?(queue: number): number | undefined

  /** Calls `listener` for each control event from now on; returns the way to stop. */
  subscribe(listener: (event: NetDeviceEvent) => void): () => void

  /** Reclaims every queue and lets go of the device. Idempotent. */
  close(): Promise<void>
}

/**
 * The data half: one queue pair, in the thread that uses it. Every call is synchronous, never blocks, never throws
 * (but for `setReceiveFilter`, a control call), and makes no system call where the device needs none. After `detach`, `reclaim` or removal `receive` and `transmit` answer 0.
 */
export interface NetQueue {
  readonly grant: NetQueueGrant
  readonly pool: FramePool
  readonly capabilities: NetCapabilities
  readonly control: ControlBlock
  readonly counters: NetCounters
  readonly wake: WakeSource

  /**
   * Fills `burst` from entry 0 with received packets, whole ones only, sets `burst.count` and returns it. The caller
   * owns the frames (one reference each).
   */
  receive(burst: NetBurst): number

  /**
   * Offers entries `start` to `burst.count` and returns how many were consumed, whole packets only; fewer than offered
   * means that the ring is full. A consumed entry is either accepted (its reference is the device's, which gives the frame
   * back when it is sent) or refused (flag `REFUSED`, counted in the statistics and in `burst.refused`; its reference is
   * still the caller's).
   */
  transmit(burst: NetBurst, start?: number): number

  /** Gives back the frames of completed transmissions; returns how many. `receive` and `transmit` do it too. */
  reap(): number

  /** Asks for a wake-up when something arrives, then looks once more: true means that there is work, do not sleep. */
  arm(): boolean

  /**
   * When something will next be there for `receive` or `reap`, in nanoseconds on the device's clock; Infinity when nothing
   * is under way. Only devices that know their future have it: a run loop sleeps until then, or moves a virtual clock there.
   */
  nextEvent?(): number

  /**
   * Replaces what this queue's holder wants to receive; the device takes the union over its queues.
   * @throws ENOTSUP without the capability, EINVAL for what is no group address
   */
  setReceiveFilter(filter: ReceiveFilter): void

  /** Gives every frame back to the pool and ends the use of the queue. Idempotent. The control half may grant it again. */
  detach(): void
}
