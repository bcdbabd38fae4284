import { ALL_SYSTEMS, type Ipv4Address } from '../ipv4/address.ts'
import type { RandomSource } from '../random.ts'
import { CHANGE_TO_EXCLUDE, CHANGE_TO_INCLUDE, MODE_IS_EXCLUDE } from './wire.ts'

const SECOND = 1e9
const NEVER = Number.POSITIVE_INFINITY

/** What the core wants sent. */
export interface MembershipEffects {
  /** A version 1 or 2 report of one group, to the group. */
  report(version: 1 | 2, group: Ipv4Address): void
  /** A version 2 leave, to all routers. */
  leave(group: Ipv4Address): void
  /** A version 3 report; `records` are pairs of record type and group. */
  reportV3(records: readonly (readonly [type: number, group: Ipv4Address])[]): void
}

export interface MembershipOptions {
  /** Times that a change is told (RFC 3376 section 8.1). */
  readonly robustness: number
  /** Most nanoseconds between these (section 8.11: 1 s; RFC 2236 section 8.10: 10 s when a version 1 or 2 router is there). */
  readonly unsolicitedInterval: number
  /** Report all groups at this interval even if nobody asks; Infinity for never. For a partition that does not hear queries. */
  readonly refreshInterval: number
  /** Version to speak until a router is heard. */
  readonly version: 1 | 2 | 3
}

interface Group {
  readonly address: Ipv4Address
  /** Sockets that joined. */
  members: number
  /** Reports of the change that are still to be sent, and what they say. */
  pending: number
  change: number
  /** Next of these. */
  changeAt: number
  /** Answer to a query of this group. */
  answerAt: number
  /** We sent the group's last report, and so are the one who has to tell that we leave (RFC 2236 section 3). */
  lastReporter: boolean
}

/**
 * The host side of IGMPv3 (RFC 3376) for any-source membership, with the compatibility modes for routers of version 2 and 1
 * (section 7.2.1), without clock or device.
 */
export class Membership {
  readonly #options: MembershipOptions
  readonly #random: RandomSource
  readonly #effects: MembershipEffects
  readonly #groups = new Map<Ipv4Address, Group>()
  /** Until when a router of version 1, or 2, is taken to be there. */
  #v1Until = Number.NEGATIVE_INFINITY
  #v2Until = Number.NEGATIVE_INFINITY
  #generalAnswerAt = NEVER
  #refreshAt = NEVER

  constructor(options: MembershipOptions, random: RandomSource, effects: MembershipEffects) {
    this.#options = options
    this.#random = random
    this.#effects = effects
  }

