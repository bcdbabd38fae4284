import type { ErrorCode } from '@parakernel/hal'
import { internetChecksum, updateChecksum } from '../checksum/internet-checksum.ts'
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
import type { AddressTable } from './address-table.ts'
import type { StackContext } from './context.ts'
import { type Incoming, setMapped } from './incoming.ts'
import type { Output } from './output.ts'
import { PacketError, type PacketErrorListeners } from './packet-error.ts'
import { NO_OFFLOAD } from './path.ts'

/** ICMP input (RFC 792, RFC 1122 section 3.2.2). */
export class IcmpInput {
  readonly #context: StackContext
  readonly #addresses: AddressTable
  readonly #output: Output
  readonly #echo: EchoRequests
  readonly #pathMtu: PathMtuCache
  readonly #listeners: PacketErrorListeners
  readonly #packetError = new PacketError()
  readonly #quotation: Quotation = {
    protocol: 0,
    source: 0,
    destination: 0,
    length: 0,
    sourcePort: 0,
    destinationPort: 0,
    sequence: 0,
  }

  constructor(
    context: StackContext,
    addresses: AddressTable,
    output: Output,
    echo: EchoRequests,
    pathMtu: PathMtuCache,
    listeners: PacketErrorListeners,
  ) {
    this.#context = context
    this.#addresses = addresses
    this.#output = output
    this.#echo = echo
    this.#pathMtu = pathMtu
    this.#listeners = listeners
  }

  /** The message of `length` bytes at `at`. May pass the frame on. */
  receive(incoming: Incoming, at: number, length: number): void {
    const { memory } = incoming
    const { view } = memory
    const { counters, time } = this.#context
    counters.values[ICMP_IN_MSGS]++
    if (length < icmp.HEADER_LENGTH) {
      counters.drop(DROP_ICMP_TRUNCATED)
      return
    }
    if (internetChecksum(memory, at, length) !== 0) {
      counters.drop(DROP_ICMP_BAD_CHECKSUM)
      return
    }
    const source = incoming.source[3]
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
            roundTrip: time[0] - sent,
            ttl: incoming.hopLimit,
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
    const { memory, frame } = incoming
    const { view } = memory
    const { counters } = this.#context
    if (incoming.group || incoming.linkGroup) {
      counters.drop(DROP_ICMP_BROADCAST_ECHO)
      return
    }
    const before = view.getUint16(at)
    view.setUint8(at, icmp.ECHO_REPLY)
    icmp.setChecksum(view, at, updateChecksum(icmp.checksum(view, at), before, view.getUint16(at)))
    counters.values[ICMP_OUT_MSGS]++
    counters.values[ICMP_OUT_ECHO_REPS]++
    const traffic = incoming.trafficClass
    const room =
      this.#pathMtu.get(incoming.source[3], incoming.interface.mtu, this.#context.time[0]) - ipv4.HEADER_LENGTH
    if (frame >= 0 && incoming.ethernet >= 0 && length <= room && this.#context.pool.count(frame) === 1) {
      incoming.frame = -1
      this.#output.answer(incoming, frame, at, length, ipv4.PROTOCOL_ICMP, 0, traffic, NO_OFFLOAD)
      return
    }
    const path = this.#output.pathTo(incoming.destination, incoming.source)
    this.#output.sendFragments(path, memory, at, length, ipv4.PROTOCOL_ICMP, 0, traffic, 0)
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
      this.#addresses.isOwnIpv4(quotation.source) &&
      this.#concerns(incoming, at, quoted)
    if (!ours) this.#context.counters.drop(DROP_ICMP_NOT_OURS)
  }

  #concerns(incoming: Incoming, at: number, quoted: number): boolean {
    const { view } = incoming.memory
    const { protocol, source, destination, sourcePort, destinationPort, sequence, length } = this.#quotation
    const type = icmp.type(view, at)
    const code = icmp.code(view, at)
    const tooLong = type === icmp.DESTINATION_UNREACHABLE && code === icmp.FRAGMENTATION_NEEDED
    const mtu = tooLong ? icmp.nextHopMtu(view, at) || UNTOLD_MTU : 0
    if (protocol === ipv4.PROTOCOL_ICMP) {
      if (!this.#echoError(view, at, quoted)) return false
      if (tooLong) this.#tooLong(destination, mtu, length)
      return true
    }
    if (protocol !== ipv4.PROTOCOL_UDP && protocol !== ipv4.PROTOCOL_TCP) return false
    const error = this.#packetError
    error.type = type
    error.code = code
    error.meaning = errorOf(type, code)
    error.offender.set(incoming.source)
    error.mtu = mtu
    setMapped(error.source, source)
    setMapped(error.destination, destination)
    error.sourcePort = sourcePort
    error.destinationPort = destinationPort
    error.sequence = sequence
    error.length = length
    const { udp, tcp } = this.#listeners
    if (!(protocol === ipv4.PROTOCOL_UDP ? udp(error) : tcp(error))) return false
    // Only what was believed is remembered for the path (RFC 5927 section 7).
    if (tooLong) this.#tooLong(destination, mtu, length)
    return true
  }

  #tooLong(destination: number, mtu: number, length: number): void {
    const { time } = this.#context
    if (this.#pathMtu.reported(destination, mtu, length, time[0])) this.#context.generation++
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

/** What a router's message without an MTU is taken to mean, as `PathMtuCache` does. */
const UNTOLD_MTU = 576

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
