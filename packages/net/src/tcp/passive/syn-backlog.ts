import type { Handshake } from '../connection/handshake.ts'
import type { Instant } from '../segment.ts'

// Words of a record
const LOCAL = 0
const REMOTE = 4
const PORTS = 8
const LISTENER = 9
const LOCAL_SEQUENCE = 10
const REMOTE_SEQUENCE = 11
const MSS = 12
/** The peer's window scale + 1, and flags. */
const OPTIONS = 13
const TIMESTAMP_RECENT = 14
const TIMESTAMP_OFFSET = 15
const ATTEMPTS = 16
const PREVIOUS = 17
const NEXT = 18
/** Millisecond, wrapping, of the last ACK that anybody could provoke; see `mayAnswer`. */
const ANSWERED = 19
const STRIDE = 20

const SCALE_MASK = 0x0f
const HAS_SACK = 0x10
const HAS_TIMESTAMPS = 0x20
const HAS_ECN = 0x40
/** The SYN+ACK was sent again because the SYN came again. */
const IS_REPEATED = 0x80
/** `ANSWERED` holds a time. */
const HAS_ANSWERED = 0x100

const FIRST_CAPACITY = 16
/** No record. */
export const NO_RECORD = -1

/**
 * Connections in SYN-RECEIVED that a listener waits for, as records of 88 bytes in typed arrays. Bounded; aged with the
 * retransmission of the SYN+ACK, which doubles its time-out from one attempt to the next: records of the same attempt
 * wait equally long, so each attempt has one list, in the order of its deadlines, and no record is ever searched for.
 */
export class SynBacklog {
  readonly capacity: number
  /** Records in use. */
  count = 0
  readonly #retries: number
  readonly #timeout: number
  #words = new Int32Array(0)
  #deadlines = new Float64Array(0)
  #free = NO_RECORD
  readonly #heads: Int32Array
  readonly #tails: Int32Array

  /**
   * @param retries times that a SYN+ACK is sent again before its record is given up
   * @param timeout until the first time, in ns
   */
  constructor(capacity: number, retries: number, timeout: number) {
    this.capacity = capacity
    this.#retries = retries
    this.#timeout = timeout
    this.#heads = new Int32Array(retries + 1).fill(NO_RECORD)
    this.#tails = new Int32Array(retries + 1).fill(NO_RECORD)
  }

