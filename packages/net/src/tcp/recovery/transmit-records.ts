import type { Instant } from '../segment.ts'

/** The receiver reported it (RFC 2018); it stays until the cumulative acknowledgment passes it. */
export const SACKED = 1
/** Taken to have left the network without arriving. */
export const LOST = 2
/** A retransmission of it is in flight. */
export const RESENT = 4
/** It was sent more than once: an acknowledgment does not say which copy arrived (Karn). */
export const EVER_RESENT = 8

const STRIDE = 4
const SEQUENCE = 0
const END = 1
const FLAGS = 2
/** Number of its last transmission, to recognise entries of the retransmission log that are outdated. */
const SERIAL = 3

const SMALLEST = 8
/** Rings longer than this are given back when nothing is in flight. */
const KEPT = 64
const NO_INTEGERS = new Int32Array(0)
const NO_TIMES = new Float64Array(0)

/**
 * One record for each segment in flight, in sequence order without gaps: a ring of typed arrays, that starts empty and doubles.
 * A record is named by its position, an int32 that grows by one with each record and stays the same while the record lives.
 * Super-segments are told in pieces of a segment each, so that what a receiver can report by SACK is a record; a SACK that
 * ends within a record does not count for it, which costs at most a segment sent twice. Only `cut` divides records.
 *
 * The sums that make up the pipe (RFC 6675 section 4) are kept beside: a record counts once unless it is sacked or lost, and
 * once more while a retransmission of it is in flight.
 */
export class TransmitRecords {
  /** Position of the first record, and one past the last. */
  head = 0
  tail = 0
  /** SND.UNA and SND.NXT as far as told: first byte in flight, one past the last. */
  una = 0
  next = 0
  sackedBytes = 0
  sackedCount = 0
  lostBytes = 0
  resentBytes = 0
  #integers = NO_INTEGERS
  #times = NO_TIMES
  #mask = -1

  start(sequence: number): void {
    this.clear()
    this.una = sequence
    this.next = sequence
  }

  /** The next record begins here; there is none now. Positions go on, since others keep them. */
  continueAt(sequence: number): void {
    this.una = sequence
    this.next = sequence
  }

  get count(): number {
    return (this.tail - this.head) | 0
  }

  get isEmpty(): boolean {
    return this.tail === this.head
  }

  /** RFC 5681: bytes sent and not acknowledged cumulatively. */
  get flightSize(): number {
    return (this.next - this.una) | 0
  }

  /** RFC 6675: bytes that are thought to be in the network. */
  get pipe(): number {
    return ((this.next - this.una) | 0) - this.sackedBytes - this.lostBytes + this.resentBytes
  }

