import type { Instant } from '../segment.ts'

// Words of a record
const LOCAL = 0
const REMOTE = 4
const PORTS = 8
const SEND_NEXT = 9
const RECEIVE_NEXT = 10
const WINDOW = 11
const TIMESTAMP_RECENT = 12
const TIMESTAMP_OFFSET = 13
const HAS_TIMESTAMPS = 14
const PREVIOUS = 15
const NEXT = 16
const STRIDE = 17

const FIRST_CAPACITY = 16
export const NO_TIME_WAIT = -1

/** What is left of a connection that both sides have closed. Made once, to hand it over and to read it. */
export class TimeWaitState {
  readonly local = new Int32Array(4)
  readonly remote = new Int32Array(4)
  ports = 0
  /** SND.NXT, our FIN included. */
  sendNext = 0
  /** RCV.NXT, the peer's FIN included. */
  receiveNext = 0
  /** As our last segment had it, not scaled. */
  window = 0
  hasTimestamps = false
  timestampRecent = 0
  timestampOffset = 0
}

/**
 * Connections in TIME-WAIT as records of 84 bytes, all waiting equally long: a list in the order of their ends. When the
 * table is full, the oldest ends early, which the caller counts.
 */
export class TimeWaitTable {
  readonly capacity: number
  count = 0
  readonly #duration: number
  #words = new Int32Array(0)
  /** Element 2i: the end of record i. Element 2i + 1: when its last ACK was sent that somebody else may have provoked. */
  #times = new Float64Array(0)
  #free = NO_TIME_WAIT
  #head = NO_TIME_WAIT
  #tail = NO_TIME_WAIT

  /** @param duration 2 MSL, in ns */
  constructor(capacity: number, duration: number) {
    this.capacity = capacity
    this.#duration = duration
  }

  get isFull(): boolean {
    return this.count === this.capacity
  }

  /** The record that ends first, or `NO_TIME_WAIT`. */
  get oldest(): number {
    return this.#head
  }

  /** The record that ends after this one, or `NO_TIME_WAIT`. */
  next(record: number): number {
    return this.#words[record * STRIDE + NEXT]
  }

  /** When the oldest ends; `Infinity` for never. */
  get deadline(): number {
    return this.#head === NO_TIME_WAIT ? Number.POSITIVE_INFINITY : this.#times[this.#head * 2]
  }

  /** A new record, which waits from now on. Not while the table is full. */
  add(state: TimeWaitState, now: Instant): number {
    if (this.#free === NO_TIME_WAIT) this.#grow()
    const record = this.#free
    const words = this.#words
    const at = record * STRIDE
    this.#free = words[at + NEXT]
    for (let i = 0; i < 4; i++) {
      words[at + LOCAL + i] = state.local[i]
      words[at + REMOTE + i] = state.remote[i]
    }
    words[at + PORTS] = state.ports
    words[at + SEND_NEXT] = state.sendNext
    words[at + RECEIVE_NEXT] = state.receiveNext
    words[at + WINDOW] = state.window
    words[at + TIMESTAMP_RECENT] = state.timestampRecent
    words[at + TIMESTAMP_OFFSET] = state.timestampOffset
    words[at + HAS_TIMESTAMPS] = state.hasTimestamps ? 1 : 0
    this.#times[record * 2 + 1] = Number.NEGATIVE_INFINITY
    this.#link(record, now)
    this.count++
    return record
  }

  read(record: number, into: TimeWaitState): void {
    const words = this.#words
    const at = record * STRIDE
    for (let i = 0; i < 4; i++) {
      into.local[i] = words[at + LOCAL + i]
      into.remote[i] = words[at + REMOTE + i]
    }
    into.ports = words[at + PORTS]
    into.sendNext = words[at + SEND_NEXT]
    into.receiveNext = words[at + RECEIVE_NEXT]
    into.window = words[at + WINDOW]
    into.timestampRecent = words[at + TIMESTAMP_RECENT]
    into.timestampOffset = words[at + TIMESTAMP_OFFSET]
    into.hasTimestamps = words[at + HAS_TIMESTAMPS] !== 0
  }

  /** The peer's FIN came again: 2 MSL from now (RFC 9293 section 3.10.7.4). */
  restart(record: number, now: Instant): void {
    this.#unlink(record)
    this.#link(record, now)
  }

  remove(record: number): void {
    this.#unlink(record)
    this.#words[record * STRIDE + NEXT] = this.#free
    this.#free = record
    this.count--
  }

  /** Whether an ACK may go out that anybody could have provoked: once in `interval` for a record. */
  mayAnswer(record: number, interval: number, now: Instant): boolean {
    if (now[0] - this.#times[record * 2 + 1] < interval) return false
    this.#times[record * 2 + 1] = now[0]
    return true
  }

  #link(record: number, now: Instant): void {
    const words = this.#words
    words[record * STRIDE + PREVIOUS] = this.#tail
    words[record * STRIDE + NEXT] = NO_TIME_WAIT
    if (this.#tail === NO_TIME_WAIT) this.#head = record
    else words[this.#tail * STRIDE + NEXT] = record
    this.#tail = record
    this.#times[record * 2] = now[0] + this.#duration
  }

  #unlink(record: number): void {
    const words = this.#words
    const previous = words[record * STRIDE + PREVIOUS]
    const next = words[record * STRIDE + NEXT]
    if (previous === NO_TIME_WAIT) this.#head = next
    else words[previous * STRIDE + NEXT] = next
    if (next === NO_TIME_WAIT) this.#tail = previous
    else words[next * STRIDE + PREVIOUS] = previous
  }

  #grow(): void {
    const old = this.#times.length / 2
    const size = Math.min(this.capacity, Math.max(FIRST_CAPACITY, old * 2))
    const words = new Int32Array(size * STRIDE)
    const times = new Float64Array(size * 2)
    words.set(this.#words)
    times.set(this.#times)
    this.#words = words
    this.#times = times
    for (let record = size - 1; record >= old; record--) {
      words[record * STRIDE + NEXT] = this.#free
      this.#free = record
    }
  }
}
