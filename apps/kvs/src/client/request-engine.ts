import { partitionOf } from '@parakernel/mica'
import {
  DEFAULT_PAYLOAD_BYTES,
  PACKET_HEADER_BYTES,
  pad8,
  RESULT_COOKIE_REQUIRED,
  RESULT_WRONG_PARTITION,
} from '../protocol/native/layout.ts'
import {
  type OperationFields,
  requestBytes,
  writeOperation,
  writeRequestHeader,
} from '../protocol/native/request-writer.ts'
import { ResponseReader } from '../protocol/native/response-reader.ts'
import { PacketTable } from './packet-table.ts'
import type { ClientTransport } from './transport.ts'

/** Result of an operation that stayed unanswered through all its retries. Not on the wire. */
export const RESULT_TIMED_OUT = 64
/** Result of an operation that was pending when the client was closed. Not on the wire. */
export const RESULT_CLOSED = 65

/** `reserve` found no free slot or packet: handle responses first. */
export const BUSY = -1

/**
 * An operation is over. `tag` is what `reserve` was given; `response` holds result, value position and version, and is
 * valid during the call (after a time-out its value is empty); `bytes` is where `response.valueOffset` points into.
 * `resent`: the operation was sent more than once, so a write may have run more than once.
 */
export type Completed = (
  tag: number,
  result: number,
  response: ResponseReader,
  bytes: Uint8Array,
  resent: boolean,
) => void

export interface RequestEngineOptions {
  /** Operations outstanding at most, a power of two up to 65,536; default 1024. */
  readonly outstanding?: number
  /** Operations in a datagram at most; default 16. */
  readonly batch?: number
  /** Milliseconds until the first retry at least: longer where answers take longer. Doubled for each further one. Default 20. */
  readonly timeout?: number
  /** Times that an unanswered operation is sent again; default 8. */
  readonly retries?: number
  /** Partitions of the server until it says otherwise; default 1. */
  readonly partitions?: number
}

export interface ClientStatistics {
  readonly operations: number
  readonly datagramsSent: number
  readonly datagramsReceived: number
  /** Datagrams sent again. */
  readonly retries: number
  readonly timeouts: number
  /** Responses to operations that were over: duplicates, and answers to an earlier sending. Ignored. */
  readonly lateResponses: number
  /** Datagrams that are no response, or end too early. Ignored as far as they cannot be read. */
  readonly malformedResponses: number
  /** Operations repeated because the server wanted a cookie. */
  readonly cookieRetries: number
  readonly sendDrops: number
}

const NO_BYTES = new Uint8Array(0)

/**
 * Packets on their way to a partition from which on one that is not full waits: for more operations, or for an answer. As
 * Nagle's algorithm does; otherwise every answer would set off packets as small as its share for each partition, ever
 * smaller ones.
 */
const PARTIAL_PACKETS = 4

/**
 * The client below its faces: outstanding operations in slots, batched into a packet for each partition, matched to
 * responses by their opaque, sent again when nothing comes. Allocates nothing for an operation.
 *
 * An opaque is a slot and that slot's generation. Slots are reused first in, first out, so an opaque comes back only
 * after 2^32 operations, and an answer that late is taken for no other's.
 */
export class RequestEngine {
  /** Key and value of what `reserve` returned are written here. */
  readonly bytes: Uint8Array
  readonly view: DataView
  partitions: number
  readonly #transport: ClientTransport
  readonly #completed: Completed
  readonly #batch: number
  readonly #payload: number
  readonly #packets: PacketTable
  readonly #reader = new ResponseReader()
  readonly #empty = new ResponseReader()

  // Slots.
  readonly #slotBits: number
  readonly #generation: Int32Array
  /** Packet of the operation, -1 when the slot is free. */
  readonly #packet: Int32Array
  readonly #start: Int32Array
  readonly #length: Int32Array
  readonly #tag: Int32Array
  /** Place in its packet's row. */
  readonly #entry: Int32Array
  /** Free slots, a ring. */
  readonly #free: Int32Array
  #freeHead = 0
  #freeCount: number

