import type { Instant } from '../segment.ts'
import { DuplicateCount } from './duplicate-count.ts'
import { LostQueue } from './lost-queue.ts'
import { ProportionalRateReduction } from './proportional-rate-reduction.ts'
import { Rack } from './rack.ts'
import { RetransmissionLog } from './retransmission-log.ts'
import { SackScoreboard } from './sack-scoreboard.ts'
import { TailLossProbe } from './tail-loss-probe.ts'
import { LOST, RESENT, SACKED, TransmitRecords } from './transmit-records.ts'

/** Idle flights that are kept for the next connection that sends. */
const POOLED = 256

/**
 * What is in flight, as one: the records, what the receiver reported of them, what is lost, and what was sent again and when.
 * A connection has one only while something is in flight, so that an idle connection does not keep the memory.
 */
export class Flight {
  static readonly #pool: Flight[] = []
  /** Stands for the flight of a connection that has none; empty, and never changed. */
  static readonly NONE = new Flight()

  /** A flight for bytes from `sequence` on. */
  static begin(sequence: number): Flight {
    const flight = Flight.#pool.pop() ?? new Flight()
    flight.records.start(sequence)
    flight.rack.start(sequence)
    flight.cursor = 0
    return flight
  }

  /** Nothing of it is in flight any more, and its owner forgets it. */
  end(): void {
    this.records.clear()
    this.scoreboard.clear()
    this.lost.clear()
    this.log.clear()
    this.probe.clear()
    this.duplicates.clear()
    if (Flight.#pool.length < POOLED) Flight.#pool.push(this)
  }

  readonly records = new TransmitRecords()
  readonly scoreboard = new SackScoreboard()
  /** Lost and not yet sent again, lowest first. */
  readonly lost = new LostQueue()
  readonly log = new RetransmissionLog()
  readonly rack = new Rack()
  readonly probe = new TailLossProbe()
  readonly reduction = new ProportionalRateReduction()
  readonly duplicates = new DuplicateCount()
  /** Every record before this position is sacked, lost, or was sent again: none of them is a first transmission in flight. */
  cursor = 0
  /** Result of `nextLost`. */
  sequence = 0
  length = 0
  /** Number of the last transmission; says in which order things were sent, also within one reading of the clock. */
  #serial = 0

  sent(sequence: number, length: number, mss: number, now: Instant): void {
    const { records } = this
    this.#serial = (this.#serial + 1) | 0
    if (records.isEmpty) records.continueAt(sequence)
    records.push(length, mss, this.#serial, now)
  }

  /** Bytes from `sequence` on were sent again; a record of which only a part was is cut. */
  resent(sequence: number, length: number, now: Instant): void {
    const { records } = this
    const end = (sequence + length) | 0
    this.#serial = (this.#serial + 1) | 0
    for (let at = records.find(sequence); at !== records.tail; at = (at + 1) | 0) {
      const from = records.sequenceOf(at)
      if (((from - end) | 0) >= 0) break
      if ((records.flagsOf(at) & SACKED) !== 0) continue
      if (((records.endOf(at) - end) | 0) > 0) this.#cut(at, (end - from) | 0)
      records.markResent(at, this.#serial, now)
      this.log.push(from, this.#serial)
    }
  }

  /** @returns its bytes */
  markLost(position: number): number {
    const { records } = this
    records.markLost(position)
    this.lost.push(records.sequenceOf(position))
    return records.lengthOf(position)
  }

  /** Marks the first record as lost, unless it was delivered or is known to be lost. @returns its bytes */
  markHeadLost(): number {
    const { records } = this
    if (records.isEmpty || (records.flagsOf(records.head) & (SACKED | LOST)) !== 0) return 0
    return this.markLost(records.head)
  }

  /**
   * Finds what is lost and was not sent again, lowest first, short neighbours together up to `mss`: in `sequence` and `length`.
   * @returns false: there is nothing
   */
  nextLost(mss: number): boolean {
    const { records, lost } = this
    let position = records.tail
    for (; lost.count > 0; lost.pop()) {
      position = records.find(lost.first)
      if (position !== records.tail && (records.flagsOf(position) & (LOST | RESENT)) === LOST) break
    }
    if (lost.count === 0) return false
    let length = records.lengthOf(position)
    this.sequence = records.sequenceOf(position)
    for (let next = (position + 1) | 0; next !== records.tail; next = (next + 1) | 0) {
      const size = records.lengthOf(next)
      if (length + size > mss || (records.flagsOf(next) & (LOST | RESENT)) !== LOST) break
      length += size
    }
    this.length = length
    return true
  }

  /** Nothing was lost after all. */
  forgetLosses(): void {
    const { records } = this
    this.lost.clear()
    for (let at = records.head; at !== records.tail; at = (at + 1) | 0) records.clearLost(at)
    this.cursor = records.head
  }

  /** The receiver took back what it reported (RFC 2018 section 8). */
  forgetSacks(): void {
    const { records } = this
    this.scoreboard.clear()
    for (let at = records.head; at !== records.tail; at = (at + 1) | 0) records.clearSacked(at)
  }

  /** What is longer than `mss` did not get through: lost, and cut (RFC 1191). */
  shorten(mss: number): void {
    const { records } = this
    for (let at = records.head; at !== records.tail; at = (at + 1) | 0) {
      if (records.lengthOf(at) <= mss || (records.flagsOf(at) & SACKED) !== 0) continue
      this.markLost(at)
      while (records.lengthOf(at) > mss) {
        this.#cut(at, mss)
        at = (at + 1) | 0
      }
    }
  }

  #cut(position: number, length: number): void {
    const { records } = this
    const waits = (records.flagsOf(position) & (LOST | RESENT)) === LOST
    records.cut(position, length)
    this.cursor = records.head
    if (waits) this.lost.push(records.sequenceOf((position + 1) | 0))
  }
}
