import { PACKET_HEADER_BYTES } from '../protocol/native/layout.ts'
import { RoundTrip } from './round-trip.ts'

/** Retries wait twice as long each time, but never longer than this many time-outs. */
const LONGEST_BACKOFF = 8

/**
 * Request packets from their first operation to the last answer, as columns. A packet's bytes stay here until all its
 * operations are answered, so that those that are not can be sent again.
 */
export class PacketTable {
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly capacity: number
  readonly partition: Int32Array
  /** Bytes so far, header included. */
  readonly length: Int32Array
  /** Unanswered operations. 0: the packet is free, or about to get its first. */
  readonly count: Int32Array
  /** Operations that were added, answered ones included: how far `slots` is valid. */
  readonly entries: Int32Array
  /** Times that it was sent. */
  readonly attempts: Int32Array
  /** Rows of operation slots, -1 where an operation was answered. */
  readonly slots: Int32Array
  /** A packet is due at once: see `expedite`. */
  expedited = false
  datagrams = 0
  resent = 0

  readonly #payload: number
  readonly #rowLength: number
  readonly #roundTrip: RoundTrip
  readonly #retries: number
  /** When it is to be sent again; Infinity while it is not on its way. */
  readonly #due: Float64Array
  /** When it was sent first. */
  readonly #sentAt: Float64Array
  readonly #free: Int32Array
  #freeCount: number

  constructor(capacity: number, payload: number, batch: number, timeout: number, retries: number) {
    this.capacity = capacity
    this.#payload = payload
    this.#rowLength = Math.max(batch, Math.ceil(payload / 32))
    this.#roundTrip = new RoundTrip(timeout)
    this.#retries = retries
    this.bytes = new Uint8Array(capacity * payload)
    this.view = new DataView(this.bytes.buffer)
    this.partition = new Int32Array(capacity)
    this.length = new Int32Array(capacity)
    this.count = new Int32Array(capacity)
    this.entries = new Int32Array(capacity)
    this.attempts = new Int32Array(capacity)
    this.slots = new Int32Array(capacity * this.#rowLength)
    this.#due = new Float64Array(capacity).fill(Infinity)
    this.#sentAt = new Float64Array(capacity)
    this.#free = Int32Array.from({ length: capacity }, (_, packet) => capacity - 1 - packet)
    this.#freeCount = capacity
  }

  address(packet: number): number {
    return packet * this.#payload
  }

  slotBase(packet: number): number {
    return packet * this.#rowLength
  }

  /** A packet without operations; -1 when all are in use. */
  open(partition: number): number {
    if (this.#freeCount === 0) return -1
    const packet = this.#free[--this.#freeCount]
    this.partition[packet] = partition
    this.length[packet] = PACKET_HEADER_BYTES
    this.count[packet] = 0
    this.entries[packet] = 0
    this.attempts[packet] = 0
    return packet
  }

  close(packet: number): void {
    this.#due[packet] = Infinity
    this.#free[this.#freeCount++] = packet
  }

  /** Returns the operation's place in the packet's row. */
  add(packet: number, slot: number, length: number): number {
    const entry = this.entries[packet]++
    this.slots[this.slotBase(packet) + entry] = slot
    this.count[packet]++
    this.length[packet] += length
    return entry
  }

  /** The operation at place `entry` was answered. True when it was the packet's last, which is then closed. */
  remove(packet: number, entry: number): boolean {
    this.slots[this.slotBase(packet) + entry] = -1
    if (--this.count[packet] > 0) return false
    this.close(packet)
    return true
  }

  /** What is left after answered operations were taken out. */
  compact(packet: number, entries: number, length: number): void {
    this.entries[packet] = entries
    this.count[packet] = entries
    this.length[packet] = length
  }

  sent(packet: number, now: number): void {
    const attempt = this.attempts[packet]++
    this.datagrams++
    if (attempt > 0) this.resent++
    else this.#sentAt[packet] = now
    this.#due[packet] = now + this.#roundTrip.timeout * Math.min(2 ** attempt, LONGEST_BACKOFF)
  }

  /** An answer to the packet came at `now`. */
  answered(packet: number, now: number): void {
    if (this.attempts[packet] === 1) this.#roundTrip.sample(now - this.#sentAt[packet])
  }

  mayRetry(packet: number): boolean {
    return this.attempts[packet] <= this.#retries
  }

  /** Makes the packet due at once. */
  expedite(packet: number): void {
    this.#due[packet] = 0
    this.expedited = true
  }

  /** The first packet from number `from` on that is due; -1 when there is none. */
  firstDue(from: number, now: number): number {
    const due = this.#due
    for (let packet = from; packet < this.capacity; packet++) if (due[packet] <= now) return packet
    return -1
  }
}