  get groups(): readonly Ipv4Address[] {
    return [...this.#groups.values()].filter((group) => group.members > 0).map((group) => group.address)
  }

  isMember(address: Ipv4Address): boolean {
    const group = this.#groups.get(address)
    return address === ALL_SYSTEMS || (group !== undefined && group.members > 0)
  }

  /** The version of IGMP that is spoken now. */
  version(now: number): 1 | 2 | 3 {
    if (now < this.#v1Until) return 1
    if (now < this.#v2Until) return 2
    return this.#options.version
  }

  /** Another socket joins; true when it is the first. */
  join(address: Ipv4Address, now: number): boolean {
    const known = this.#groups.get(address)
    if (known !== undefined && known.members > 0) {
      known.members++
      return false
    }
    const group: Group = {
      address,
      members: 1,
      pending: 0,
      change: CHANGE_TO_EXCLUDE,
      changeAt: NEVER,
      answerAt: NEVER,
      lastReporter: false,
    }
    this.#groups.set(address, group)
    // All systems is joined by everyone and never reported (RFC 3376 section 6).
    if (address !== ALL_SYSTEMS) this.#announce(group, CHANGE_TO_EXCLUDE, now)
    if (this.#refreshAt === NEVER) this.#refreshAt = now + this.#options.refreshInterval
    return true
  }

  /** A socket leaves; true when it was the last. */
  leave(address: Ipv4Address, now: number): boolean {
    const group = this.#groups.get(address)
    if (group === undefined || group.members === 0) return false
    group.members--
    if (group.members > 0) return false
    const version = this.version(now)
    group.answerAt = NEVER
    if (version === 3 && address !== ALL_SYSTEMS) {
      this.#announce(group, CHANGE_TO_INCLUDE, now)
    } else {
      if (version === 2 && group.lastReporter && address !== ALL_SYSTEMS) this.#effects.leave(address)
      this.#groups.delete(address)
    }
    return true
  }

  /**
   * A query arrived.
   * @param version by its form (RFC 3376 section 7.1)
   * @param address the group, 0 for all
   * @param response most nanoseconds to answer in; for version 1, 10 s
   */
  query(version: 1 | 2 | 3, address: Ipv4Address, response: number, now: number): void {
    // Older version querier present timeout: robustness x query interval (125 s) + one response time (section 8.12).
    const present = now + this.#options.robustness * 125 * SECOND + response
    if (version === 1) this.#v1Until = present
    else if (version === 2) this.#v2Until = present
    const at = now + (this.#random.next() / 0x1_0000_0000) * response
    if (address === 0 && this.version(now) === 3) {
      this.#generalAnswerAt = Math.min(this.#generalAnswerAt, at)
      return
    }
    for (const group of this.#groups.values()) {
      if (group.members === 0 || group.address === ALL_SYSTEMS) continue
      if (address === 0 || address === group.address) group.answerAt = Math.min(group.answerAt, at)
    }
  }

  /** Another member's report of version 1 or 2: ours is then superfluous (RFC 2236 section 3). Version 3 hosts report each. */
  heardReport(address: Ipv4Address, now: number): void {
    const group = this.#groups.get(address)
    if (group === undefined || this.version(now) === 3) return
    group.answerAt = NEVER
    group.lastReporter = false
  }

  poll(now: number): void {
    if (this.#refreshAt <= now) {
      this.#refreshAt = this.#groups.size === 0 ? NEVER : now + this.#options.refreshInterval
      this.#generalAnswerAt = now
    }
    if (this.#generalAnswerAt <= now) {
      this.#generalAnswerAt = NEVER
      this.#answerAll(now)
    }
    for (const group of this.#groups.values()) {
      if (group.answerAt <= now) {
        group.answerAt = NEVER
        this.#report(group, MODE_IS_EXCLUDE, now)
      }
      if (group.changeAt <= now) this.#sendChange(group, now)
    }
  }

  nextEvent(): number {
    let next = Math.min(this.#generalAnswerAt, this.#refreshAt)
    if (this.#groups.size === 0) return next
    for (const { answerAt, changeAt } of this.#groups.values()) next = Math.min(next, answerAt, changeAt)
    return next
  }

  #announce(group: Group, change: number, now: number): void {
    group.change = change
    group.pending = this.#options.robustness
    this.#sendChange(group, now)
  }

  /** Tells a change once more; a group that was left is forgotten after the last time. */
  #sendChange(group: Group, now: number): void {
    this.#report(group, group.change, now)
    group.pending--
    const interval = this.version(now) === 3 ? this.#options.unsolicitedInterval : 10 * SECOND
    group.changeAt = group.pending > 0 ? now + (this.#random.next() / 0x1_0000_0000) * interval : NEVER
    if (group.pending === 0 && group.members === 0) this.#groups.delete(group.address)
  }

  #report(group: Group, recordType: number, now: number): void {
    const version = this.version(now)
    if (version === 3) {
      this.#effects.reportV3([[recordType, group.address]])
    } else if (recordType !== CHANGE_TO_INCLUDE) {
      group.lastReporter = true
      this.#effects.report(version, group.address)
    }
  }

  #answerAll(now: number): void {
    const reported = [...this.#groups.values()].filter((g) => g.members > 0 && g.address !== ALL_SYSTEMS)
    if (reported.length === 0) return
    if (this.version(now) === 3) this.#effects.reportV3(reported.map((g) => [MODE_IS_EXCLUDE, g.address] as const))
    else for (const group of reported) this.#report(group, MODE_IS_EXCLUDE, now)
  }
}
