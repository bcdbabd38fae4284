import { fold, sumBytes } from '../checksum/internet-checksum.ts'
import * as ipv4 from '../ipv4/wire.ts'
import * as ipv6 from '../ipv6/wire.ts'
import { FrameChain } from '../tcp/buffer/frame-chain.ts'
import type { Connection } from '../tcp/connection/connection.ts'
import { TCP_OUT_SEGS } from '../tcp/counters.ts'
import { EXT_SUPER_SEGMENTS_SENT, EXT_TRANSMIT_BLOCKED, EXT_TRANSMIT_NO_FRAME } from '../tcp/input-counters.ts'
import { emitOptions, optionsLength } from '../tcp/options.ts'
import { FIN, PSH, type Segment, SYN } from '../tcp/segment.ts'
import { SYN_RECEIVED } from '../tcp/state.ts'
import * as tcp from '../tcp/wire.ts'
import type { Incoming } from './incoming.ts'
import type { Output } from './output.ts'
import { NO_OFFLOAD, type Path, type SendResult } from './path.ts'
import type { TcpContext } from './tcp-context.ts'
import type { TcpEndpoint } from './tcp-endpoint.ts'

/** Segments, or super-segments, that a connection sends before the next one has its turn. */
const QUOTA = 8
/** Entries of the longest packet that is made, its headers among them. */
const LONGEST_CHAIN = 64

// How a connection's turn ended.
/** It has nothing to send now. */
const DONE = 0
/** It has more. */
const MORE = 1
/** It has more, but the device or the pool has no room. */
const BLOCKED = 2

/**
 * From segments to packets. Connections that may have something to send take turns, so that none starves; what the device has
 * no room for is not asked for, so that nothing is lost here and the connection stays in the list.
 */
export class TcpOutput {
  readonly #tcp: TcpContext
  readonly #output: Output
  readonly #chain = new FrameChain(LONGEST_CHAIN - 1)
  /** Called for a connection that has nothing more to send. */
  readonly #settled: (endpoint: TcpEndpoint) => void
  /** Segments that a round sends at most. */
  readonly #burst: number
  /** Segments that are left of it. */
  #budget = 0

  constructor(context: TcpContext, output: Output, burst: number, settled: (endpoint: TcpEndpoint) => void) {
    this.#tcp = context
    this.#output = output
    this.#burst = burst
    this.#settled = settled
  }

  /**
   * A round begins. What it sends is bounded by what a receiver takes in one, so that a thousand connections that all have
   * something to say at once do not overrun its ring; the rest has its turn in the next round, which follows at once.
   */
  beginRound(): void {
    this.#budget = this.#burst
  }

  /** Turns of all that are ready, until none has anything to send, those that have are blocked, or the round is over. */
  run(): void {
    const { ready } = this.#tcp
    let blocked = 0
    while (ready.size > blocked && this.#budget > 0) {
      const endpoint = ready.shift()
      const turn = this.#turn(endpoint)
      if (turn === DONE) {
        endpoint.isReady = false
        blocked = 0
        this.#settled(endpoint)
        continue
      }
      ready.push(endpoint)
      blocked = turn === BLOCKED ? blocked + 1 : 0
    }
  }

