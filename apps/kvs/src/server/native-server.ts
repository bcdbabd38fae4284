import { OP_NOOP, partitionOf, RESULT_NO_SPACE } from '@parakernel/mica'
import { type DatagramBurst, NO_REPLY } from '@parakernel/queue'
import { isWrite } from '../persist/store-journal.ts'
import {
  OPERATION_HEADER_BYTES,
  PACKET_HEADER_BYTES,
  STATUS_BAD_VERSION,
  STATUS_MALFORMED,
} from '../protocol/native/layout.ts'
import { NOT_A_REQUEST, RequestParser } from '../protocol/native/request-parser.ts'
import { ResponseWriter } from '../protocol/native/response-writer.ts'
import {
  C_BAD_VERSION,
  C_COOKIE_REQUIRED,
  C_FROM_SERVER_PORT,
  C_IN_PLACE,
  C_MALFORMED,
  C_NATIVE_DATAGRAMS,
  C_NATIVE_OPERATIONS,
  C_NO_FRAME,
  C_NOT_A_REQUEST,
  C_OVERFLOW,
  C_REALIGNED,
  C_SPARE,
  C_UNKNOWN,
} from './counters.ts'
import { ForeignReads, type StoreLocation } from './foreign-reads.ts'
import type { NativeHandOver } from './native-hand-over.ts'
import type { Replies } from './outbox.ts'
import { ALIGN_SLOT_BYTES, ALIGN_SLOTS, CHUNK, type PartitionState } from './partition-state.ts'
import { ReplyFrames } from './reply-frames.ts'

/**
 * The native protocol over receive bursts. Datagrams are parsed until a chunk of operations has gathered, the store
 * touches what all of them need, and then each datagram is executed and answered on its own.
 *
 * A reply lies in the frame of its request where the write cursor cannot pass what is still to be read: a single
 * operation, a packet that returns no values, or values that are no longer than their keys. Else it is built in a spare
 * frame.
 *
 * Budget: 110 ns an operation at 8-byte keys and values and 16 in a packet, everything included but the stack.
 */
export class NativeServer {
  readonly #state: PartitionState
  readonly #frames: ReplyFrames
  readonly #outbox: Replies
  readonly #parser: RequestParser
  readonly #writer: ResponseWriter
  readonly #handOver: NativeHandOver | undefined
  #reads: ForeignReads | undefined
  /** Longest value that the store holds, padded: values no longer than their keys fit in place. */
  readonly #longestValue: number

  // One row for each datagram of a chunk.
  readonly #first: Int32Array
  readonly #count: Int32Array
  readonly #status: Int32Array
  readonly #opaque: Int32Array
  readonly #address: Int32Array
  /** 1: the reply fits in place. 2: the peer is unproven. */
  readonly #flags: Uint8Array

  /** @param handOver for operations of other partitions; undefined in a machine of one */
  constructor(
    state: PartitionState,
    outbox: Replies,
    options: { readonly burst: number; readonly maxPayload?: number; readonly handOver?: NativeHandOver | undefined },
  ) {
    this.#state = state
    this.#outbox = outbox
    this.#frames = new ReplyFrames(state.pool, options.maxPayload)
    this.#parser = new RequestParser(state.batch)
    this.#writer = new ResponseWriter(state.batch, this.#parser, state.index, state.partitions)
    this.#handOver = options.handOver
    this.#longestValue = (state.store.geometry.maxValueBytes + 7) & ~7
    this.#first = new Int32Array(options.burst)
    this.#count = new Int32Array(options.burst)
    this.#status = new Int32Array(options.burst)
    this.#opaque = new Int32Array(options.burst)
    this.#address = new Int32Array(options.burst)
    this.#flags = new Uint8Array(options.burst)
  }

  /** The `DatagramHandler`: answers every datagram of the burst. */
  handle(burst: DatagramBurst, now: number): void {
    const { batch, store } = this.#state
    const milliseconds = Math.floor(now / 1e6)
    let d = 0
    while (d < burst.count) {
      const from = d
      batch.count = 0
      do {
        this.#read(burst, d, now, milliseconds)
        d++
      } while (d < burst.count && batch.count < CHUNK && d - from < ALIGN_SLOTS)
      if (batch.count > 0) store.prepare(batch, milliseconds)
      for (let answered = from; answered < d; answered++) this.#answer(burst, answered, now)
    }
    this.#outbox.flush()
  }

