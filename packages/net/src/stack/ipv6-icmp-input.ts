import type { ErrorCode } from '@parakernel/hal'
import { formatIp, type IpWords } from '@parakernel/queue'
import { updateChecksum } from '../checksum/internet-checksum.ts'
import type { EchoRequests } from '../icmp/echo-requests.ts'
import { isChecksumRight } from '../icmpv6/checksum.ts'
import { Quotation6, readQuotation6 } from '../icmpv6/quotation.ts'
import * as icmpv6 from '../icmpv6/wire.ts'
import {
  DROP_ICMP6_BAD_CHECKSUM,
  DROP_ICMP6_NOT_OURS,
  DROP_ICMP6_TRUNCATED,
  DROP_ICMP6_UNKNOWN_TYPE,
  DROP_ND_FRAGMENTED,
  ICMP6_IN_DEST_UNREACHS,
  ICMP6_IN_ECHO_REPLIES,
  ICMP6_IN_ECHOS,
  ICMP6_IN_MSGS,
  ICMP6_IN_PARM_PROBLEMS,
  ICMP6_IN_PKT_TOO_BIGS,
  ICMP6_IN_TIME_EXCDS,
  ICMP6_OUT_ECHO_REPLIES,
  ICMP6_OUT_MSGS,
} from '../ipv6/counters.ts'
import type { Ipv6PathMtu } from '../ipv6/path-mtu.ts'
import * as ipv6 from '../ipv6/wire.ts'
import * as udp from '../udp/wire.ts'
import type { AddressTable } from './address-table.ts'
import type { StackContext } from './context.ts'
import type { Incoming } from './incoming.ts'
import type { InterfaceServices } from './interface-services.ts'
import type { Icmpv6Output } from './ipv6-icmp-output.ts'
import type { Output } from './output.ts'
import { PacketError, type PacketErrorListeners } from './packet-error.ts'
import { NO_OFFLOAD } from './path.ts'

/** ICMPv6 input (RFC 4443): echo, errors, and the messages of neighbour discovery and MLD to their services. */
export class Icmpv6Input {
  readonly #context: StackContext
  readonly #addresses: AddressTable
  readonly #services: readonly InterfaceServices[]
  readonly #output: Output
  readonly #icmpOutput: Icmpv6Output
  readonly #echo: EchoRequests
  readonly #pathMtu: Ipv6PathMtu
  readonly #listeners: PacketErrorListeners
  readonly #packetError = new PacketError()
  readonly #quotation = new Quotation6()

  constructor(
    context: StackContext,
    addresses: AddressTable,
    services: readonly InterfaceServices[],
    output: Output,
    icmpOutput: Icmpv6Output,
    echo: EchoRequests,
    pathMtu: Ipv6PathMtu,
    listeners: PacketErrorListeners,
  ) {
    this.#context = context
    this.#addresses = addresses
    this.#services = services
    this.#output = output
    this.#icmpOutput = icmpOutput
    this.#echo = echo
    this.#pathMtu = pathMtu
    this.#listeners = listeners
  }

