import { CHECKSUM_BAD, CHECKSUM_PARTIAL, CHECKSUM_VERIFIED, copyBytes } from '@parakernel/hal'
import { fold, sumBytes } from '../checksum/internet-checksum.ts'
import * as ipv4 from '../ipv4/wire.ts'
import * as ipv6 from '../ipv6/wire.ts'
import { ABSENT } from '../tcp/connection-table.ts'
import { TCP_IN_ERRS, TCP_IN_SEGS, TCP_OUT_RSTS } from '../tcp/counters.ts'
import {
  DROP_TCP_BAD_CHECKSUM,
  DROP_TCP_BAD_OPTION,
  DROP_TCP_GROUP_DESTINATION,
  DROP_TCP_OTHER_PARTITION,
  DROP_TCP_POOL_LOW,
  DROP_TCP_PORT_CLOSED,
} from '../tcp/input-counters.ts'
import { OPTIONS_MALFORMED, parseOptions } from '../tcp/options.ts'
import { resetFor } from '../tcp/passive/replies.ts'
import { FIN, PSH, type Segment } from '../tcp/segment.ts'
import * as tcp from '../tcp/wire.ts'
import { ecnOf, type Incoming, type TransportInput } from './incoming.ts'
import type { Siblings } from './siblings.ts'
import { indexOf, KIND_CONNECTION, KIND_SYN, kindOf, type TcpContext } from './tcp-context.ts'
import type { TcpEndpoint } from './tcp-endpoint.ts'
import type { TcpHandshakes } from './tcp-handshakes.ts'
import type { TcpOutput } from './tcp-output.ts'
import type { TcpTimeWaits } from './tcp-time-waits.ts'

/**
 * Every TCP segment that the fast path leaves: checks in order, then to its connection, its half-open record, its listener, its
 * TIME-WAIT record, or to nobody. Written for the reader.
 */
export class TcpInput implements TransportInput {
  readonly #tcp: TcpContext
  readonly #output: TcpOutput
  readonly #handshakes: TcpHandshakes
  readonly #timeWaits: TcpTimeWaits
  readonly #siblings: Siblings | undefined
  readonly #alone: boolean

  constructor(
    context: TcpContext,
    output: TcpOutput,
    handshakes: TcpHandshakes,
    timeWaits: TcpTimeWaits,
    siblings: Siblings | undefined,
  ) {
    this.#tcp = context
    this.#output = output
    this.#handshakes = handshakes
    this.#timeWaits = timeWaits
    this.#siblings = siblings
    this.#alone = context.limits.share.partitions <= 1
  }

  receive(incoming: Incoming, at: number, length: number): void {
    const { counters, table, endpoints, received: segment } = this.#tcp
    const { view } = incoming.memory
    counters.values[TCP_IN_SEGS]++
    // RFC 1122 section 4.2.3.10: a segment to a group is of no connection.
    if (incoming.group || incoming.linkGroup) {
      this.#drop(DROP_TCP_GROUP_DESTINATION)
      return
    }
    const wrong = tcp.checkHeader(view, at, length)
    if (wrong !== tcp.HEADER_OK) {
      this.#drop(wrong)
      return
    }
    if (!this.#checksumRight(incoming, at, length)) {
      this.#drop(DROP_TCP_BAD_CHECKSUM)
      return
    }
    const header = tcp.headerLength(view, at)
    segment.clear()
    tcp.parseHeader(view, at, segment)
    if (parseOptions(view, at + tcp.HEADER_LENGTH, at + header, segment) === OPTIONS_MALFORMED) {
      this.#drop(DROP_TCP_BAD_OPTION)
      return
    }
    segment.address = at + header
    segment.length = length - header
    segment.segmentSize = incoming.segmentSize
    segment.ecn = ecnOf(incoming)
    const value = table.find(incoming.destination, incoming.source, tcp.ports(view, at))
    if (value === ABSENT) this.#unknown(incoming, segment)
    else if (kindOf(value) === KIND_CONNECTION) {
      this.#deliver(endpoints.slots[indexOf(value)] as TcpEndpoint, incoming, segment)
    } else if (kindOf(value) === KIND_SYN) this.#handshakes.progress(indexOf(value), incoming, segment)
    else this.#timeWaits.receive(indexOf(value), incoming, segment)
    if (segment.frame >= 0) incoming.frame = segment.frame
    segment.frame = -1
  }