  /** A record for a SYN that is about to be answered; `NO_RECORD` when all are in use. `agreed` holds the options of both. */
  add(local: Int32Array, remote: Int32Array, ports: number, listener: number, agreed: Handshake, now: Instant): number {
    if (this.#free === NO_RECORD && !this.#grow()) return NO_RECORD
    const record = this.#free
    const words = this.#words
    const at = record * STRIDE
    this.#free = words[at + NEXT]
    for (let i = 0; i < 4; i++) {
      words[at + LOCAL + i] = local[i]
      words[at + REMOTE + i] = remote[i]
    }
    words[at + PORTS] = ports
    words[at + LISTENER] = listener
    words[at + LOCAL_SEQUENCE] = agreed.localSequence
    words[at + REMOTE_SEQUENCE] = agreed.remoteSequence
    words[at + MSS] = agreed.mss
    words[at + OPTIONS] =
      (agreed.windowScale + 1) |
      (agreed.sackPermitted ? HAS_SACK : 0) |
      (agreed.timestamps ? HAS_TIMESTAMPS : 0) |
      (agreed.ecn ? HAS_ECN : 0)
    words[at + TIMESTAMP_RECENT] = agreed.timestampRecent
    words[at + TIMESTAMP_OFFSET] = agreed.timestampOffset
    words[at + ATTEMPTS] = 0
    this.#link(record, 0, now)
    this.count++
    return record
  }

  remove(record: number): void {
    this.#unlink(record)
    this.#words[record * STRIDE + NEXT] = this.#free
    this.#free = record
    this.count--
  }

  /** A record whose SYN+ACK is to be sent again, or which is to be given up (`isSpent`); `NO_RECORD` when none is due. */
  due(now: Instant): number {
    for (let attempt = 0; attempt <= this.#retries; attempt++) {
      const record = this.#heads[attempt]
      if (record !== NO_RECORD && this.#deadlines[record] <= now[0]) return record
    }
    return NO_RECORD
  }

  /** When the next record will be due; `Infinity` for never. */
  get deadline(): number {
    let first = Number.POSITIVE_INFINITY
    for (let attempt = 0; attempt <= this.#retries; attempt++) {
      const record = this.#heads[attempt]
      if (record !== NO_RECORD) first = Math.min(first, this.#deadlines[record])
    }
    return first
  }

  /** Its SYN+ACK was sent as often as is allowed. */
  isSpent(record: number): boolean {
    return this.#words[record * STRIDE + ATTEMPTS] === this.#retries
  }

  /** The SYN+ACK goes out once more, because of its timer: twice the time until the next. */
  again(record: number, now: Instant): void {
    this.#unlink(record)
    const attempts = ++this.#words[record * STRIDE + ATTEMPTS]
    this.#link(record, attempts, now)
  }

  /** The SYN+ACK goes out once more, because the SYN came again: its round trip cannot be told any more. */
  repeated(record: number): void {
    this.#words[record * STRIDE + OPTIONS] |= IS_REPEATED
  }

  /** Whether an ACK that anybody could provoke may be sent: one within `interval` (RFC 5961 section 7). */
  mayAnswer(record: number, interval: number, now: Instant): boolean {
    const words = this.#words
    const at = record * STRIDE
    const millisecond = (now[0] / 1e6) | 0
    const elapsed = (millisecond - words[at + ANSWERED]) | 0
    if ((words[at + OPTIONS] & HAS_ANSWERED) !== 0 && elapsed >= 0 && elapsed * 1e6 < interval) return false
    words[at + OPTIONS] |= HAS_ANSWERED
    words[at + ANSWERED] = millisecond
    return true
  }

  listener(record: number): number {
    return this.#words[record * STRIDE + LISTENER]
  }

  ports(record: number): number {
    return this.#words[record * STRIDE + PORTS]
  }

  localSequence(record: number): number {
    return this.#words[record * STRIDE + LOCAL_SEQUENCE]
  }

  remoteSequence(record: number): number {
    return this.#words[record * STRIDE + REMOTE_SEQUENCE]
  }

  timestampRecent(record: number): number {
    return this.#words[record * STRIDE + TIMESTAMP_RECENT]
  }

  hasTimestamps(record: number): boolean {
    return (this.#words[record * STRIDE + OPTIONS] & HAS_TIMESTAMPS) !== 0
  }

  /** Copies the two addresses. */
  addresses(record: number, local: Int32Array, remote: Int32Array): void {
    const at = record * STRIDE
    for (let i = 0; i < 4; i++) {
      local[i] = this.#words[at + LOCAL + i]
      remote[i] = this.#words[at + REMOTE + i]
    }
  }

  /** All that a connection has to know of its handshake, but `localWindowScale`, which follows from the listener. */
  handshake(record: number, into: Handshake): void {
    const words = this.#words
    const at = record * STRIDE
    const options = words[at + OPTIONS]
    into.localSequence = words[at + LOCAL_SEQUENCE]
    into.remoteSequence = words[at + REMOTE_SEQUENCE]
    into.mss = words[at + MSS]
    into.windowScale = (options & SCALE_MASK) - 1
    into.sackPermitted = (options & HAS_SACK) !== 0
    into.timestamps = (options & HAS_TIMESTAMPS) !== 0
    into.timestampOffset = words[at + TIMESTAMP_OFFSET]
    into.timestampRecent = words[at + TIMESTAMP_RECENT]
    into.retransmissions = words[at + ATTEMPTS]
    // A SYN+ACK that is sent again does without (RFC 3168 section 6.1.1.1), and which one arrives is not known.
    into.ecn = (options & HAS_ECN) !== 0 && into.retransmissions === 0
    const wasSentOnce = into.retransmissions === 0 && (options & IS_REPEATED) === 0
    into.sentAt[0] = wasSentOnce ? this.#deadlines[record] - this.#timeout : Number.NaN
  }

  /** The record after this one in some order of all, or the first for `NO_RECORD`; `NO_RECORD` at the end. */
  next(record: number): number {
    let attempt = 0
    if (record !== NO_RECORD) {
      const following = this.#words[record * STRIDE + NEXT]
      if (following !== NO_RECORD) return following
      attempt = this.#words[record * STRIDE + ATTEMPTS] + 1
    }
    while (attempt <= this.#retries && this.#heads[attempt] === NO_RECORD) attempt++
    return attempt > this.#retries ? NO_RECORD : this.#heads[attempt]
  }

  /** Any record of a listener, or `NO_RECORD`: for one that closes. */
  findOf(listener: number): number {
    let record = this.next(NO_RECORD)
    while (record !== NO_RECORD && this.listener(record) !== listener) record = this.next(record)
    return record
  }

  #link(record: number, attempt: number, now: Instant): void {
    const words = this.#words
    const last = this.#tails[attempt]
    words[record * STRIDE + PREVIOUS] = last
    words[record * STRIDE + NEXT] = NO_RECORD
    if (last === NO_RECORD) this.#heads[attempt] = record
    else words[last * STRIDE + NEXT] = record
    this.#tails[attempt] = record
    this.#deadlines[record] = now[0] + this.#timeout * 2 ** attempt
  }

  #unlink(record: number): void {
    const words = this.#words
    const at = record * STRIDE
    const attempt = words[at + ATTEMPTS]
    const previous = words[at + PREVIOUS]
    const next = words[at + NEXT]
    if (previous === NO_RECORD) this.#heads[attempt] = next
    else words[previous * STRIDE + NEXT] = next
    if (next === NO_RECORD) this.#tails[attempt] = previous
    else words[next * STRIDE + PREVIOUS] = previous
  }

  #grow(): boolean {
    const old = this.#deadlines.length
    const size = Math.min(this.capacity, Math.max(FIRST_CAPACITY, old * 2))
    if (size === old) return false
    const words = new Int32Array(size * STRIDE)
    const deadlines = new Float64Array(size)
    words.set(this.#words)
    deadlines.set(this.#deadlines)
    this.#words = words
    this.#deadlines = deadlines
    for (let record = size - 1; record >= old; record--) {
      words[record * STRIDE + NEXT] = this.#free
      this.#free = record
    }
    return true
  }
}
