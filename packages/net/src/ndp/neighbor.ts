import type { IpWords } from '@parakernel/queue'
import { formatIp } from '../ipv6/address.ts'

/** A solicitation is out and no answer yet: packets wait. */
export const INCOMPLETE = 0
/** Known to be reachable not longer ago than the reachable time. */
export const REACHABLE = 1
/** Known, but old: used on; its next use starts the wait for a confirmation. */
export const STALE = 2
/** Used, and some time is left for the upper layer to confirm it, before it is asked. */
export const DELAY = 3
/** Being asked by unicast. */
export const PROBE = 4
/**
 * Did not answer; packets for it fail at once until `expires`, so that a dead host causes no flood of solicitations.
 */
export const FAILED = 5

const STATE_NAMES = ['INCOMPLETE', 'REACHABLE', 'STALE', 'DELAY', 'PROBE', 'FAILED']

/** What an entry of the neighbour cache holds (RFC 4861 section 5.1). */
export class Neighbor6<Packet> {
  readonly address: IpWords
  /** Source of the packet that it was last asked for; unspecified when none was. */
  readonly source: IpWords = new Int32Array(4)
  state = INCOMPLETE
  /** MAC address in two parts (see `ethernet/wire.ts`); meaningful in every state but INCOMPLETE and FAILED. */
  high = 0
  low = 0
  isRouter = false
  /** When the state is over. */
  expires = Number.POSITIVE_INFINITY
  /** Solicitations sent in the present INCOMPLETE or PROBE. */
  tries = 0
  /** Last use, for eviction. */
  used = 0
  /** No longer in the cache: who remembers it asks again. */
  evicted = false
  readonly waiting: Packet[] = []

  constructor(address: IpWords) {
    this.address = address.slice()
  }

  /**
   * Whether it can be used without asking the cache, as long as it is reachable and while it is being tested: the
   * test is the timers' to end. The time is passed in an array, which is never boxed.
   */
  isFresh(now: Float64Array): boolean {
    const tested = this.state === DELAY || this.state === PROBE
    if (this.evicted || !(tested || (this.state === REACHABLE && this.expires > now[0]))) return false
    this.used = now[0]
    return true
  }

  get incomplete(): boolean {
    return this.state === INCOMPLETE
  }

  /** Whether a packet can be sent to it now. */
  get usable(): boolean {
    return this.state >= REACHABLE && this.state <= PROBE
  }

  /** As `ip -6 neigh` prints it. */
  get text(): string {
    return `${formatIp(this.address)} ${STATE_NAMES[this.state]}${this.isRouter ? ' router' : ''}`
  }
}

/** What the cache wants done. Called from within its methods; must not call back into it. */
export interface Neighbor6Effects<Packet> {
  /**
   * Sends a solicitation: by unicast to the MAC address that it had if it is in PROBE, else to the solicited-node
   * group.
   */
  solicit(neighbor: Neighbor6<Packet>): void
  /** Its MAC address is known: `packets` can go out, in this order. */
  resolved(neighbor: Neighbor6<Packet>, packets: readonly Packet[]): void
  /** It does not answer, or it was evicted: `packets` are lost. */
  unreachable(neighbor: Neighbor6<Packet>, packets: readonly Packet[]): void
  evicted(neighbor: Neighbor6<Packet>): void
  /**
   * Whether the upper layer has made progress with it in the last `within` nanoseconds, so that it hears us (section
   * 7.3.1).
   */
  isConfirmed(neighbor: Neighbor6<Packet>, within: number): boolean
  /** It was a router and says that it is none any more (RFC 4861 section 7.2.5). */
  routerLost(neighbor: Neighbor6<Packet>): void
}

export interface Neighbor6Limits {
  /** Entries of the cache. */
  readonly capacity: number
  /** Packets that wait for one neighbour; a newer one pushes the oldest out (RFC 4861 section 7.2.2). */
  readonly waiting: number
  /** RETRANS_TIMER: nanoseconds between solicitations, until a router tells another. */
  readonly retransmission: number
  /** MAX_MULTICAST_SOLICIT and MAX_UNICAST_SOLICIT. */
  readonly multicastTries: number
  readonly unicastTries: number
  /** REACHABLE_TIME: mean nanoseconds that a confirmation lasts, until a router tells another. */
  readonly reachable: number
  /** DELAY_FIRST_PROBE_TIME. */
  readonly delay: number
  /** Nanoseconds that a failure is remembered. */
  readonly failed: number
}
