import type { IpWords } from '@parakernel/queue'
import { macText } from '../ethernet/mac.ts'
import * as icmpv6 from '../icmpv6/wire.ts'
import {
  ALL_NODES,
  ALL_ROUTERS,
  isLinkLocal,
  isMulticast,
  isUnspecified,
  MLD_V2_ROUTERS,
  multicastHigh,
  multicastLow,
  same,
} from '../ipv6/address.ts'
import {
  DROP_MLD_BAD_SOURCE,
  DROP_MLD_MALFORMED,
  ICMP6_IN_GROUP_MEMB_QUERIES,
  ICMP6_IN_GROUP_MEMB_REDUCTIONS,
  ICMP6_IN_GROUP_MEMB_RESPONSES,
  ICMP6_OUT_GROUP_MEMB_REDUCTIONS,
  ICMP6_OUT_GROUP_MEMB_RESPONSES,
} from '../ipv6/counters.ts'
import { HEADER_LENGTH, LEAST_MTU, readAddress } from '../ipv6/wire.ts'
import { type ListenerOptions, type ListenerRecord, MulticastListener } from '../mld/listener.ts'
import * as mld from '../mld/wire.ts'
import type { GroupFilter } from './group-filter.ts'
import type { Incoming } from './incoming.ts'
import type { NetInterface } from './interface.ts'
import type { Ipv6LinkSender } from './ipv6-link-sender.ts'

const MILLISECOND = 1e6
/**
 * A report is to fit every link (RFC 3810 section 5.2.15): so many bytes of records, beside IPv6, router alert and
 * header.
 */
const RECORDS = LEAST_MTU - HEADER_LENGTH - 8 - mld.REPORT_HEADER
/** Sources of one query that are read. */
const MOST_SOURCES = 64

/** MLD of one interface between the wire and its core, and the device's filter for the groups that are joined. */
export class ListenerService {
  readonly #interface: NetInterface
  readonly #listener: MulticastListener
  readonly #filter: GroupFilter
  readonly #sender: Ipv6LinkSender
  readonly #source: () => IpWords

