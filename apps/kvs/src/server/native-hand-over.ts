import { OP_NOOP, partitionOf } from '@parakernel/mica'
import type { DatagramBurst } from '@parakernel/queue'
import { PACKET_HEADER_BYTES, pad8, RESULT_WRONG_PARTITION } from '../protocol/native/layout.ts'
import type { RequestParser } from '../protocol/native/request-parser.ts'
import { writeRequestHeader } from '../protocol/native/request-writer.ts'
import type { Channel } from './channel.ts'
import { C_HAND_OVER_REFUSED, C_HANDED_BACK, C_HANDED_IN, C_HANDED_OVER } from './counters.ts'
import { NativeServer } from './native-server.ts'
import type { Outbox, Replies } from './outbox.ts'
import type { PartitionState } from './partition-state.ts'
import { ReplyFrames } from './reply-frames.ts'
import { ENVELOPE, RingDatagram, writeEnvelope } from './ring-datagram.ts'

const KIND_REQUEST = 1
const KIND_RESPONSE = 2
const STAGING = 4096

/**
 * Takes native operations to the partition that owns their keys, and the replies back to the one that was asked, which
 * sends them from its own port. The operations of one datagram for one owner travel as a packet of their own, so the
 * owner runs them as if they had come from the network.
 */
export class NativeHandOver {
  readonly #state: PartitionState
  readonly #channel: Channel
  readonly #outbox: Outbox
  readonly #incoming: RingDatagram
  /** Runs what other partitions send. Built without a hand-over of its own: nothing is passed on twice. */
  readonly #guest: NativeServer
  readonly #staging = new Uint8Array(STAGING)
  readonly #stagingView = new DataView(this.#staging.buffer)
  readonly #reply = new Uint8Array(STAGING)
  readonly #replyView = new DataView(this.#reply.buffer)
  #guestOf = 0

  constructor(state: PartitionState, channel: Channel, outbox: Outbox, maxPayload?: number) {
    this.#state = state
    this.#channel = channel
    this.#outbox = outbox
    this.#incoming = new RingDatagram(state, new ReplyFrames(state.pool, maxPayload))
    const home = (from?: number) => {
      if (from !== undefined) this.#guestOf = from
      return this.#guestOf
    }
    const replies: Replies = {
      get origin() {
        return home()
      },
      set origin(from) {
        home(from)
      },
      add: (frame, address, length, peerAddress, peerPort) => {
        this.#answer(address, length, peerAddress, peerPort)
        state.pool.release(frame)
      },
      flush: () => {},
    }
    this.#guest = new NativeServer(state, replies, { burst: 1, ...(maxPayload === undefined ? {} : { maxPayload }) })
    channel.on(KIND_REQUEST, (from, message, length, now) => this.#request(from, message, length, now))
    channel.on(KIND_RESPONSE, (_from, message, length) => this.#response(message, length))
  }

  /**
   * Hands over those of the batch's operations `first` to `first + count - 1` that are not ours, closes the gaps that they
   * leave, and returns how many are left. What no ring has room for stays, with RESULT_WRONG_PARTITION as its answer.
   */
  take(parser: RequestParser, burst: DatagramBurst, d: number, first: number, count: number): number {
    const { batch, index, partitions, counters } = this.#state
    const end = first + count
    for (let owner = 0; owner < partitions; owner++) {
      if (owner === index) continue
      const operations = this.#gather(parser, first, end, owner)
      if (operations.count === 0) continue
      writeRequestHeader(
        this.#stagingView,
        ENVELOPE,
        operations.count,
        parser.packetOpaque,
        parser.cookieLo,
        parser.cookieHi,
      )
      writeEnvelope(this.#stagingView, burst.peerAddress[d], burst.peerPort[d])
      const sent = this.#channel.send(owner, KIND_REQUEST, this.#staging, operations.end)
      counters.values[sent ? C_HANDED_OVER : C_HAND_OVER_REFUSED] += operations.count
      if (!sent) this.#refuse(parser, first, end, owner)
    }
    let kept = first
    for (let i = first; i < end; i++) {
      const foreign = parser.forced[i] === 0 && partitionOf(batch.hashHi[i], partitions) !== index
      if (foreign) continue
      if (kept !== i) parser.move(kept, i)
      kept++
    }
    batch.count = kept
    return kept - first
  }

  #gather(parser: RequestParser, first: number, end: number, owner: number): { count: number; end: number } {
    const { batch, partitions, pool } = this.#state
    let at = ENVELOPE + PACKET_HEADER_BYTES
    let count = 0
    for (let i = first; i < end; i++) {
      if (parser.forced[i] !== 0 || partitionOf(batch.hashHi[i], partitions) !== owner) continue
      const start = parser.start[i]
      const stop = batch.valueAddress[i] + pad8(batch.valueLength[i])
      this.#staging.set(pool.bytes.subarray(start, stop), at)
      at += stop - start
      count++
    }
    return { count, end: at }
  }

  #refuse(parser: RequestParser, first: number, end: number, owner: number): void {
    const { batch, partitions } = this.#state
    for (let i = first; i < end; i++) {
      if (parser.forced[i] !== 0 || partitionOf(batch.hashHi[i], partitions) !== owner) continue
      parser.forced[i] = RESULT_WRONG_PARTITION
      batch.opcode[i] = OP_NOOP
    }
  }

  /** A packet of operations that are ours, from another partition. */
  #request(from: number, message: Uint8Array, length: number, now: number): void {
    const { pool, counters } = this.#state
    if (!this.#incoming.open(message, length)) return
    const { burst } = this.#incoming
    this.#guestOf = from
    counters.values[C_HANDED_IN]++
    this.#guest.handle(burst, now)
    if (burst.reply[0] > 0) {
      const elsewhere = burst.replyFrame[0] >= 0
      const reply = elsewhere ? burst.replyAddress[0] : burst.address[0]
      this.#answer(reply, burst.reply[0], burst.peerAddress[0], burst.peerPort[0])
      if (elsewhere) pool.release(burst.replyFrame[0])
    }
    pool.release(burst.frame[0])
  }

  #answer(address: number, length: number, peerAddress: number, peerPort: number): void {
    writeEnvelope(this.#replyView, peerAddress, peerPort)
    this.#reply.set(this.#state.pool.bytes.subarray(address, address + length), ENVELOPE)
    const sent = this.#channel.send(this.#guestOf, KIND_RESPONSE, this.#reply, ENVELOPE + length)
    if (!sent) this.#state.counters.values[C_HAND_OVER_REFUSED]++
  }

  /** A reply that comes back: out it goes. */
  #response(message: Uint8Array, length: number): void {
    if (!this.#incoming.open(message, length)) return
    const { frame, address, length: bytes, peerAddress, peerPort } = this.#incoming.burst
    this.#state.counters.values[C_HANDED_BACK]++
    this.#outbox.add(frame[0], address[0], bytes[0], peerAddress[0], peerPort[0])
    this.#outbox.flush()
  }
}
