import { copyBytes } from '@parakernel/hal'
import type { IpWords } from '@parakernel/queue'
import * as ethernet from '../ethernet/wire.ts'
import { RateLimit } from '../icmp/rate-limit.ts'
import { icmpv6Checksum } from '../icmpv6/checksum.ts'
import { mayReport } from '../icmpv6/error-policy.ts'
import * as icmpv6 from '../icmpv6/wire.ts'
import {
  DROP_ICMP6_FORBIDDEN,
  DROP_ICMP6_RATE_LIMITED,
  DROP_OUT6_NO_FRAME,
  ICMP6_OUT_DEST_UNREACHS,
  ICMP6_OUT_ECHO_REPLIES,
  ICMP6_OUT_ECHOS,
  ICMP6_OUT_ERRORS,
  ICMP6_OUT_MSGS,
  ICMP6_OUT_PARM_PROBLEMS,
  ICMP6_OUT_TIME_EXCDS,
} from '../ipv6/counters.ts'
import type { HeaderChain } from '../ipv6/extension-headers.ts'
import * as ipv6 from '../ipv6/wire.ts'
import type { PacketMemory } from '../packet-memory.ts'
import type { StackContext } from './context.ts'
import type { Incoming } from './incoming.ts'
import type { Output } from './output.ts'
import { NO_OFFLOAD, type Path, type SendResult } from './path.ts'

/** As much of a packet as keeps the error within the least MTU (RFC 4443 section 2.4 c). */
const LONGEST_QUOTE = ipv6.LEAST_MTU - ipv6.HEADER_LENGTH - icmpv6.HEADER_LENGTH

/** ICMPv6 messages that we begin, or answer with: errors about what arrived, echo requests and replies. */
export class Icmpv6Output {
  readonly #context: StackContext
  readonly #output: Output
  readonly #limit: RateLimit

  constructor(context: StackContext, output: Output, perSecond: number, burst: number) {
    this.#context = context
    this.#output = output
    this.#limit = new RateLimit(perSecond, burst)
  }

