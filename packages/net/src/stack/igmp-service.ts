import { internetChecksum } from '../checksum/internet-checksum.ts'
import type { NetConfig } from '../config.ts'
import { macText } from '../ethernet/mac.ts'
import * as ethernet from '../ethernet/wire.ts'
import { Membership } from '../igmp/membership.ts'
import * as igmp from '../igmp/wire.ts'
import { ALL_ROUTERS, ALL_SYSTEMS, IGMP_V3_ROUTERS, type Ipv4Address, isMulticast } from '../ipv4/address.ts'
import * as ipv4 from '../ipv4/wire.ts'
import {
  DROP_IGMP_MALFORMED,
  DROP_OUT_NO_FRAME,
  IGMP_IN_QUERIES,
  IGMP_IN_REPORTS,
  IGMP_OUT_LEAVES,
  IGMP_OUT_REPORTS,
  IP_OUT_MCAST_PKTS,
  IP_OUT_REQUESTS,
} from '../statistics/counters.ts'
import { IF_OUT_MULTICAST_PKTS } from '../statistics/interface-statistics.ts'
import type { GroupFilter } from './group-filter.ts'
import type { Incoming } from './incoming.ts'
import type { NetInterface } from './interface.ts'

/** Router alert (RFC 2113): asks routers on the way to look at a packet that is not addressed to them. */
const ROUTER_ALERT = 0x9404_0000 | 0
/** IPv4 header with that option. */
const HEADER = ipv4.HEADER_LENGTH + 4
/** Internetwork control, as RFC 3376 section 4 asks. */
const TYPE_OF_SERVICE = 0xc0
/** Records of one report: what the least MTU that a host must take holds. */
const RECORDS = 64
const TENTH = 1e8

/** IGMP between the wire and its core, and the device's filter for the groups that are joined. */
export class MembershipService {
  readonly #interface: NetInterface
  readonly #membership: Membership
  readonly #filter: GroupFilter