  /** A segment without a connection, back to where `incoming` came from. */
  answer(incoming: Incoming, segment: Segment): void {
    const { pool, memory } = this.#tcp
    const { interface: iface, source, destination } = incoming
    if (incoming.ethernet < 0) {
      this.send(this.#output.pathTo(destination, source), segment, portsOf(incoming), 0)
      return
    }
    const frame = pool.allocateForDevice()
    if (frame < 0) {
      this.#tcp.inputCounters.values[EXT_TRANSMIT_NO_FRAME]++
      return
    }
    const ipHeader = incoming.family === 4 ? ipv4.HEADER_LENGTH : ipv6.HEADER_LENGTH
    const at = pool.address(frame) + pool.headroom + iface.linkHeader + ipHeader
    const length = this.#writeHeader(at, segment, portsOf(incoming))
    const pseudo = ipv6.addressSum(destination, source) + ipv4.PROTOCOL_TCP + length
    const offload = iface.deviceComputes
    tcp.setChecksum(memory.view, at, offload ? fold(pseudo) : ~fold(pseudo + sumBytes(memory, at, length)) & 0xffff)
    const sum = offload ? tcp.CHECKSUM : NO_OFFLOAD
    this.#output.answer(incoming, frame, at, length, ipv4.PROTOCOL_TCP, 0, 0, sum)
  }

  /** A segment without payload and without a connection, by a path of its own. */
  send(path: Path, segment: Segment, ports: number, hopLimit: number): void {
    if (path.failure !== undefined) return
    const frame = this.#tcp.pool.allocateForDevice()
    if (frame < 0) {
      this.#tcp.inputCounters.values[EXT_TRANSMIT_NO_FRAME]++
      return
    }
    const at = this.#tcp.pool.address(frame) + path.headroom
    this.#finish(path, frame, at, this.#writeHeader(at, segment, ports), segment, hopLimit)
  }

  #turn(endpoint: TcpEndpoint): number {
    const { connection, path } = endpoint
    const { now, sent, stack } = this.#tcp
    if (path.generation !== stack.generation) endpoint.followPath(now)
    for (let i = 0; i < QUOTA && this.#budget > 0; i++) {
      if (!this.#hasRoom(path)) return BLOCKED
      if (!connection.dispatch(now, sent)) {
        if (connection.events !== 0) this.#tcp.stir(endpoint)
        return DONE
      }
      if (sent.segmentSize > 0) {
        this.#budget -= Math.ceil(sent.length / sent.segmentSize)
        this.#sendSuper(endpoint, sent)
      } else {
        this.#budget--
        this.#sendSegment(endpoint, sent)
      }
    }
    return MORE
  }

  /** Whether the next segment can be sent whatever it is: nobody is asked for one that would be lost. */
  #hasRoom(path: Path): boolean {
    const { pool, inputCounters } = this.#tcp
    // Near the end of the pool only as much is sent as the device takes at once: frames come back with it.
    if (pool.available === 0 || (pool.belowWatermark && path.link.tx.waiting > 0)) {
      inputCounters.values[EXT_TRANSMIT_NO_FRAME]++
      return false
    }
    if (path.room >= LONGEST_CHAIN) return true
    if (!path.backlogged && path.room >= Math.min(LONGEST_CHAIN, path.link.tx.burst.capacity)) return true
    inputCounters.values[EXT_TRANSMIT_BLOCKED]++
    return false
  }

