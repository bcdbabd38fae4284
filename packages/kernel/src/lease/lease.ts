import type { FrameWindow } from '@parakernel/hal'
import type { Enforcement } from './enforcement.ts'
import { commandsUnderWay } from './loss.ts'
import type { LeasedGrant, Resource } from './resource.ts'

/** `held`: its holder may use it. `revoking`: the holder was asked, or it is being taken. `ended`: over for good. */
export type LeaseState = 'held' | 'revoking' | 'ended'

/**
 * How a lease ended. `returned`: the holder gave it back in order. `taken`: without its help, at once where it had nothing to
 * put in order, else at the deadline. `orphaned`: its holder was gone. `removed`: its device was.
 */
export type LeaseEndKind = 'returned' | 'taken' | 'orphaned' | 'removed'

/** What a forced repossession cost. Nothing is lost when a lease is returned. */
export interface LeaseLoss {
  /** Received packets that were on their way to the holder. */
  readonly packets: number
  /** Commands that the device had accepted and not completed: each completes with ECANCELED, if its holder still lives. */
  readonly commands: number
}

export interface LeaseEnd {
  readonly lease: Lease
  readonly kind: LeaseEndKind
  /** Nanoseconds from the request to the moment at which the resource could be granted again. */
  readonly took: number
  readonly lost: LeaseLoss
  /** The successor's lease, where there was to be one and it could be had. */
  readonly next: Lease | undefined
}

/** The partition as the table sees it: `PartitionHandle` is one. */
export interface LeaseHolder {
  /** Hands it a lease while it runs; resolves when it has attached. */
  grant(leased: LeasedGrant): Promise<void>
  /**
   * Asks for a lease back until `deadline`, in nanoseconds on the monotonic clock (inline: on its loop's). Resolves with
   * `returned` when it has detached, with `take` when it has nothing to put in order.
   */
  revoke(lease: number, deadline: number): Promise<'returned' | 'take'>
  /** Tells it that a lease is over. Resolves with the number of frames that came back to its pool by that. */
  taken(lease: number): Promise<number>
}

/** Who holds leases: one incarnation of a partition. */
export interface LeaseOwner {
  readonly name: string
  /** Its frames: those of every queue that it holds. */
  readonly window: FrameWindow
  /** Undefined until it runs: its leases are in its plan, and need no handing over. */
  holder: LeaseHolder | undefined
}

/** A secure binding: who may use what, checked once when it was granted. Only the `LeaseTable` changes `state`. */
export class Lease {
  /** Unique within the table. */
  readonly id: number
  readonly resource: Resource
  readonly owner: LeaseOwner
  readonly enforcement: Enforcement
  /** For the holder to attach with; undefined for frames. */
  readonly leased: LeasedGrant | undefined
  /** Commands of former holders that never completed: the counters of a queue go on from holder to holder. */
  readonly commandsBefore: number
  state: LeaseState = 'held'

  constructor(
    id: number,
    resource: Resource,
    owner: LeaseOwner,
    enforcement: Enforcement,
    leased: LeasedGrant | undefined,
  ) {
    this.id = id
    this.resource = resource
    this.owner = owner
    this.enforcement = enforcement
    this.leased = leased
    this.commandsBefore = commandsUnderWay(leased)
  }

  get kind(): Resource['kind'] {
    return this.resource.kind
  }

  /** What stops a holder that does not want to part with it: `guard` for our own checks, else a kernel object. */
  get enforcedBy(): string {
    return this.enforcement.by
  }
}