  #read(burst: DatagramBurst, d: number, now: number, milliseconds: number): void {
    const state = this.#state
    const parser = this.#parser
    const values = state.counters.values
    const length = burst.length[d]
    let address = burst.address[d]
    let moved = false
    burst.reply[d] = NO_REPLY
    values[C_NATIVE_DATAGRAMS]++
    this.#first[d] = state.batch.count
    this.#count[d] = NOT_A_REQUEST
    if (state.isServerPort(burst.peerPort[d])) {
      values[C_FROM_SERVER_PORT]++
      return
    }
    if ((address & 7) !== 0 && length <= ALIGN_SLOT_BYTES) {
      const aligned = state.alignAddress + (d & (ALIGN_SLOTS - 1)) * ALIGN_SLOT_BYTES
      state.pool.bytes.copyWithin(aligned, address, address + length)
      address = aligned
      moved = true
      values[C_REALIGNED]++
    }
    const count = (address & 7) === 0 ? parser.parse(address, length, milliseconds) : NOT_A_REQUEST
    if (count === NOT_A_REQUEST) {
      values[C_NOT_A_REQUEST]++
      return
    }
    values[C_NATIVE_OPERATIONS] += count
    const { status } = parser
    if (status === STATUS_MALFORMED) values[C_MALFORMED]++
    else if (status === STATUS_BAD_VERSION) values[C_BAD_VERSION]++
    const proven = state.guard.trusts(burst.peerAddress[d], burst.peerPort[d], now, parser.cookieLo, parser.cookieHi)
    let kept = count
    if (state.partitions > 1) {
      kept = this.#handAway(burst, d, count, proven, milliseconds)
      if (kept === 0 && count > 0) return
    }
    // What a write changed is read from its request after it ran: the reply must lie elsewhere.
    const keepsRequest = state.journal !== undefined && this.#admitWrites(this.#first[d], kept)
    const inPlace =
      !moved &&
      !keepsRequest &&
      (kept <= 1 || !parser.readsValues || this.#longestValue <= ((parser.shortestKey + 7) & ~7))
    this.#count[d] = kept
    this.#status[d] = status
    this.#opaque[d] = parser.packetOpaque
    this.#address[d] = address
    this.#flags[d] = (inPlace ? 1 : 0) | (proven ? 0 : 2)
  }