  /** Headers and payload in one fresh frame. */
  #sendSegment(endpoint: TcpEndpoint, segment: Segment): void {
    const { pool, memory } = this.#tcp
    const { path, connection } = endpoint
    const frame = pool.allocateForDevice()
    const at = pool.address(frame) + path.headroom
    const header = this.#writeHeader(at, segment, endpoint.ports)
    const { length } = segment
    if (length > 0) connection.sendQueue.copyOut(segment.sequence, length, memory.bytes, at + header)
    this.#report(endpoint, this.#finish(path, frame, at, header + length, segment, endpoint.hopLimit))
  }

  #finish(path: Path, frame: number, at: number, length: number, segment: Segment, hopLimit: number): SendResult {
    const { memory } = this.#tcp
    const pseudo = path.pseudoSum + ipv4.PROTOCOL_TCP + length
    if (path.computesChecksum) {
      tcp.setChecksum(memory.view, at, fold(pseudo))
      return path.send(frame, at, length, ipv4.PROTOCOL_TCP, hopLimit, segment.ecn, tcp.CHECKSUM, 0)
    }
    tcp.setChecksum(memory.view, at, ~fold(pseudo + sumBytes(memory, at, length)) & 0xffff)
    return path.send(frame, at, length, ipv4.PROTOCOL_TCP, hopLimit, segment.ecn, NO_OFFLOAD, 0)
  }

  /**
   * A super-segment, whose payload stays where it is: the device reads it from there. What does not fit one chain goes in several,
   * each of whole segments.
   */
  #sendSuper(endpoint: TcpEndpoint, segment: Segment): void {
    const { sendQueue } = endpoint.connection
    const { segmentSize } = segment
    const total = segment.length
    const start = segment.sequence
    const closing = segment.flags & (FIN | PSH)
    const chain = this.#chain
    for (let done = 0; done < total; ) {
      chain.clear()
      const most = Math.min(endpoint.path.maxChain - 1, chain.capacity)
      const covered = seekBounded(endpoint.connection, (start + done) | 0, total - done, chain, most)
      const rest = total - done
      const length = covered === rest ? rest : covered - (covered % segmentSize)
      segment.sequence = (start + done) | 0
      if (length === 0) {
        // Slices so short that a chain of them holds less than a segment: this one is copied.
        segment.length = Math.min(segmentSize, rest)
        segment.flags = (segment.flags & ~(FIN | PSH)) | (segment.length === rest ? closing : 0)
        this.#sendSegment(endpoint, segment)
        done += segment.length
        continue
      }
      if (length < covered) {
        chain.clear()
        sendQueue.seek(segment.sequence, length, chain)
      }
      segment.length = length
      segment.flags = (segment.flags & ~(FIN | PSH)) | (length === rest ? closing : 0)
      this.#sendChain(endpoint, segment, chain)
      done += length
    }
  }

  #sendChain(endpoint: TcpEndpoint, segment: Segment, chain: FrameChain): void {
    const { pool, memory, inputCounters } = this.#tcp
    const { path } = endpoint
    const frame = pool.allocateForDevice()
    if (frame < 0) {
      inputCounters.values[EXT_TRANSMIT_NO_FRAME]++
      return
    }
    inputCounters.values[EXT_SUPER_SEGMENTS_SENT]++
    for (let i = 0; i < chain.count; i++) pool.retain(chain.frame[i])
    const at = pool.address(frame) + path.headroom
    const header = this.#writeHeader(at, segment, endpoint.ports)
    const length = header + segment.length
    tcp.setChecksum(memory.view, at, fold(path.pseudoSum + ipv4.PROTOCOL_TCP + length))
    const size = segment.length > segment.segmentSize ? segment.segmentSize : 0
    const { hopLimit } = endpoint
    const { ecn } = segment
    this.#report(
      endpoint,
      path.sendChain(frame, at, header, header, chain, ipv4.PROTOCOL_TCP, hopLimit, ecn, tcp.CHECKSUM, size),
    )
  }

  /** Header and options at `at`; returns their length. The checksum is still 0. */
  #writeHeader(at: number, segment: Segment, ports: number): number {
    const { view } = this.#tcp.memory
    this.#tcp.counters.values[TCP_OUT_SEGS]++
    const header = tcp.HEADER_LENGTH + optionsLength(segment)
    tcp.emitHeader(view, at, segment, ports & 0xffff, ports >>> 16, header)
    if (header > tcp.HEADER_LENGTH) emitOptions(view, at + tcp.HEADER_LENGTH, segment)
    return header
  }

  /** A next hop that does not answer ends an attempt to connect; an open connection tries again (RFC 1122 section 4.2.3.9). */
  #report(endpoint: TcpEndpoint, result: SendResult): void {
    if (result === 'sent' || result === 'waiting') return
    const { connection } = endpoint
    if (connection.state > SYN_RECEIVED || (this.#tcp.sent.flags & SYN) === 0) return
    if (result === 'EHOSTUNREACH' || result === 'ENETUNREACH') connection.abort(result)
  }
}

/** As `SendQueue.seek`, with at most `most` slices. */
function seekBounded(
  connection: Connection,
  sequence: number,
  length: number,
  chain: FrameChain,
  most: number,
): number {
  let covered = connection.sendQueue.seek(sequence, length, chain)
  while (chain.count > most) covered -= chain.length[--chain.count]
  return covered
}

/** Ports of the answer to a packet: as a connection's, remote in the upper half. */
function portsOf(incoming: Incoming): number {
  return tcp.ports(incoming.memory.view, incoming.transport)
}
