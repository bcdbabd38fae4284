import type { ErrorCode } from '@parakernel/hal'
import { internetChecksum, updateChecksum } from '../checksum/internet-checksum.ts'
import * as ethernet from '../ethernet/wire.ts'
import type { EchoRequests } from '../icmp/echo-requests.ts'
import { type Quotation, readQuotation } from '../icmp/quotation.ts'
import * as icmp from '../icmp/wire.ts'
import type { PathMtuCache } from '../ipv4/path-mtu.ts'
import * as ipv4 from '../ipv4/wire.ts'
import {
  DROP_ICMP_BAD_CHECKSUM,
  DROP_ICMP_BROADCAST_ECHO,
  DROP_ICMP_NOT_OURS,
  DROP_ICMP_TRUNCATED,
  DROP_ICMP_UNKNOWN_TYPE,
  ICMP_IN_DEST_UNREACHS,
  ICMP_IN_ECHO_REPS,
  ICMP_IN_ECHOS,
  ICMP_IN_MSGS,
  ICMP_IN_PARM_PROBS,
  ICMP_IN_REDIRECTS,
  ICMP_IN_SRC_QUENCHS,
  ICMP_IN_TIME_EXCDS,
  ICMP_OUT_ECHO_REPS,
  ICMP_OUT_MSGS,
} from '../statistics/counters.ts'
import type { UdpSocket } from '../udp/socket.ts'
import type { Incoming } from './incoming.ts'
import type { NetInterface } from './interface.ts'
import { NO_OFFLOAD, type Output } from './output.ts'

/** Whom an ICMP error may concern. */
export interface ErrorListeners {
  /** The socket bound to a local port. */
  socketAt(port: number): UdpSocket | undefined
  /** An error about a datagram that `socket` sent to its connected peer. */
  failed(socket: UdpSocket, code: ErrorCode): void
}