  /** @param source our link-local address, or the unspecified one while there is none (RFC 3590) */
  constructor(
    iface: NetInterface,
    filter: GroupFilter,
    options: ListenerOptions,
    sender: Ipv6LinkSender,
    source: () => IpWords,
  ) {
    this.#interface = iface
    this.#filter = filter
    this.#sender = sender
    this.#source = source
    const one = (type: number, counter: number, to: IpWords, group: IpWords) =>
      sender.toGroup(source(), to, mld.HOP_LIMIT, counter, mld.V1_LENGTH, true, (view, at) =>
        mld.emitV1(view, at, type, group),
      )
    this.#listener = new MulticastListener(options, iface.random, {
      report: (group) => one(icmpv6.MLD_V1_REPORT, ICMP6_OUT_GROUP_MEMB_RESPONSES, group, group),
      done: (group) => one(icmpv6.MLD_V1_DONE, ICMP6_OUT_GROUP_MEMB_REDUCTIONS, ALL_ROUTERS, group),
      reportV2: (records) => this.#report(records),
    })
    this.#setFilter()
  }

  get groups(): readonly IpWords[] {
    return this.#listener.groups
  }

  isMember(group: IpWords): boolean {
    return this.#listener.isMember(group)
  }

  join(group: IpWords, now: number): void {
    if (this.#listener.join(group, now)) this.#setFilter()
    this.#interface.context.timersMoved = true
  }

  leave(group: IpWords, now: number): void {
    if (this.#listener.leave(group, now)) this.#setFilter()
    this.#interface.context.timersMoved = true
  }

  /** The link is back. */
  linkUp(now: number): void {
    this.#listener.announceAll(now)
  }

  /** An MLD message of `length` bytes at `at`, whose checksum is right. */
  receive(incoming: Incoming, at: number, length: number, routerAlert: boolean): void {
    const { counters6 } = this.#interface
    const { view } = incoming.memory
    const { source, hopLimit } = incoming
    const type = icmpv6.type(view, at)
    // RFC 3810 sections 5.1.14 and 6.2: from a link-local address, one hop, with a router alert; reports also from
    // nobody.
    const wrongSource = !isLinkLocal(source) && (type === icmpv6.MLD_QUERY || !isUnspecified(source))
    if (wrongSource || hopLimit !== mld.HOP_LIMIT || !routerAlert) {
      counters6.drop(DROP_MLD_BAD_SOURCE)
    } else if (type === icmpv6.MLD_V2_REPORT) {
      // For routers.
      counters6.values[ICMP6_IN_GROUP_MEMB_RESPONSES]++
    } else if (length < mld.V1_LENGTH) {
      counters6.drop(DROP_MLD_MALFORMED)
    } else if (type === icmpv6.MLD_QUERY) {
      this.#query(incoming, at, length)
    } else if (type === icmpv6.MLD_V1_REPORT) {
      counters6.values[ICMP6_IN_GROUP_MEMB_RESPONSES]++
      const group = addressAt(view, at + mld.GROUP)
      if (same(group, incoming.destination)) this.#listener.heardReport(group, this.#interface.time[0])
    } else {
      counters6.values[ICMP6_IN_GROUP_MEMB_REDUCTIONS]++
    }
  }

  poll(now: number): void {
    this.#listener.poll(now)
  }

  nextEvent(): number {
    return this.#listener.nextEvent()
  }

  #query(incoming: Incoming, at: number, length: number): void {
    const { counters6, time } = this.#interface
    const { view } = incoming.memory
    const group = addressAt(view, at + mld.GROUP)
    const general = isUnspecified(group)
    const v2 = length >= mld.V2_QUERY_LENGTH
    const count = v2 ? mld.sourceCount(view, at) : 0
    const cut = v2 && length < mld.V2_QUERY_LENGTH + 16 * count
    // Between the lengths of both versions it is of none (RFC 3810 section 8.1).
    if ((!v2 && length !== mld.V1_LENGTH) || cut || (!general && !isMulticast(group)) || (general && count > 0)) {
      counters6.drop(DROP_MLD_MALFORMED)
      return
    }
    counters6.values[ICMP6_IN_GROUP_MEMB_QUERIES]++
    const code = mld.maxResponseCode(view, at)
    this.#listener.query(
      {
        version: v2 ? 2 : 1,
        group,
        sources: Array.from({ length: Math.min(count, MOST_SOURCES) }, (_, i) =>
          addressAt(view, at + mld.V2_QUERY_LENGTH + 16 * i),
        ),
        response: (v2 ? mld.decodeResponseCode(code) : code) * MILLISECOND,
        robustness: v2 ? mld.robustness(view, at) : 0,
        interval: v2 ? mld.decodeIntervalCode(mld.intervalCode(view, at)) : 0,
      },
      time[0],
    )
  }

  /** In as many reports as it takes. */
  #report(records: readonly ListenerRecord[]): void {
    let first = 0
    while (first < records.length) {
      let bytes = 0
      let end = first
      while (end < records.length && bytes + lengthOf(records[end]) <= RECORDS) bytes += lengthOf(records[end++])
      const some = records.slice(first, end)
      const length = mld.REPORT_HEADER + bytes
      const counter = ICMP6_OUT_GROUP_MEMB_RESPONSES
      this.#sender.toGroup(this.#source(), MLD_V2_ROUTERS, mld.HOP_LIMIT, counter, length, true, (view, at) => {
        mld.emitReport(view, at, some.length)
        let next = at + mld.REPORT_HEADER
        for (const { type, group, sources } of some) next += mld.emitRecord(view, next, type, group, sources)
      })
      first = end
    }
  }

  /** Asks the device for the groups, and for all nodes. */
  #setFilter(): void {
    const macs = [ALL_NODES, ...this.#listener.groups].map((group) =>
      macText({ high: multicastHigh(group), low: multicastLow(group) }),
    )
    this.#filter.set(6, [...new Set(macs)])
  }
}

function lengthOf({ sources }: ListenerRecord): number {
  return mld.RECORD_HEADER + 16 * sources.length
}

function addressAt(view: DataView, at: number): IpWords {
  const words = new Int32Array(4)
  readAddress(view, at, words)
  return words
}