  /** The message of `length` bytes at `at`. May pass the frame on. */
  receive(incoming: Incoming, at: number, length: number, routerAlert: boolean, fragmented: boolean): void {
    const { memory, packet } = incoming
    const { view } = memory
    const { counters6 } = this.#context
    const { values } = counters6
    values[ICMP6_IN_MSGS]++
    if (length < icmpv6.HEADER_LENGTH) {
      counters6.drop(DROP_ICMP6_TRUNCATED)
      return
    }
    if (!isChecksumRight(memory, packet, at, length)) {
      counters6.drop(DROP_ICMP6_BAD_CHECKSUM)
      return
    }
    const host = this.#services[incoming.interface.index].ipv6
    const type = icmpv6.type(view, at)
    switch (type) {
      case icmpv6.ECHO_REQUEST:
        values[ICMP6_IN_ECHOS]++
        this.#answerEcho(incoming, at, length)
        return
      case icmpv6.ECHO_REPLY:
        values[ICMP6_IN_ECHO_REPLIES]++
        this.#echoReply(incoming, at, length)
        return
      case icmpv6.DESTINATION_UNREACHABLE:
        values[ICMP6_IN_DEST_UNREACHS]++
        this.#error(incoming, at, length)
        return
      case icmpv6.PACKET_TOO_BIG:
        values[ICMP6_IN_PKT_TOO_BIGS]++
        this.#error(incoming, at, length)
        return
      case icmpv6.TIME_EXCEEDED:
        values[ICMP6_IN_TIME_EXCDS]++
        this.#error(incoming, at, length)
        return
      case icmpv6.PARAMETER_PROBLEM:
        values[ICMP6_IN_PARM_PROBLEMS]++
        this.#error(incoming, at, length)
        return
      case icmpv6.ROUTER_SOLICITATION:
      case icmpv6.ROUTER_ADVERTISEMENT:
      case icmpv6.NEIGHBOR_SOLICITATION:
      case icmpv6.NEIGHBOR_ADVERTISEMENT:
      case icmpv6.REDIRECT:
        // RFC 6980 section 5: fragments would hide them from who guards the link.
        if (fragmented) counters6.drop(DROP_ND_FRAGMENTED)
        else host?.receive(incoming, at, length)
        return
      case icmpv6.MLD_QUERY:
      case icmpv6.MLD_V1_REPORT:
      case icmpv6.MLD_V1_DONE:
      case icmpv6.MLD_V2_REPORT:
        host?.listener.receive(incoming, at, length, routerAlert)
        return
      default:
        // Unknown errors go to the upper layer, others are dropped (RFC 4443 section 2.4 a and b); what they mean
        // nobody knows.
        counters6.drop(DROP_ICMP6_UNKNOWN_TYPE)
    }
  }

