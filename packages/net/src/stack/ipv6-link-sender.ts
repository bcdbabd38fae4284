import type { IpWords } from '@parakernel/queue'
import * as ethernet from '../ethernet/wire.ts'
import { icmpv6Checksum } from '../icmpv6/checksum.ts'
import * as icmpv6 from '../icmpv6/wire.ts'
import { isMulticast, multicastHigh, multicastLow } from '../ipv6/address.ts'
import { DROP_OUT6_NO_FRAME, ICMP6_OUT_MSGS, IP6_OUT_MCAST_PKTS, IP6_OUT_REQUESTS } from '../ipv6/counters.ts'
import * as ipv6 from '../ipv6/wire.ts'
import type { NetInterface } from './interface.ts'
import { writeLinkHeader } from './path.ts'

/** Hop-by-hop options with a router alert for MLD (RFC 2711, RFC 3810 section 5), before ICMPv6. */
const ROUTER_ALERT = [ipv6.NEXT_ICMPV6, 0, 5, 2, 0, 0, 1, 0]

/**
 * Sends the ICMPv6 messages by which hosts of a link come to terms, before there are neighbours and routes, and even
 * addresses: to a group, or to a MAC address that is given.
 */
export class Ipv6LinkSender {
  readonly #interface: NetInterface

  constructor(iface: NetInterface) {
    this.#interface = iface
  }

  /** To a group. `write` writes the message, of `length` bytes, with a zero checksum. */
  toGroup(
    from: IpWords,
    group: IpWords,
    hopLimit: number,
    counter: number,
    length: number,
    routerAlert: boolean,
    write: (view: DataView, at: number) => void,
  ): void {
    this.#send(from, group, multicastHigh(group), multicastLow(group), hopLimit, counter, length, routerAlert, write)
  }

  /** To the host with a MAC address. */
  toNeighbor(
    from: IpWords,
    to: IpWords,
    high: number,
    low: number,
    hopLimit: number,
    counter: number,
    length: number,
    write: (view: DataView, at: number) => void,
  ): void {
    this.#send(from, to, high, low, hopLimit, counter, length, false, write)
  }

  #send(
    from: IpWords,
    to: IpWords,
    high: number,
    low: number,
    hopLimit: number,
    counter: number,
    length: number,
    routerAlert: boolean,
    write: (view: DataView, at: number) => void,
  ): void {
    const iface = this.#interface
    const { pool, memory, counters6, linkHeader } = iface
    const { view, bytes } = memory
    // They may take from the devices' reserve: without them nothing that waits would ever leave.
    const frame = pool.allocateForDevice()
    if (frame < 0) {
      counters6.drop(DROP_OUT6_NO_FRAME)
      return
    }
    const packet = pool.address(frame) + pool.headroom + linkHeader
    const options = routerAlert ? ROUTER_ALERT.length : 0
    const message = packet + ipv6.HEADER_LENGTH + options
    const next = routerAlert ? ipv6.NEXT_HOP_BY_HOP : ipv6.NEXT_ICMPV6
    ipv6.emit(view, packet, 0, 0, options + length, next, hopLimit, from, to)
    if (routerAlert) bytes.set(ROUTER_ALERT, packet + ipv6.HEADER_LENGTH)
    write(view, message)
    icmpv6.setChecksum(view, message, icmpv6Checksum(memory, message, length, from, to))
    const { values } = counters6
    values[ICMP6_OUT_MSGS]++
    values[counter]++
    values[IP6_OUT_REQUESTS]++
    if (isMulticast(to)) values[IP6_OUT_MCAST_PKTS]++
    const start = writeLinkHeader(iface, packet, high, low, ethernet.TYPE_IPV6)
    const whole = linkHeader + ipv6.HEADER_LENGTH + options + length
    iface.link.tx.push(frame, start - pool.address(frame), whole, 0, 0, 0)
  }
}
