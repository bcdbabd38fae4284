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
import type { Incoming } from './incoming.ts'
import type { NetInterface } from './interface.ts'
import { NO_OFFLOAD, type Output, type SendResult } from './output.ts'

/** RFC 1812 section 4.3.2.3: as much of the datagram as keeps the error within 576 bytes. */
const LONGEST_QUOTE = 576 - ipv4.HEADER_LENGTH - icmp.HEADER_LENGTH

/** ICMP messages that we begin: errors about what arrived, and echo requests. */
export class IcmpOutput {
  readonly #interface: NetInterface
  readonly #output: Output
  readonly #limit: RateLimit

  constructor(iface: NetInterface, output: Output, perSecond: number, burst: number) {
    this.#interface = iface
    this.#output = output
    this.#limit = new RateLimit(perSecond, burst)
  }

  /** Reports about the packet at hand, if the rules allow it (RFC 1122 section 3.2.2) and the rate limit too. */
  report(incoming: Incoming, type: number, code: number): void {
    const { memory, packet, length } = incoming
    const size = Math.min(length, ipv4.totalLength(memory.view, packet))
    if (!this.#allowed(memory, packet, size, incoming.linkGroup || incoming.loopback)) return
    const { view } = memory
    const at = incoming.ethernet
    const high = at < 0 ? 0 : ethernet.sourceHigh(view, at)
    const low = at < 0 ? 0 : ethernet.sourceLow(view, at)
    this.#send(type, code, memory, packet, size, (frame, message, bytes) => {
      const to = ipv4.source(view, packet)
      return at < 0
        ? this.#output.send(frame, message, bytes, ipv4.PROTOCOL_ICMP, to, 64, NO_OFFLOAD, 0)
        : this.#output.answer(incoming.link, frame, message, bytes, ipv4.PROTOCOL_ICMP, to, high, low)
    })
  }

  /** Reports about a datagram that is known by its first bytes alone, at the start of `memory`. */
  reportQuoted(memory: PacketMemory, length: number, linkGroup: boolean, type: number, code: number): void {
    if (!this.#allowed(memory, 0, length, linkGroup)) return
    this.#send(type, code, memory, 0, length, (frame, message, bytes) =>
      this.#output.send(frame, message, bytes, ipv4.PROTOCOL_ICMP, ipv4.source(memory.view, 0), 64, NO_OFFLOAD, 0),
    )
  }

  /** Sends an echo request with `length` bytes of a counting pattern. */
  echo(destination: Ipv4Address, identifier: number, sequence: number, length: number, ttl: number): SendResult {
    const { pool, memory, counters } = this.#interface
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
    return this.#output.send(frame, at, size, ipv4.PROTOCOL_ICMP, destination, ttl, NO_OFFLOAD, 0)
  }

  /** Longest pattern of an echo request: what one frame holds. */
  get longestEcho(): number {
    const { pool } = this.#interface
    return pool.frameSize - (this.#payload(0) - pool.address(0)) - icmp.HEADER_LENGTH
  }

  #allowed(memory: PacketMemory, at: number, length: number, linkGroup: boolean): boolean {
    const { counters, network, time } = this.#interface
    if (!mayReport(memory.view, at, length, linkGroup, network.broadcast)) {
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
    type: number,
    code: number,
    memory: PacketMemory,
    quote: number,
    length: number,
    send: (frame: number, message: number, bytes: number) => SendResult,
  ): void {
    const { pool, memory: frames, counters } = this.#interface
    const frame = pool.allocate()
    if (frame < 0) {
      counters.values[ICMP_OUT_ERRORS]++
      counters.drop(DROP_OUT_NO_FRAME)
      return
    }
    const at = this.#payload(frame)
    const quoted = Math.min(length, LONGEST_QUOTE, this.#interface.mtu - ipv4.HEADER_LENGTH - icmp.HEADER_LENGTH)
    icmp.emit(frames.view, at, type, code, 0)
    frames.bytes.set(memory.bytes.subarray(quote, quote + quoted), at + icmp.HEADER_LENGTH)
    const bytes = icmp.HEADER_LENGTH + quoted
    icmp.setChecksum(frames.view, at, internetChecksum(frames, at, bytes))
    counters.values[ICMP_OUT_MSGS]++
    counters.values[type === icmp.TIME_EXCEEDED ? ICMP_OUT_TIME_EXCDS : ICMP_OUT_DEST_UNREACHS]++
    send(frame, at, bytes)
  }

  #payload(frame: number): number {
    const { pool } = this.#interface
    return pool.address(frame) + pool.headroom + ethernet.HEADER_LENGTH + ipv4.HEADER_LENGTH
  }
}
