import type { IpWords } from '@parakernel/queue'
import { ALL_NODES, isUnspecified, SCOPE_INTERFACE, same, scopeOf } from '../ipv6/address.ts'
import { AddressMap } from '../ipv6/address-map.ts'
import type { RandomSource } from '../random.ts'
import { CHANGE_TO_EXCLUDE, CHANGE_TO_INCLUDE, MODE_IS_EXCLUDE, MODE_IS_INCLUDE } from './wire.ts'

const SECOND = 1e9
const NEVER = Number.POSITIVE_INFINITY

/** One line of a version 2 report. */
export interface ListenerRecord {
  readonly type: number
  readonly group: IpWords
  readonly sources: readonly IpWords[]
}

/** What the core wants sent. */
export interface ListenerEffects {
  /** A version 1 report of one group, to the group. */
  report(group: IpWords): void
  /** A version 1 done, to all routers. */
  done(group: IpWords): void
  reportV2(records: readonly ListenerRecord[]): void
}

export interface ListenerOptions {
  /** Times that a change is told (RFC 3810 section 9.1), until a querier tells another number. */
  readonly robustness: number
  /** Most nanoseconds between these (section 9.11: 1 s). */
  readonly unsolicitedInterval: number
  /**
   * Report all groups at this interval even if nobody asks; Infinity for never. For a partition that does not hear
   * queries.
   */
  readonly refreshInterval: number
  /** Version to speak until a router is heard. */
  readonly version: 1 | 2
}

/** A query, read. */
export interface ListenerQuery {
  readonly version: 1 | 2
  /** The unspecified address asks for all. */
  readonly group: IpWords
  readonly sources: readonly IpWords[]
  /** Most nanoseconds to answer in. */
  readonly response: number
  /** Querier's robustness and query interval in seconds; 0 where it does not say. */
  readonly robustness: number
  readonly interval: number
}

interface Group {
  readonly address: IpWords
  /** Sockets and solicited-node addresses that joined. */
  members: number
  /** Reports of the change that are still to be sent, and what they say. */
  pending: number
  change: number
  /** Next of these. */
  changeAt: number
  /** Answer to a query of this group, about these sources; about all of them when there are none. */
  answerAt: number
  sources: readonly IpWords[]
  /** We sent the group's last report, and so are the one who has to tell that we leave (RFC 2710 section 4). */
  lastReporter: boolean
}

/**
 * Sources that are remembered for one answer; a query that names more is answered for the whole group (section 6.2).
 */
const MOST_SOURCES = 16
/** Query interval of RFC 3810 section 9.2, in seconds. */
const QUERY_INTERVAL = 125
/** Unsolicited report interval of RFC 2710 section 7.10. */
const V1_UNSOLICITED = 10 * SECOND

/**
 * The host side of MLDv2 (RFC 3810) for any-source membership, with the compatibility mode for version 1 queriers
 * (section 8.2.1), without clock or device.
 */
export class MulticastListener {
  readonly #options: ListenerOptions
  readonly #random: RandomSource
  readonly #effects: ListenerEffects
  readonly #groups: AddressMap<Group>
  /** The same, for those who look at all of them again and again. */
  readonly #list: Group[] = []
  #robustness: number
  #interval = QUERY_INTERVAL
  /** Until when a querier of version 1 is taken to be there. */
  #v1Until = Number.NEGATIVE_INFINITY
  #generalAnswerAt = NEVER
  #refreshAt = NEVER

  constructor(options: ListenerOptions, random: RandomSource, effects: ListenerEffects) {
    this.#options = options
    this.#random = random
    this.#effects = effects
    this.#robustness = options.robustness
    this.#groups = new AddressMap(random.next())
  }

  get groups(): readonly IpWords[] {
    return this.#list.filter(({ members }) => members > 0).map(({ address }) => address)
  }

  /** All nodes is joined by everyone (RFC 4291 section 2.8). */
  isMember(address: IpWords): boolean {
    const group = this.#groups.get(address)
    return (group !== undefined && group.members > 0) || same(address, ALL_NODES)
  }

  /** The version of MLD that is spoken now. */
  version(now: number): 1 | 2 {
    return now < this.#v1Until ? 1 : this.#options.version
  }