  /** In its own frame if it has one, else in copies of a frame's length. */
  #deliver(endpoint: TcpEndpoint, incoming: Incoming, segment: Segment): void {
    const { now } = this.#tcp
    if (incoming.frame >= 0 || segment.length === 0) {
      segment.frame = incoming.frame
      incoming.frame = -1
      endpoint.connection.process(segment, now)
      this.#tcp.touch(endpoint)
      return
    }
    this.#deliverCopies(endpoint, incoming, segment)
  }

  #deliverCopies(endpoint: TcpEndpoint, incoming: Incoming, segment: Segment): void {
    const { pool, memory, now, inputCounters } = this.#tcp
    const { flags, address: from, length: total, sequence: start } = segment
    const offset = pool.headroom
    const room = pool.frameSize - offset - pool.window.tailroom
    for (let done = 0; done < total; ) {
      const frame = pool.allocate()
      if (frame < 0) {
        inputCounters.values[DROP_TCP_POOL_LOW]++
        break
      }
      const length = Math.min(room, total - done)
      const last = done + length === total
      segment.frame = frame
      segment.address = pool.address(frame) + offset
      segment.length = length
      segment.sequence = (start + done) | 0
      segment.flags = last ? flags : flags & ~(FIN | PSH)
      copyBytes(incoming.memory.bytes, from + done, length, memory.bytes, segment.address)
      endpoint.connection.process(segment, now)
      if (segment.frame >= 0) pool.release(segment.frame)
      segment.frame = -1
      done += length
    }
    this.#tcp.touch(endpoint)
  }

  /** No connection: a listener's business, or nobody's. */
  #unknown(incoming: Incoming, segment: Segment): void {
    const { bound, sent, counters, inputCounters } = this.#tcp
    const port = tcp.destinationPort(incoming.memory.view, incoming.transport)
    const listener = bound.find(incoming.destination, port)
    if (listener !== undefined && this.#handshakes.receive(listener, incoming, segment)) return
    // A listener is here or elsewhere in every partition of its address; a connection is in one of them, and may not be here.
    const elsewhere = this.#mayBeElsewhere(port)
    inputCounters.values[elsewhere ? DROP_TCP_OTHER_PARTITION : DROP_TCP_PORT_CLOSED]++
    if (elsewhere || !resetFor(segment, sent)) return
    counters.values[TCP_OUT_RSTS]++
    this.#output.answer(incoming, sent)
  }

  /** Whether another partition of this address may know the connection: a reset would end it. */
  #mayBeElsewhere(port: number): boolean {
    if (this.#alone) return false
    const { ephemeral, share, ports } = this.#tcp.limits
    if (port >= ephemeral.first && port <= ephemeral.last) {
      // By its hash a segment comes to the one partition that could have opened its connection.
      if (ports !== undefined) return false
      return (port - ephemeral.first) % share.partitions !== share.partition
    }
    return this.#siblings === undefined || this.#siblings.hasTcpPort(port)
  }

  #checksumRight(incoming: Incoming, at: number, length: number): boolean {
    const { memory, flags, interface: iface, source, destination } = incoming
    const { trustDevice, unmarkedPartials } = iface
    if ((flags & CHECKSUM_PARTIAL) !== 0 || (trustDevice && (flags & CHECKSUM_VERIFIED) !== 0)) return true
    if (trustDevice && (flags & CHECKSUM_BAD) !== 0) return false
    const pseudo = fold(ipv6.addressSum(source, destination) + ipv4.PROTOCOL_TCP + length)
    if (unmarkedPartials && incoming.ethernet >= 0 && tcp.checksum(memory.view, at) === pseudo) return true
    return fold(pseudo + sumBytes(memory, at, length)) === 0xffff
  }

  #drop(reason: number): void {
    this.#tcp.inputCounters.values[reason]++
    this.#tcp.counters.values[TCP_IN_ERRS]++
  }
}