  /** Echo server (section 4.2), over the request itself where it stands in a frame of its own. */
  #answerEcho(incoming: Incoming, at: number, length: number): void {
    const { memory, frame, source, destination, trafficClass } = incoming
    const { view } = memory
    const { counters6, pool, time } = this.#context
    if (incoming.group || incoming.linkGroup) {
      this.#icmpOutput.answerGroupEcho(incoming, at, length)
      return
    }
    const before = view.getUint16(at)
    view.setUint8(at, icmpv6.ECHO_REPLY)
    icmpv6.setChecksum(view, at, updateChecksum(icmpv6.checksum(view, at), before, view.getUint16(at)))
    counters6.values[ICMP6_OUT_MSGS]++
    counters6.values[ICMP6_OUT_ECHO_REPLIES]++
    const { mtu, mtu6 } = incoming.interface
    const room = this.#pathMtu.get(source, Math.min(mtu, mtu6), time[0]) - ipv6.HEADER_LENGTH
    if (frame >= 0 && incoming.ethernet >= 0 && length <= room && pool.count(frame) === 1) {
      incoming.frame = -1
      this.#output.answer(incoming, frame, at, length, ipv6.NEXT_ICMPV6, 0, trafficClass, NO_OFFLOAD)
      return
    }
    const path = this.#output.pathTo(destination, source)
    this.#output.sendFragments(path, memory, at, length, ipv6.NEXT_ICMPV6, 0, trafficClass, 0)
  }

  #echoReply(incoming: Incoming, at: number, length: number): void {
    const { view } = incoming.memory
    const { time, counters6 } = this.#context
    const known =
      icmpv6.identifier(view, at) === this.#echo.identifier &&
      this.#echo.end(icmpv6.sequence(view, at), formatIp(incoming.source), (sent) => ({
        kind: 'reply',
        roundTrip: time[0] - sent,
        ttl: incoming.hopLimit,
        bytes: length - icmpv6.HEADER_LENGTH,
      }))
    if (!known) counters6.drop(DROP_ICMP6_NOT_OURS)
  }

  /**
   * An error about something that we sent; it is believed only if it quotes a packet that we may have sent just now.
   */
  #error(incoming: Incoming, at: number, length: number): void {
    const { view } = incoming.memory
    const quotation = this.#quotation
    const quoted = at + icmpv6.HEADER_LENGTH
    const ours =
      readQuotation6(view, quoted, length - icmpv6.HEADER_LENGTH, quotation) &&
      this.#addresses.ownerOf(quotation.source) !== undefined &&
      this.#concerns(incoming, at, quotation)
    if (!ours) this.#context.counters6.drop(DROP_ICMP6_NOT_OURS)
  }

  #concerns(incoming: Incoming, at: number, quotation: Quotation6): boolean {
    const { view } = incoming.memory
    const { protocol, source, destination, transport, length } = quotation
    const mtu = icmpv6.type(view, at) === icmpv6.PACKET_TOO_BIG ? icmpv6.mtu(view, at) : 0
    if (protocol === ipv6.NEXT_ICMPV6) {
      if (!this.#echoError(view, at, quotation)) return false
      if (mtu > 0) this.#tooBig(destination, mtu)
      return true
    }
    if (protocol !== ipv6.NEXT_UDP && protocol !== ipv6.NEXT_TCP) return false
    const error = this.#packetError
    error.family = 6
    error.type = icmpv6.type(view, at)
    error.code = icmpv6.code(view, at)
    error.meaning = errorOf(error.type, error.code)
    error.offender.set(incoming.source)
    error.mtu = mtu
    error.source.set(source)
    error.destination.set(destination)
    // Both protocols begin with their ports.
    error.sourcePort = udp.sourcePort(view, transport)
    error.destinationPort = udp.destinationPort(view, transport)
    error.sequence = view.getInt32(transport + 4)
    error.length = length
    const { udp: toUdp, tcp: toTcp } = this.#listeners
    if (!(protocol === ipv6.NEXT_UDP ? toUdp(error) : toTcp(error))) return false
    if (mtu > 0) this.#tooBig(destination, mtu)
    return true
  }

  #tooBig(destination: IpWords, mtu: number): void {
    const path = this.#output.pathTo(undefined, destination)
    const { time } = this.#context
    if (this.#pathMtu.reported(destination, mtu, path.interface.mtu, time[0])) this.#context.generation++
  }

  #echoError(view: DataView, at: number, { transport, destination }: Quotation6): boolean {
    if (icmpv6.type(view, transport) !== icmpv6.ECHO_REQUEST) return false
    if (icmpv6.identifier(view, transport) !== this.#echo.identifier) return false
    return this.#echo.end(icmpv6.sequence(view, transport), formatIp(destination), () => ({
      kind: 'unreachable',
      type: icmpv6.type(view, at),
      code: icmpv6.code(view, at),
    }))
  }
}

/** What an ICMPv6 error means to who sent the packet; undefined for those that are hints only. */
function errorOf(type: number, code: number): ErrorCode | undefined {
  // RFC 4443 section 3.4: an upper layer that the peer does not know.
  if (type === icmpv6.PARAMETER_PROBLEM) return code === icmpv6.UNKNOWN_NEXT_HEADER ? 'ECONNREFUSED' : undefined
  if (type !== icmpv6.DESTINATION_UNREACHABLE) return undefined
  switch (code) {
    case icmpv6.PORT_UNREACHABLE:
      return 'ECONNREFUSED'
    case icmpv6.NO_ROUTE:
    case icmpv6.BEYOND_SCOPE:
      return 'ENETUNREACH'
    case icmpv6.ADMINISTRATIVELY_PROHIBITED:
    case icmpv6.ADDRESS_UNREACHABLE:
    case icmpv6.POLICY_FAILED:
    case icmpv6.ROUTE_REJECTED:
      return 'EHOSTUNREACH'
    default:
      return undefined
  }
}
