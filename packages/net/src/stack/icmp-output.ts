import { copyBytes } from '@parakernel/hal'
import { internetChecksum } from '../checksum/internet-checksum.ts'
import * as ethernet from '../ethernet/wire.ts'
import { mayReport } from '../icmp/error-policy.ts'
import { RateLimit } from '../icmp/rate-limit.ts'
import * as icmp from '../icmp/wire.ts'
import type { Ipv4Address } from '../ipv4/address.ts'
import * as ipv4 from '../ipv4/wire.ts'
import type { PacketMemory } from '../packet-memory.ts'
import {
  DROP_ICMP_FORBIDDEN,
  DROP_ICMP_RATE_LIMITED,
  DROP_OUT_NO_FRAME,
  ICMP_OUT_DEST_UNREACHS,
  ICMP_OUT_ECHOS,
  ICMP_OUT_ERRORS,
  ICMP_OUT_MSGS,
  ICMP_OUT_TIME_EXCDS,
} from '../statistics/counters.ts'
import type { StackContext } from './context.ts'
import type { Incoming } from './incoming.ts'
import type { NetInterface } from './interface.ts'
import type { Output } from './output.ts'
import { NO_OFFLOAD, type SendResult } from './path.ts'

/** RFC 1812 section 4.3.2.3: as much of the datagram as keeps the error within 576 bytes. */
const LONGEST_QUOTE = 576 - ipv4.HEADER_LENGTH - icmp.HEADER_LENGTH

/** ICMP messages that we begin: errors about what arrived, and echo requests. */
export class IcmpOutput {
  readonly #context: StackContext
  readonly #output: Output
  readonly #limit: RateLimit

  constructor(context: StackContext, output: Output, perSecond: number, burst: number) {
    this.#context = context
    this.#output = output
    this.#limit = new RateLimit(perSecond, burst)
  }

  /** Reports about the packet at hand, if the rules allow it (RFC 1122 section 3.2.2) and the rate limit too. */
  report(incoming: Incoming, type: number, code: number): void {
    const { memory, packet, length, interface: iface } = incoming
    const size = Math.min(length, ipv4.totalLength(memory.view, packet))
    if (!this.#allowed(iface, memory, packet, size, incoming.linkGroup)) return
    const { source, destination } = incoming
    this.#send(iface, type, code, memory, packet, size, (frame, message, bytes) => {
      if (incoming.ethernet < 0) return this.#sendTo(destination[3], source[3], frame, message, bytes)
      return this.#output.answer(incoming, frame, message, bytes, ipv4.PROTOCOL_ICMP, 0, 0, NO_OFFLOAD)
    })
  }

  /** Reports about a datagram that is known by its first bytes alone, at the start of `memory`, and came over `iface`. */
  reportQuoted(
    iface: NetInterface,
    memory: PacketMemory,
    length: number,
    linkGroup: boolean,
    type: number,
    code: number,
  ): void {
    if (!this.#allowed(iface, memory, 0, length, linkGroup)) return
    this.#send(iface, type, code, memory, 0, length, (frame, message, bytes) => {
      const from = ipv4.destination(memory.view, 0)
      return this.#sendTo(from, ipv4.source(memory.view, 0), frame, message, bytes)
    })
  }

  /** Sends an echo request with `length` bytes of a counting pattern. */
  echo(destination: Ipv4Address, identifier: number, sequence: number, length: number, ttl: number): SendResult {
    const { pool, memory, counters } = this.#context
    const frame = pool.allocate()
    if (frame < 0) {
      counters.drop(DROP_OUT_NO_FRAME)
      return 'ENOBUFS'
    }
    const at = this.#payload(frame)
    icmp.emit(memory.view, at, icmp.ECHO_REQUEST, 0, (identifier << 16) | sequence)
    for (let i = 0; i < length; i++) memory.bytes[at + icmp.HEADER_LENGTH + i] = i
    const size = icmp.HEADER_LENGTH + length
    icmp.setChecksum(memory.view, at, internetChecksum(memory, at, size))
    counters.values[ICMP_OUT_MSGS]++
    counters.values[ICMP_OUT_ECHOS]++
    const path = this.#output.paths.toIpv4(0, destination)
    return this.#output.send(path, frame, at, size, ipv4.PROTOCOL_ICMP, ttl, 0, NO_OFFLOAD, 0)
  }

  /** Longest pattern of an echo request: what one frame holds. */
  get longestEcho(): number {
    const { pool } = this.#context
    return pool.frameSize - (this.#payload(0) - pool.address(0)) - icmp.HEADER_LENGTH
  }

  #sendTo(from: Ipv4Address, to: Ipv4Address, frame: number, at: number, length: number): SendResult {
    const path = this.#output.paths.toIpv4(from, to)
    return this.#output.send(path, frame, at, length, ipv4.PROTOCOL_ICMP, 0, 0, NO_OFFLOAD, 0)
  }

  #allowed(iface: NetInterface, memory: PacketMemory, at: number, length: number, linkGroup: boolean): boolean {
    const { counters, time } = this.#context
    if (!mayReport(memory.view, at, length, linkGroup, iface)) {
      counters.drop(DROP_ICMP_FORBIDDEN)
      return false
    }
    if (!this.#limit.take(time[0])) {
      counters.drop(DROP_ICMP_RATE_LIMITED)
      return false
    }
    return true
  }

  #send(
    iface: NetInterface,
    type: number,
    code: number,
    memory: PacketMemory,
    quote: number,
    length: number,
    send: (frame: number, message: number, bytes: number) => SendResult,
  ): void {
    const { pool, memory: frames, counters } = this.#context
    const frame = pool.allocate()
    if (frame < 0) {
      counters.values[ICMP_OUT_ERRORS]++
      counters.drop(DROP_OUT_NO_FRAME)
      return
    }
    const at = this.#payload(frame)
    const quoted = Math.min(length, LONGEST_QUOTE, iface.mtu - ipv4.HEADER_LENGTH - icmp.HEADER_LENGTH)
    icmp.emit(frames.view, at, type, code, 0)
    copyBytes(memory.bytes, quote, quoted, frames.bytes, at + icmp.HEADER_LENGTH)
    const bytes = icmp.HEADER_LENGTH + quoted
    icmp.setChecksum(frames.view, at, internetChecksum(frames, at, bytes))
    counters.values[ICMP_OUT_MSGS]++
    counters.values[type === icmp.TIME_EXCEEDED ? ICMP_OUT_TIME_EXCDS : ICMP_OUT_DEST_UNREACHS]++
    send(frame, at, bytes)
  }

  #payload(frame: number): number {
    const { pool } = this.#context
    return pool.address(frame) + pool.headroom + ethernet.HEADER_LENGTH + ethernet.TAG_LENGTH + ipv4.HEADER_LENGTH
  }
}