/** ICMP input (RFC 792, RFC 1122 section 3.2.2). */
export class IcmpInput {
  readonly #interface: NetInterface
  readonly #output: Output
  readonly #echo: EchoRequests
  readonly #pathMtu: PathMtuCache
  readonly #listeners: ErrorListeners
  readonly #quotation: Quotation = {
    protocol: 0,
    source: 0,
    destination: 0,
    length: 0,
    sourcePort: 0,
    destinationPort: 0,
  }

  constructor(
    iface: NetInterface,
    output: Output,
    echo: EchoRequests,
    pathMtu: PathMtuCache,
    listeners: ErrorListeners,
  ) {
    this.#interface = iface
    this.#output = output
    this.#echo = echo
    this.#pathMtu = pathMtu
    this.#listeners = listeners
  }

  /** The message of `length` bytes at `at`. May pass the frame on. */
  receive(incoming: Incoming, at: number, length: number): void {
    const { memory, packet, now } = incoming
    const { view } = memory
    const { counters } = this.#interface
    counters.values[ICMP_IN_MSGS]++
    if (length < icmp.HEADER_LENGTH) {
      counters.drop(DROP_ICMP_TRUNCATED)
      return
    }
    if (internetChecksum(memory, at, length) !== 0) {
      counters.drop(DROP_ICMP_BAD_CHECKSUM)
      return
    }
    const source = ipv4.source(view, packet)
    switch (icmp.type(view, at)) {
      case icmp.ECHO_REQUEST:
        counters.values[ICMP_IN_ECHOS]++
        this.#answerEcho(incoming, at, length)
        return
      case icmp.ECHO_REPLY: {
        counters.values[ICMP_IN_ECHO_REPS]++
        const known =
          icmp.identifier(view, at) === this.#echo.identifier &&
          this.#echo.end(icmp.sequence(view, at), source, (sent) => ({
            kind: 'reply',
            roundTrip: now - sent,
            ttl: ipv4.timeToLive(view, packet),
            bytes: length - icmp.HEADER_LENGTH,
          }))
        if (!known) counters.drop(DROP_ICMP_NOT_OURS)
        return
      }
      case icmp.DESTINATION_UNREACHABLE:
        counters.values[ICMP_IN_DEST_UNREACHS]++
        this.#error(incoming, at, length)
        return
      case icmp.TIME_EXCEEDED:
        counters.values[ICMP_IN_TIME_EXCDS]++
        this.#error(incoming, at, length)
        return
      case icmp.PARAMETER_PROBLEM:
        counters.values[ICMP_IN_PARM_PROBS]++
        this.#error(incoming, at, length)
        return
      case icmp.SOURCE_QUENCH:
        // Ignored (RFC 6633).
        counters.values[ICMP_IN_SRC_QUENCHS]++
        return
      case icmp.REDIRECT:
        // Anyone on the link could redirect us to himself; a host with one router has no use for it.
        counters.values[ICMP_IN_REDIRECTS]++
        return
      default:
        counters.drop(DROP_ICMP_UNKNOWN_TYPE)
    }
  }

  /** Echo server (RFC 1122 section 3.2.2.6), over the request itself. Requests to groups are not answered: no amplifier. */
  #answerEcho(incoming: Incoming, at: number, length: number): void {
    const { memory, packet, link, frame } = incoming
    const { view } = memory
    const { counters, address } = this.#interface
    if (ipv4.destination(view, packet) !== address || incoming.linkGroup) {
      counters.drop(DROP_ICMP_BROADCAST_ECHO)
      return
    }
    const source = ipv4.source(view, packet)
    const before = view.getUint16(at)
    view.setUint8(at, icmp.ECHO_REPLY)
    icmp.setChecksum(view, at, updateChecksum(icmp.checksum(view, at), before, view.getUint16(at)))
    counters.values[ICMP_OUT_MSGS]++
    counters.values[ICMP_OUT_ECHO_REPS]++
    if (frame < 0) {
      this.#output.sendFragments(memory, at, length, ipv4.PROTOCOL_ICMP, source, 64, 0)
      return
    }
    incoming.frame = -1
    if (incoming.ethernet < 0 || incoming.loopback) {
      this.#output.send(frame, at, length, ipv4.PROTOCOL_ICMP, source, 64, NO_OFFLOAD, 0)
      return
    }
    const high = ethernet.sourceHigh(view, incoming.ethernet)
    const low = ethernet.sourceLow(view, incoming.ethernet)
    this.#output.answer(link, frame, at, length, ipv4.PROTOCOL_ICMP, source, high, low)
  }

  /**
   * An error about something that we sent. It is believed only if it quotes a datagram that we may have sent just now: from our
   * address, and from a port that is open, or with an echo request that is out (in the spirit of RFC 5927 section 4).
   */
  #error(incoming: Incoming, at: number, length: number): void {
    const { view } = incoming.memory
    const quotation = this.#quotation
    const quoted = at + icmp.HEADER_LENGTH
    const ours =
      readQuotation(view, quoted, length - icmp.HEADER_LENGTH, quotation) &&
      quotation.source === this.#interface.address &&
      (quotation.protocol === ipv4.PROTOCOL_UDP
        ? this.#udpError(incoming, at)
        : quotation.protocol === ipv4.PROTOCOL_ICMP && this.#echoError(view, at, quoted))
    if (!ours) this.#interface.counters.drop(DROP_ICMP_NOT_OURS)
  }

  #udpError(incoming: Incoming, at: number): boolean {
    const { view } = incoming.memory
    const { destination, destinationPort, sourcePort, length } = this.#quotation
    const socket = this.#listeners.socketAt(sourcePort)
    if (socket === undefined) return false
    const type = icmp.type(view, at)
    const code = icmp.code(view, at)
    if (type === icmp.DESTINATION_UNREACHABLE && code === icmp.FRAGMENTATION_NEEDED) {
      this.#pathMtu.reported(destination, icmp.nextHopMtu(view, at), length, incoming.now)
      return true
    }
    // RFC 1122 section 4.1.3.3: errors go up; an unconnected socket could not tell whom they are about.
    const error = errorOf(type, code)
    if (error !== undefined && socket.isConnected && socket.accepts(destination, destinationPort)) {
      this.#listeners.failed(socket, error)
    }
    return true
  }

  #echoError(view: DataView, at: number, quoted: number): boolean {
    const echo = quoted + ipv4.headerLength(view, quoted)
    if (icmp.type(view, echo) !== icmp.ECHO_REQUEST || icmp.identifier(view, echo) !== this.#echo.identifier)
      return false
    return this.#echo.end(icmp.sequence(view, echo), this.#quotation.destination, () => ({
      kind: 'unreachable',
      type: icmp.type(view, at),
      code: icmp.code(view, at),
    }))
  }
}

/** What an ICMP error means to a connected socket; undefined for those that are hints only (RFC 1122 section 3.2.2.1). */
function errorOf(type: number, code: number): ErrorCode | undefined {
  if (type !== icmp.DESTINATION_UNREACHABLE) return undefined
  switch (code) {
    case icmp.PORT_UNREACHABLE:
    case icmp.PROTOCOL_UNREACHABLE:
      return 'ECONNREFUSED'
    case icmp.HOST_UNREACHABLE:
    case icmp.HOST_PROHIBITED:
    case icmp.ADMINISTRATIVELY_PROHIBITED:
      return 'EHOSTUNREACH'
    case icmp.NET_UNREACHABLE:
      return 'ENETUNREACH'
    default:
      return undefined
  }
}