  /** Appends `length` bytes in records of at most `mss`. */
  push(length: number, mss: number, serial: number, now: Instant): void {
    const time = now[0]
    let sequence = this.next
    for (let left = length; left > 0; ) {
      if (((this.tail - this.head) | 0) > this.#mask) this.#grow()
      const size = Math.min(left, mss)
      const end = (sequence + size) | 0
      const slot = this.tail & this.#mask
      const at = slot * STRIDE
      const integers = this.#integers
      integers[at + SEQUENCE] = sequence
      integers[at + END] = end
      integers[at + FLAGS] = 0
      integers[at + SERIAL] = serial
      this.#times[slot] = time
      this.tail = (this.tail + 1) | 0
      sequence = end
      left -= size
    }
    this.next = sequence
  }

  sequenceOf(position: number): number {
    return this.#integers[(position & this.#mask) * STRIDE + SEQUENCE]
  }

  endOf(position: number): number {
    return this.#integers[(position & this.#mask) * STRIDE + END]
  }

  flagsOf(position: number): number {
    return this.#integers[(position & this.#mask) * STRIDE + FLAGS]
  }

  serialOf(position: number): number {
    return this.#integers[(position & this.#mask) * STRIDE + SERIAL]
  }

  lengthOf(position: number): number {
    const at = (position & this.#mask) * STRIDE
    return (this.#integers[at + END] - this.#integers[at + SEQUENCE]) | 0
  }

  /** When it was last sent, ns. */
  timeOf(position: number): number {
    return this.#times[position & this.#mask]
  }

  /** Position of the record that holds `sequence`; `tail` when it is at or beyond `next`, `head` when before `una`. */
  find(sequence: number): number {
    const { una, head } = this
    const offset = (sequence - una) | 0
    let low = 0
    let high = (this.tail - head) | 0
    const mask = this.#mask
    const integers = this.#integers
    while (low < high) {
      const middle = (low + high) >>> 1
      if (((integers[((head + middle) & mask) * STRIDE + END] - una) | 0) <= offset) low = middle + 1
      else high = middle
    }
    return (head + low) | 0
  }

  markSacked(position: number): void {
    const at = (position & this.#mask) * STRIDE
    const integers = this.#integers
    const flags = integers[at + FLAGS]
    const length = (integers[at + END] - integers[at + SEQUENCE]) | 0
    if ((flags & SACKED) !== 0) return
    if ((flags & LOST) !== 0) this.lostBytes -= length
    if ((flags & RESENT) !== 0) this.resentBytes -= length
    this.sackedBytes += length
    this.sackedCount++
    integers[at + FLAGS] = (flags & EVER_RESENT) | SACKED
  }

  /** The last copy of it is lost: nothing of it is in the network. */
  markLost(position: number): void {
    const at = (position & this.#mask) * STRIDE
    const integers = this.#integers
    const flags = integers[at + FLAGS]
    const length = (integers[at + END] - integers[at + SEQUENCE]) | 0
    if ((flags & LOST) === 0) this.lostBytes += length
    if ((flags & RESENT) !== 0) this.resentBytes -= length
    integers[at + FLAGS] = (flags & EVER_RESENT) | LOST
  }

  /** Sent again now. */
  markResent(position: number, serial: number, now: Instant): void {
    const slot = position & this.#mask
    const at = slot * STRIDE
    const integers = this.#integers
    const flags = integers[at + FLAGS]
    if ((flags & RESENT) === 0) this.resentBytes += (integers[at + END] - integers[at + SEQUENCE]) | 0
    integers[at + FLAGS] = flags | RESENT | EVER_RESENT
    integers[at + SERIAL] = serial
    this.#times[slot] = now[0]
  }

  /** It was not lost after all (undo). */
  clearLost(position: number): void {
    const at = (position & this.#mask) * STRIDE
    const integers = this.#integers
    if ((integers[at + FLAGS] & LOST) === 0) return
    this.lostBytes -= (integers[at + END] - integers[at + SEQUENCE]) | 0
    integers[at + FLAGS] &= ~LOST
  }

  /** The receiver dropped what it had reported (RFC 2018 section 8). */
  clearSacked(position: number): void {
    const at = (position & this.#mask) * STRIDE
    const integers = this.#integers
    if ((integers[at + FLAGS] & SACKED) === 0) return
    this.sackedBytes -= (integers[at + END] - integers[at + SEQUENCE]) | 0
    this.sackedCount--
    integers[at + FLAGS] &= ~SACKED
  }

  /** Removes the first record, or its bytes before `acknowledgment` when that is within it. */
  acknowledgeHead(acknowledgment: number): void {
    const at = (this.head & this.#mask) * STRIDE
    const integers = this.#integers
    const end = integers[at + END]
    const flags = integers[at + FLAGS]
    const whole = ((acknowledgment - end) | 0) >= 0
    const to = whole ? end : acknowledgment
    const length = (to - integers[at + SEQUENCE]) | 0
    if ((flags & SACKED) !== 0) {
      this.sackedBytes -= length
      if (whole) this.sackedCount--
    }
    if ((flags & LOST) !== 0) this.lostBytes -= length
    if ((flags & RESENT) !== 0) this.resentBytes -= length
    this.una = to
    if (whole) this.head = (this.head + 1) | 0
    else integers[at + SEQUENCE] = to
  }

  /**
   * Divides the record so that the first part has `length` bytes; both keep what was known. Positions after it grow by one:
   * whoever keeps positions must begin anew. Linear in the records behind it, for rare events only.
   */
  cut(position: number, length: number): void {
    if (((this.tail - this.head) | 0) > this.#mask) this.#grow()
    const integers = this.#integers
    const mask = this.#mask
    for (let to = this.tail; to !== position; to = (to - 1) | 0) {
      const from = ((to - 1) & mask) * STRIDE
      integers.copyWithin((to & mask) * STRIDE, from, from + STRIDE)
      this.#times[to & mask] = this.#times[(to - 1) & mask]
    }
    this.tail = (this.tail + 1) | 0
    const at = (position & mask) * STRIDE
    const middle = (integers[at + SEQUENCE] + length) | 0
    integers[at + END] = middle
    integers[(((position + 1) | 0) & mask) * STRIDE + SEQUENCE] = middle
    if ((integers[at + FLAGS] & SACKED) !== 0) this.sackedCount++
  }

  /** Forgets all records; a long ring is given back. */
  clear(): void {
    this.head = 0
    this.tail = 0
    this.una = this.next
    this.sackedBytes = 0
    this.sackedCount = 0
    this.lostBytes = 0
    this.resentBytes = 0
    this.trim()
  }

  /** Gives a long ring back when it is empty. */
  trim(): void {
    if (this.#mask < KEPT || this.head !== this.tail) return
    this.#integers = NO_INTEGERS
    this.#times = NO_TIMES
    this.#mask = -1
  }

  #grow(): void {
    const before = this.#mask + 1
    const size = before === 0 ? SMALLEST : before * 2
    const integers = new Int32Array(size * STRIDE)
    const times = new Float64Array(size)
    for (let position = this.head; position !== this.tail; position = (position + 1) | 0) {
      const from = (position & this.#mask) * STRIDE
      const to = position & (size - 1)
      for (let i = 0; i < STRIDE; i++) integers[to * STRIDE + i] = this.#integers[from + i]
      times[to] = this.#times[position & this.#mask]
    }
    this.#integers = integers
    this.#times = times
    this.#mask = size - 1
  }
}