  /**
   * Reports about the packet at hand, if the rules allow it (RFC 4443 section 2.4 e) and the rate limit too (section 2.4 f).
   * @param rest what stands in the second word of the message
   */
  report(incoming: Incoming, type: number, code: number, rest = 0, evenToGroup = false): void {
    const { memory, packet, length, linkGroup, source } = incoming
    if (!this.#allowed(memory, packet, length, linkGroup, evenToGroup)) return
    // Sent from the address that the packet was for, if it was for one of ours alone.
    const path = this.#output.pathTo(incoming.group ? undefined : incoming.destination, source)
    this.#error(path, memory, packet, length, type, code, rest)
  }

  /** The parameter problem that a walk over the headers found, if it found one to be reported. */
  reportProblem(incoming: Incoming, chain: HeaderChain): void {
    if (chain.problem < 0) return
    // A missing header has no place to point at (RFC 7112 section 5).
    const pointer = chain.problem === icmpv6.INCOMPLETE_CHAIN ? 0 : chain.problemAt - incoming.packet
    // The walk reports an option about a group only if its action asks for that.
    const evenToGroup = chain.problem === icmpv6.UNKNOWN_OPTION
    this.report(incoming, icmpv6.PARAMETER_PROBLEM, chain.problem, pointer, evenToGroup)
  }

  /** Reports about a packet from `source` to `destination` that is known by its first bytes alone, at the start of `memory`. */
  reportQuoted(
    memory: PacketMemory,
    length: number,
    linkGroup: boolean,
    source: IpWords,
    destination: IpWords,
    type: number,
    code: number,
  ): void {
    if (!this.#allowed(memory, 0, length, linkGroup, false)) return
    this.#error(this.#output.pathTo(destination, source), memory, 0, length, type, code, 0)
  }

  /** Sends an echo request with `length` bytes of a counting pattern. */
  echo(destination: IpWords, identifier: number, sequence: number, length: number, hopLimit: number): SendResult {
    const { memory, counters6 } = this.#context
    const path = this.#output.pathTo(undefined, destination)
    if (path.failure !== undefined) return path.failure
    const frame = this.#allocate()
    if (frame < 0) return 'ENOBUFS'
    const at = this.#payload(frame)
    icmpv6.emit(memory.view, at, icmpv6.ECHO_REQUEST, 0, (identifier << 16) | sequence)
    for (let i = 0; i < length; i++) memory.bytes[at + icmpv6.HEADER_LENGTH + i] = i
    counters6.values[ICMP6_OUT_ECHOS]++
    return this.#send(path, frame, at, icmpv6.HEADER_LENGTH + length, hopLimit)
  }

  /** Answers an echo request to a group, from an address of our own (RFC 4443 section 4.2), if the rate limit allows. */
  answerGroupEcho(incoming: Incoming, at: number, length: number): void {
    const { memory, counters6, time } = this.#context
    const path = this.#output.pathTo(undefined, incoming.source)
    if (path.failure !== undefined || length > this.longestEcho + icmpv6.HEADER_LENGTH || !this.#limit.take(time[0])) {
      counters6.drop(DROP_ICMP6_RATE_LIMITED)
      return
    }
    const frame = this.#allocate()
    if (frame < 0) return
    const into = this.#payload(frame)
    copyBytes(incoming.memory.bytes, at, length, memory.bytes, into)
    memory.view.setInt32(into, icmpv6.ECHO_REPLY << 24)
    counters6.values[ICMP6_OUT_ECHO_REPLIES]++
    this.#send(path, frame, into, length, 0)
  }

  /** Longest pattern of an echo request: what one frame holds. */
  get longestEcho(): number {
    const { pool } = this.#context
    return pool.frameSize - pool.window.tailroom - (this.#payload(0) - pool.address(0)) - icmpv6.HEADER_LENGTH
  }

  #error(
    path: Path,
    memory: PacketMemory,
    quote: number,
    length: number,
    type: number,
    code: number,
    rest: number,
  ): void {
    const { memory: frames, counters6 } = this.#context
    const frame = path.failure === undefined ? this.#allocate() : -1
    if (frame < 0) {
      counters6.values[ICMP6_OUT_ERRORS]++
      return
    }
    const at = this.#payload(frame)
    const quoted = Math.min(length, LONGEST_QUOTE)
    icmpv6.emit(frames.view, at, type, code, rest)
    copyBytes(memory.bytes, quote, quoted, frames.bytes, at + icmpv6.HEADER_LENGTH)
    counters6.values[COUNTERS[type]]++
    this.#send(path, frame, at, icmpv6.HEADER_LENGTH + quoted, 0)
  }

  #send(path: Path, frame: number, at: number, length: number, hopLimit: number): SendResult {
    const { memory, counters6 } = this.#context
    counters6.values[ICMP6_OUT_MSGS]++
    icmpv6.setChecksum(memory.view, at, icmpv6Checksum(memory, at, length, path.local, path.remote))
    return this.#output.send(path, frame, at, length, ipv6.NEXT_ICMPV6, hopLimit, 0, NO_OFFLOAD, 0)
  }

  #allowed(memory: PacketMemory, at: number, length: number, linkGroup: boolean, evenToGroup: boolean): boolean {
    const { counters6, time } = this.#context
    if (!mayReport(memory.view, at, length, linkGroup, evenToGroup)) {
      counters6.drop(DROP_ICMP6_FORBIDDEN)
      return false
    }
    if (!this.#limit.take(time[0])) {
      counters6.drop(DROP_ICMP6_RATE_LIMITED)
      return false
    }
    return true
  }

  #allocate(): number {
    const frame = this.#context.pool.allocate()
    if (frame < 0) this.#context.counters6.drop(DROP_OUT6_NO_FRAME)
    return frame
  }

  #payload(frame: number): number {
    const { pool } = this.#context
    return pool.address(frame) + pool.headroom + ethernet.HEADER_LENGTH + ethernet.TAG_LENGTH + ipv6.HEADER_LENGTH
  }
}

const COUNTERS: Readonly<Record<number, number>> = {
  [icmpv6.DESTINATION_UNREACHABLE]: ICMP6_OUT_DEST_UNREACHS,
  [icmpv6.TIME_EXCEEDED]: ICMP6_OUT_TIME_EXCDS,
  [icmpv6.PARAMETER_PROBLEM]: ICMP6_OUT_PARM_PROBLEMS,
}