  /** Another socket joins; true when it is the first. */
  join(address: IpWords, now: number): boolean {
    let group = this.#groups.get(address)
    if (group !== undefined && group.members > 0) {
      group.members++
      return false
    }
    group = {
      address: address.slice(),
      members: 1,
      pending: 0,
      change: CHANGE_TO_EXCLUDE,
      changeAt: NEVER,
      answerAt: NEVER,
      sources: [],
      lastReporter: false,
    }
    this.#forget(address)
    this.#groups.set(address, group)
    this.#list.push(group)
    if (isReported(address)) this.#announce(group, CHANGE_TO_EXCLUDE, now)
    if (this.#refreshAt === NEVER) this.#refreshAt = now + this.#options.refreshInterval
    return true
  }

  /** A socket leaves; true when it was the last. */
  leave(address: IpWords, now: number): boolean {
    const group = this.#groups.get(address)
    if (group === undefined || group.members === 0) return false
    group.members--
    if (group.members > 0) return false
    group.answerAt = NEVER
    if (isReported(address) && this.version(now) === 2) {
      this.#announce(group, CHANGE_TO_INCLUDE, now)
    } else {
      if (isReported(address) && group.lastReporter) this.#effects.done(address)
      this.#forget(address)
    }
    return true
  }

  query(query: ListenerQuery, now: number): void {
    const { version, group, sources, response } = query
    if (version === 1) {
      // Older version querier present timeout (section 9.12).
      this.#v1Until = now + this.#robustness * this.#interval * SECOND + response
    } else {
      if (query.robustness > 0) this.#robustness = query.robustness
      if (query.interval > 0) this.#interval = query.interval
    }
    const at = now + (this.#random.next() / 0x1_0000_0000) * response
    const general = isUnspecified(group)
    // Section 6.2: an answer to everything that is due earlier is an answer to this too.
    if (this.#generalAnswerAt <= at && this.version(now) === 2) return
    if (general && this.version(now) === 2) {
      this.#generalAnswerAt = at
      return
    }
    for (const member of this.#list) {
      if (member.members === 0 || !isReported(member.address)) continue
      if (!general && !same(member.address, group)) continue
      noteSources(member, sources)
      member.answerAt = Math.min(member.answerAt, at)
    }
  }

  /** Tells of all groups at once: the link was away, and who listened there may have forgotten. */
  announceAll(now: number): void {
    this.#generalAnswerAt = now
  }

  /**
   * Another member's version 1 report: ours is then superfluous (RFC 2710 section 4). Version 2 listeners report
   * each.
   */
  heardReport(address: IpWords, now: number): void {
    const group = this.#groups.get(address)
    if (group === undefined || this.version(now) === 2) return
    group.answerAt = NEVER
    group.lastReporter = false
  }

  poll(now: number): void {
    if (this.#refreshAt <= now) {
      this.#refreshAt = this.#list.length === 0 ? NEVER : now + this.#options.refreshInterval
      this.#generalAnswerAt = now
    }
    if (this.#generalAnswerAt <= now) {
      this.#generalAnswerAt = NEVER
      this.#answerAll(now)
    }
    for (const group of [...this.#list]) {
      if (group.answerAt <= now) this.#answer(group, now)
      if (group.changeAt <= now) this.#sendChange(group, now)
    }
  }

  nextEvent(): number {
    let next = Math.min(this.#generalAnswerAt, this.#refreshAt)
    const list = this.#list
    for (let i = 0; i < list.length; i++) {
      const { answerAt, changeAt } = list[i]
      if (answerAt < next) next = answerAt
      if (changeAt < next) next = changeAt
    }
    return next
  }

  #forget(address: IpWords): void {
    const group = this.#groups.get(address)
    if (group === undefined) return
    this.#groups.delete(address)
    this.#list.splice(this.#list.indexOf(group), 1)
  }

  #announce(group: Group, change: number, now: number): void {
    group.change = change
    group.pending = this.#robustness
    this.#sendChange(group, now)
  }

  /** A change is told several times, at random intervals (section 6.1). */
  #sendChange(group: Group, now: number): void {
    group.pending--
    if (this.version(now) === 2) {
      this.#effects.reportV2([{ type: group.change, group: group.address, sources: [] }])
    } else if (group.change === CHANGE_TO_EXCLUDE) {
      group.lastReporter = true
      this.#effects.report(group.address)
    }
    const interval = this.version(now) === 1 ? V1_UNSOLICITED : this.#options.unsolicitedInterval
    group.changeAt = group.pending > 0 ? now + (this.#random.next() / 0x1_0000_0000) * interval : NEVER
    if (group.pending === 0 && group.members === 0) this.#forget(group.address)
  }

  /** Of a group that we take from all sources, the sources that were asked for are wanted all (section 6.3). */
  #answer(group: Group, now: number): void {
    const { address, sources } = group
    group.answerAt = NEVER
    group.sources = []
    if (this.version(now) === 1) {
      group.lastReporter = true
      this.#effects.report(address)
    } else {
      this.#effects.reportV2([
        { type: sources.length === 0 ? MODE_IS_EXCLUDE : MODE_IS_INCLUDE, group: address, sources },
      ])
    }
  }

  #answerAll(now: number): void {
    const members = this.#list.filter(({ members, address }) => members > 0 && isReported(address))
    for (const group of members) {
      group.answerAt = NEVER
      group.sources = []
    }
    if (this.version(now) === 1) for (const group of members) this.#answer(group, now)
    else if (members.length > 0) {
      this.#effects.reportV2(members.map(({ address }) => ({ type: MODE_IS_EXCLUDE, group: address, sources: [] })))
    }
  }
}

/** All nodes, and groups of no or interface scope, are never reported (RFC 3810 section 6). */
function isReported(group: IpWords): boolean {
  return scopeOf(group) > SCOPE_INTERFACE && !same(group, ALL_NODES)
}

/** Sources of several queries add up; a query for the whole group, or too many of them, makes it an answer for all. */
function noteSources(group: Group, sources: readonly IpWords[]): void {
  const waiting = group.answerAt !== NEVER
  const wasWhole = waiting && group.sources.length === 0
  const all = waiting ? [...group.sources, ...sources] : [...sources]
  group.sources = wasWhole || sources.length === 0 || all.length > MOST_SOURCES ? [] : all
}