  constructor(iface: NetInterface, filter: GroupFilter, config: NetConfig, alone: boolean) {
    this.#interface = iface
    this.#filter = filter
    const refreshInterval = alone ? Number.POSITIVE_INFINITY : config.igmp.refreshInterval
    this.#membership = new Membership({ ...config.igmp, refreshInterval }, iface.random, {
      report: (version, group) => {
        const type = version === 1 ? igmp.V1_REPORT : igmp.V2_REPORT
        this.#send(group, igmp.LENGTH, IGMP_OUT_REPORTS, (view, at) => igmp.emit(view, at, type, group))
      },
      leave: (group) =>
        this.#send(ALL_ROUTERS, igmp.LENGTH, IGMP_OUT_LEAVES, (view, at) => igmp.emit(view, at, igmp.V2_LEAVE, group)),
      reportV3: (records) => {
        for (let i = 0; i < records.length; i += RECORDS) this.#reportV3(records.slice(i, i + RECORDS))
      },
    })
    this.#setFilter()
  }

  get groups(): readonly Ipv4Address[] {
    return this.#membership.groups
  }

  isMember(group: Ipv4Address): boolean {
    return this.#membership.isMember(group)
  }

  join(group: Ipv4Address, now: number): void {
    if (this.#membership.join(group, now)) this.#setFilter()
  }

  leave(group: Ipv4Address, now: number): void {
    if (this.#membership.leave(group, now)) this.#setFilter()
  }

  /** An IGMP message of `length` bytes at `at`. */
  receive(incoming: Incoming, at: number, length: number): void {
    const { memory } = incoming
    const { view } = memory
    const destination = incoming.destination[3]
    const now = this.#interface.time[0]
    const { counters } = this.#interface
    if (length < igmp.LENGTH || internetChecksum(memory, at, length) !== 0) {
      counters.drop(DROP_IGMP_MALFORMED)
      return
    }
    const group = igmp.group(view, at)
    switch (igmp.type(view, at)) {
      case igmp.QUERY: {
        // A general query is sent to all systems, one of a group to that group (RFC 3376 section 4.1.12); or to us, for tests.
        const own = this.#interface.hasAddress(destination)
        const right = own || destination === (group === 0 ? ALL_SYSTEMS : group)
        if (!right || (group !== 0 && !isMulticast(group)) || (length > igmp.LENGTH && length < igmp.V3_QUERY_LENGTH)) {
          counters.drop(DROP_IGMP_MALFORMED)
          return
        }
        counters.values[IGMP_IN_QUERIES]++
        const code = igmp.maxResponse(view, at)
        if (length >= igmp.V3_QUERY_LENGTH) {
          this.#membership.query(3, group, igmp.decodeResponseCode(code) * TENTH, now)
        } else if (code === 0) {
          this.#membership.query(1, group, 100 * TENTH, now)
        } else {
          this.#membership.query(2, group, code * TENTH, now)
        }
        return
      }
      case igmp.V1_REPORT:
      case igmp.V2_REPORT:
        counters.values[IGMP_IN_REPORTS]++
        if (group === destination) this.#membership.heardReport(group, now)
        return
      default:
        // Version 3 reports and leaves are for routers; unknown types are ignored (RFC 3376 section 4).
        return
    }
  }

  poll(now: number): void {
    this.#membership.poll(now)
  }

  nextEvent(): number {
    return this.#membership.nextEvent()
  }

  #reportV3(records: readonly (readonly [type: number, group: Ipv4Address])[]): void {
    const length = igmp.LENGTH + records.length * igmp.RECORD_LENGTH
    this.#send(IGMP_V3_ROUTERS, length, IGMP_OUT_REPORTS, (view, at) => {
      igmp.emitV3Report(view, at, records.length)
      records.forEach(([type, group], i) => {
        igmp.emitRecord(view, at + igmp.LENGTH + i * igmp.RECORD_LENGTH, type, group)
      })
      igmp.setChecksum(view, at, internetChecksum(this.#interface.memory, at, length))
    })
  }

  /** Sends a message with TTL 1 and router alert; `write` writes its `length` bytes. */
  #send(destination: Ipv4Address, length: number, counter: number, write: (view: DataView, at: number) => void): void {
    const { pool, memory, counters, link, linkHeader, address, mac, vlanId } = this.#interface
    const { view } = memory
    const frame = pool.allocateForDevice()
    if (frame < 0) {
      counters.drop(DROP_OUT_NO_FRAME)
      return
    }
    const start = pool.address(frame) + pool.headroom
    const packet = start + linkHeader
    const total = HEADER + length
    write(view, packet + HEADER)
    view.setInt32(packet, (0x46 << 24) | (TYPE_OF_SERVICE << 16) | total)
    view.setInt32(packet + 4, ipv4.DONT_FRAGMENT)
    view.setInt32(packet + 8, (1 << 24) | (ipv4.PROTOCOL_IGMP << 16))
    view.setInt32(packet + 12, address)
    view.setInt32(packet + 16, destination)
    view.setInt32(packet + 20, ROUTER_ALERT)
    ipv4.setChecksum(view, packet, internetChecksum(memory, packet, HEADER))
    ethernet.setDestination(view, start, ethernet.multicastHigh(destination), ethernet.multicastLow(destination))
    ethernet.setSource(view, start, mac.high, mac.low)
    if (linkHeader === ethernet.HEADER_LENGTH) ethernet.setType(view, start, ethernet.TYPE_IPV4)
    else ethernet.setTag(view, start, vlanId, ethernet.TYPE_IPV4)
    counters.values[counter]++
    counters.values[IP_OUT_REQUESTS]++
    counters.values[IP_OUT_MCAST_PKTS]++
    this.#interface.interfaceCounters.values[IF_OUT_MULTICAST_PKTS]++
    link.tx.push(frame, pool.headroom, linkHeader + total, 0, 0, 0)
  }

  /** Asks the device for the groups, and for the general query's. */
  #setFilter(): void {
    const groups = [...new Set([ALL_SYSTEMS, ...this.#membership.groups])]
    const macs = groups.map((group) =>
      macText({ high: ethernet.multicastHigh(group), low: ethernet.multicastLow(group) }),
    )
    this.#filter.set(4, macs)
  }
}