  /** Packet that is being filled, by partition; -1 for none. */
  #filling: Int32Array
  /** Packets on their way, by partition. */
  #onTheirWay: Int32Array
  /** 1 where a flush left operations to wait, by partition. */
  #waiting: Int32Array
  #cookieLo = 0
  #cookieHi = 0
  #sequence = 0
  #closed = false

  #operations = 0
  #datagramsReceived = 0
  #timeouts = 0
  #late = 0
  #malformed = 0
  #cookieRetries = 0

  constructor(transport: ClientTransport, completed: Completed, options: RequestEngineOptions = {}) {
    const { outstanding = 1024, batch = 16, timeout = 20, retries = 8, partitions = 1 } = options
    this.#transport = transport
    this.#completed = completed
    this.#batch = batch
    this.#payload = Math.min(transport.maxPayload, DEFAULT_PAYLOAD_BYTES) & ~7
    this.partitions = partitions
    this.#slotBits = Math.ceil(Math.log2(outstanding))
    const slots = 1 << this.#slotBits
    // Every operation may travel alone, and each partition has a packet that is being filled.
    this.#packets = new PacketTable(slots + 64, this.#payload, batch, timeout * 1e6, retries)
    this.bytes = this.#packets.bytes
    this.view = this.#packets.view
    this.#generation = new Int32Array(slots)
    this.#packet = new Int32Array(slots).fill(-1)
    this.#start = new Int32Array(slots)
    this.#length = new Int32Array(slots)
    this.#tag = new Int32Array(slots)
    this.#entry = new Int32Array(slots)
    this.#free = Int32Array.from({ length: slots }, (_, slot) => slot)
    this.#freeCount = slots
    this.#filling = new Int32Array(partitions).fill(-1)
    this.#onTheirWay = new Int32Array(partitions)
    this.#waiting = new Int32Array(partitions)
    transport.start((view, bytes, at, length) => this.#receive(view, bytes, at, length))
  }

  get outstanding(): number {
    return this.#free.length - this.#freeCount
  }

  get capacity(): number {
    return this.#free.length
  }

  /** Longest value that fits in a datagram with a key of `keyLength` bytes. */
  longestValue(keyLength: number): number {
    return this.#payload - PACKET_HEADER_BYTES - requestBytes(keyLength, 0, true)
  }

  /**
   * Adds an operation to its partition's packet and returns the address in `bytes` at which the caller at once writes
   * the key, and the value `pad8(keyLength)` behind it. `BUSY` when too many are outstanding. The caller has checked the
   * lengths against `longestValue`.
   */
  reserve(fields: OperationFields, tag: number): number {
    if (this.#freeCount === 0 || this.#closed) return BUSY
    const packets = this.#packets
    const partition = this.partitions === 1 ? 0 : partitionOf(fields.hashHi, this.partitions)
    const length = requestBytes(fields.keyLength, fields.valueLength, fields.extended)
    let packet = this.#filling[partition]
    if (packet >= 0 && (packets.count[packet] >= this.#batch || packets.length[packet] + length > this.#payload)) {
      this.#seal(partition)
      packet = -1
    }
    if (packet < 0) {
      packet = packets.open(partition)
      if (packet < 0) return BUSY
      this.#filling[partition] = packet
    }
    const slot = this.#free[this.#freeHead]
    this.#freeHead = (this.#freeHead + 1) & (this.#free.length - 1)
    this.#freeCount--
    const at = packets.address(packet) + packets.length[packet]
    fields.opaque = slot | (this.#generation[slot] << this.#slotBits)
    this.#packet[slot] = packet
    this.#start[slot] = at
    this.#length[slot] = length
    this.#tag[slot] = tag
    this.#entry[slot] = packets.add(packet, slot, length)
    this.#operations++
    const key = writeOperation(this.view, at, fields)
    // Padding is part of the words that the other side reads.
    const tail = fields.keyLength & 7
    if (tail !== 0) this.#clear(key + fields.keyLength, 8 - tail)
    if ((fields.valueLength & 7) !== 0) {
      this.#clear(key + pad8(fields.keyLength) + fields.valueLength, 8 - (fields.valueLength & 7))
    }
    return key
  }

  /**
   * Sends what waits, but for operations that would fill only a part of a packet to a partition that has answers to give: those
   * go with the next answer, at the next `poll`, or when the packet is full.
   */
  flush(): void {
    for (let partition = 0; partition < this.#filling.length; partition++) {
      if (this.#onTheirWay[partition] < PARTIAL_PACKETS) this.#seal(partition)
      else this.#waiting[partition] = 1
    }
    this.#transport.flush()
  }

  /** After answers came: sends what a `flush` passed over. */
  #flushWaiting(): void {
    for (let partition = 0; partition < this.#filling.length; partition++) {
      if (this.#waiting[partition] === 1 && this.#onTheirWay[partition] < PARTIAL_PACKETS) this.#seal(partition)
    }
    this.#transport.flush()
  }

  /** Asks partition 0 for the number of partitions and for a cookie; the answer updates this engine. */
  hello(): void {
    const packet = this.#packets.open(0)
    if (packet < 0) return
    const at = this.#packets.address(packet)
    writeRequestHeader(this.view, at, 0, this.#sequence++ | 0, this.#cookieLo, this.#cookieHi)
    this.#packets.datagrams++
    this.#transport.send(this.bytes, at, PACKET_HEADER_BYTES, 0)
    this.#transport.flush()
    this.#packets.close(packet)
  }

  /** Response datagrams so far: how a caller of `hello` sees that one came. */
  get received(): number {
    return this.#datagramsReceived
  }

  /** Sends what waited, sends again what is overdue, and gives up what was sent often enough. Call it every few milliseconds. */
  poll(): void {
    this.#sealAll()
    const packets = this.#packets
    const now = this.#transport.now()
    for (let packet = packets.firstDue(0, now); packet >= 0; packet = packets.firstDue(packet + 1, now)) {
      if (packets.mayRetry(packet)) this.#resend(packet, now)
      else this.#giveUp(packet, RESULT_TIMED_OUT)
    }
    this.#transport.flush()
  }

  /** Completes everything that is pending with RESULT_CLOSED. The transport stays the caller's. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    for (let packet = 0; packet < this.#packets.capacity; packet++) {
      if (this.#packets.count[packet] > 0) this.#giveUp(packet, RESULT_CLOSED)
    }
  }

  statistics(): ClientStatistics {
    return {
      operations: this.#operations,
      datagramsSent: this.#packets.datagrams,
      datagramsReceived: this.#datagramsReceived,
      retries: this.#packets.resent,
      timeouts: this.#timeouts,
      lateResponses: this.#late,
      malformedResponses: this.#malformed,
      cookieRetries: this.#cookieRetries,
      sendDrops: this.#transport.sendDrops,
    }
  }

  #clear(at: number, count: number): void {
    for (let i = 0; i < count; i++) this.bytes[at + i] = 0
  }

  #seal(partition: number): void {
    this.#waiting[partition] = 0
    const packet = this.#filling[partition]
    if (packet < 0) return
    this.#filling[partition] = -1
    this.#onTheirWay[partition]++
    this.#send(packet, this.#transport.now())
  }

  #sealAll(): void {
    for (let partition = 0; partition < this.#filling.length; partition++) this.#seal(partition)
  }

  #send(packet: number, now: number): void {
    const packets = this.#packets
    const at = packets.address(packet)
    writeRequestHeader(this.view, at, packets.count[packet], this.#sequence, this.#cookieLo, this.#cookieHi)
    this.#sequence = (this.#sequence + 1) | 0
    packets.sent(packet, now)
    this.#transport.send(this.bytes, at, packets.length[packet], packets.partition[packet])
  }

  /** Moves the operations that are still unanswered together, and sends them. */
  #resend(packet: number, now: number): void {
    const packets = this.#packets
    const slots = packets.slots
    const base = packets.slotBase(packet)
    let at = packets.address(packet) + PACKET_HEADER_BYTES
    let kept = 0
    for (let i = 0; i < packets.entries[packet]; i++) {
      const slot = slots[base + i]
      if (slot < 0) continue
      this.bytes.copyWithin(at, this.#start[slot], this.#start[slot] + this.#length[slot])
      this.#start[slot] = at
      at += this.#length[slot]
      this.#entry[slot] = kept
      slots[base + kept++] = slot
    }
    packets.compact(packet, kept, at - packets.address(packet))
    this.#send(packet, now)
  }

  #giveUp(packet: number, result: number): void {
    const packets = this.#packets
    const base = packets.slotBase(packet)
    const resent = packets.attempts[packet] > 1
    const entries = packets.entries[packet]
    for (let i = 0; i < entries; i++) {
      const slot = packets.slots[base + i]
      if (slot < 0) continue
      this.#timeouts++
      const last = packets.count[packet] === 1
      const tag = this.#retire(slot)
      this.#completed(tag, result, this.#empty, NO_BYTES, resent)
      // The packet is free by now, and may hold operations that the callback added.
      if (last) return
    }
  }

  /** Frees an operation's slot, and its packet when it was the last of it; returns its tag. */
  #retire(slot: number): number {
    const packets = this.#packets
    const packet = this.#packet[slot]
    this.#packet[slot] = -1
    this.#generation[slot]++
    this.#free[(this.#freeHead + this.#freeCount) & (this.#free.length - 1)] = slot
    this.#freeCount++
    if (packets.remove(packet, this.#entry[slot])) {
      const partition = packets.partition[packet]
      if (this.#filling[partition] === packet) this.#filling[partition] = -1
      // Packets of before a `repartition` may go to a partition that is no more.
      else if (partition < this.#onTheirWay.length && this.#onTheirWay[partition] > 0) this.#onTheirWay[partition]--
    }
    return this.#tag[slot]
  }

  #receive(view: DataView, bytes: Uint8Array, at: number, length: number): void {
    const reader = this.#reader
    if (!reader.open(view, at, length)) {
      this.#malformed++
      return
    }
    this.#datagramsReceived++
    if ((reader.cookieLo | reader.cookieHi) !== 0) {
      this.#cookieLo = reader.cookieLo
      this.#cookieHi = reader.cookieHi
    }
    if (reader.partitions !== this.partitions && reader.partitions > 0) this.#repartition(reader.partitions)
    const mask = this.#free.length - 1
    const now = this.#transport.now()
    let measured = false
    while (reader.next()) {
      const opaque = reader.operationOpaque
      const slot = opaque & mask
      if (this.#packet[slot] < 0 || opaque !== (slot | (this.#generation[slot] << this.#slotBits))) {
        this.#late++
        continue
      }
      const { result } = reader
      const packet = this.#packet[slot]
      if (result === RESULT_COOKIE_REQUIRED) {
        this.#cookieRetries++
        this.#packets.expedite(packet)
        continue
      }
      // The owner's ring was full: the time-out sends it again.
      if (result === RESULT_WRONG_PARTITION) continue
      const resent = this.#packets.attempts[packet] > 1
      if (!measured) {
        measured = true
        this.#packets.answered(packet, now)
      }
      const tag = this.#retire(slot)
      this.#completed(tag, result, reader, bytes, resent)
    }
    this.#flushWaiting()
    if (reader.truncated) this.#malformed++
    if (this.#packets.expedited) {
      this.#packets.expedited = false
      this.poll()
    }
  }

  #repartition(partitions: number): void {
    this.#sealAll()
    this.#transport.flush()
    this.partitions = partitions
    this.#filling = new Int32Array(partitions).fill(-1)
    this.#onTheirWay = new Int32Array(partitions)
    this.#waiting = new Int32Array(partitions)
  }
}