  /** Whether there are writes among the operations. Those that the journal has no room for are refused. */
  #admitWrites(first: number, count: number): boolean {
    const { batch, journal } = this.#state
    const isRefusing = journal?.isRefusing === true
    let writes = 0
    for (let i = first; i < first + count; i++) {
      if (!isWrite(batch.opcode[i])) continue
      writes++
      if (!isRefusing) continue
      this.#parser.forced[i] = RESULT_NO_SPACE
      batch.opcode[i] = OP_NOOP
    }
    if (isRefusing) journal?.refused(writes)
    return writes > 0 && !isRefusing
  }

  /** CREW: serves GETs of keys that other partitions own by reading their stores, which lie at `stores`. */
  readOthers(stores: readonly StoreLocation[]): void {
    this.#reads = new ForeignReads(this.#state, this.#frames, this.#writer, this.#outbox, stores)
  }

  /** Takes out what belongs to other partitions; returns how many operations are left. */
  #handAway(burst: DatagramBurst, d: number, count: number, proven: boolean, milliseconds: number): number {
    const { batch, index, partitions } = this.#state
    const first = this.#first[d]
    const { hashHi } = batch
    let wrong = 0
    for (let i = first; i < first + count; i++) if (partitionOf(hashHi[i], partitions) !== index) wrong++
    if (wrong === 0) return count
    let left = count
    if (this.#reads !== undefined && proven) left = this.#reads.take(this.#parser, burst, d, first, count, milliseconds)
    if (this.#handOver === undefined) return left
    return this.#handOver.take(this.#parser, burst, d, first, left)
  }

  #answer(burst: DatagramBurst, d: number, now: number): void {
    const count = this.#count[d]
    if (count === NOT_A_REQUEST) return
    const { batch, store, counters, pool } = this.#state
    const frames = this.#frames
    const writer = this.#writer
    const values = counters.values
    const unproven = (this.#flags[d] & 2) !== 0
    let frame = -1
    let base = this.#address[d]
    let room = burst.room[d]
    if ((this.#flags[d] & 1) === 0) {
      frame = pool.allocate()
      if (frame < 0) {
        values[C_NO_FRAME]++
        return
      }
      base = frames.address(frame)
      room = frames.room
    } else if (room > frames.room) room = frames.room
    if (unproven && burst.length[d] < room) room = burst.length[d] & ~7

    const from = this.#first[d]
    const to = from + count
    let at = from
    let end = base + PACKET_HEADER_BYTES
    let status = this.#status[d]
    let waitsFor = 0
    if (count > 0) {
      // Never less to an unproven address: each of its operations was at least as long as its header.
      batch.stopWhenFull = !unproven
      at = store.execute(batch, from, to, end, base + room, OPERATION_HEADER_BYTES)
      end = batch.outEnd
      waitsFor = this.#keep(from, at)
      if (waitsFor < 0) {
        // The log took nothing: of these writes nothing is promised.
        if (frame >= 0) pool.release(frame)
        return
      }
    }
    writer.header(base, at - from, status, this.#opaque[d])
    const withheld = writer.operations(from, at, unproven)
    values[C_UNKNOWN] += writer.unknown
    if (unproven) {
      const { jar } = this.#state.guard
      jar.mint(burst.peerAddress[d], burst.peerPort[d], now)
      if (withheld !== 0) {
        status = withheld
        writer.header(base, at - from, status, this.#opaque[d])
        values[C_COOKIE_REQUIRED]++
      }
      writer.cookie(base, jar.lo, jar.hi)
    }
    if (frame < 0) {
      burst.reply[d] = end - base
      values[C_IN_PLACE]++
    } else if (waitsFor > 0) {
      this.#hold(waitsFor, burst, d, frame, base, end - base)
      values[C_SPARE]++
    } else {
      frames.replyFrom(burst, d, frame, end - base)
      values[C_SPARE]++
    }
    if (at < to) this.#overflow(burst, d, at, to)
  }

  /** What did not fit in the first reply, in as many more as it takes. Only for a proven address. */
  #overflow(burst: DatagramBurst, d: number, from: number, to: number): void {
    const { batch, store, counters, pool } = this.#state
    const frames = this.#frames
    let at = from
    while (at < to) {
      const frame = pool.allocate()
      if (frame < 0) {
        // The rest was not executed; the client asks again.
        counters.values[C_NO_FRAME]++
        return
      }
      const base = frames.address(frame)
      const next = store.execute(batch, at, to, base + PACKET_HEADER_BYTES, base + frames.room, OPERATION_HEADER_BYTES)
      const end = batch.outEnd
      const waitsFor = this.#keep(at, next)
      if (waitsFor < 0) {
        pool.release(frame)
        return
      }
      this.#writer.header(base, next - at, this.#status[d], this.#opaque[d])
      this.#writer.operations(at, next, false)
      counters.values[C_UNKNOWN] += this.#writer.unknown
      if (waitsFor > 0) this.#hold(waitsFor, burst, d, frame, base, end - base)
      else this.#outbox.add(frame, base, end - base, burst.peerAddress[d], burst.peerPort[d])
      counters.values[C_OVERFLOW]++
      at = next
    }
  }

  /** What to wait for before requests `from` to `to` - 1 are answered; 0: nothing; negative: never. */
  #keep(from: number, to: number): number {
    const { journal, batch } = this.#state
    if (journal === undefined) return 0
    journal.record(batch, from, to)
    return journal.take()
  }

  #hold(sequence: number, burst: DatagramBurst, d: number, frame: number, address: number, length: number): void {
    const { peerAddress, peerPort } = burst
    this.#state.journal?.hold(sequence, frame, address, length, peerAddress[d], peerPort[d], this.#outbox)
  }
}
