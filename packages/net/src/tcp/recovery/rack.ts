import type { Instant } from '../segment.ts'
import type { Flight } from './flight.ts'
import type { RoundTrip } from './round-trip.ts'
import { EVER_RESENT, LOST, RESENT, SACKED, type TransmitRecords } from './transmit-records.ts'

/**
 * RACK (RFC 8985 section 6): a segment is lost when one that was sent after it arrived, and it did not within a reordering
 * window (`Reordering`). This is what it knows of the data in flight now.
 */
export class Rack {
  /**
   * RACK.xmit_ts and RACK.end_seq: of the segment sent last among those delivered. The order of transmissions is that of their
   * numbers: a clock that is read once a burst gives many of them the same time.
   */
  #hasDelivered = false
  #serial = 0
  #end = 0
  /** RACK.min_RTT, ns. */
  #minimum = 0.5
  /** RACK.rtt of that segment, ns. */
  roundTrip = Number.NaN
  /** Latest transmission among what the present acknowledgment delivered. */
  #latest = Number.NEGATIVE_INFINITY
  /** RACK.fack: highest sequence delivered, before the present acknowledgment and now. */
  #highestBefore = 0
  #highest = 0
  /** The present acknowledgment delivered what was sent before something that was delivered earlier. */
  sawReordering = false
  /** When the first segment not yet lost will be, ns; `Infinity`: none. */
  due = Number.POSITIVE_INFINITY
  /** RACK.reo_wnd, ns. */
  reorderingWindow = 0.5

  start(sequence: number): void {
    this.#hasDelivered = false
    this.#serial = 0
    this.#end = sequence
    this.roundTrip = Number.NaN
    this.#highestBefore = sequence
    this.#highest = sequence
    this.due = Number.POSITIVE_INFINITY
  }

  /** An acknowledgment begins. */
  begin(roundTrip: RoundTrip): void {
    this.#minimum = roundTrip.minimum
    this.#highestBefore = this.#highest
    this.#latest = Number.NEGATIVE_INFINITY
    this.sawReordering = false
  }

  /**
   * Steps 2 and 3: a record was delivered.
   * @param ambiguous it was sent more than once, and the timestamp echo says that an earlier copy arrived
   */
  delivered(records: TransmitRecords, position: number, ambiguous: boolean, now: Instant): void {
    const end = records.endOf(position)
    const resent = (records.flagsOf(position) & EVER_RESENT) !== 0
    if (((end - this.#highest) | 0) > 0) this.#highest = end
    else if (!resent && ((end - this.#highestBefore) | 0) < 0) this.sawReordering = true
    const time = records.timeOf(position)
    const roundTrip = now[0] - time
    // An answer sooner than any round trip answers an earlier copy.
    if (resent && (ambiguous || roundTrip < this.#minimum)) return
    // Of several, the one that was sent last: reports of the others may have been lost, and theirs is too long then.
    if (time >= this.#latest) {
      this.#latest = time
      this.roundTrip = roundTrip
    }
    const serial = records.serialOf(position)
    const order = this.#hasDelivered ? (serial - this.#serial) | 0 : 1
    if (order < 0 || (order === 0 && ((end - this.#end) | 0) < 0)) return
    this.#hasDelivered = true
    this.#serial = serial
    this.#end = end
  }

  /** Whether a record was sent before the segment that was delivered; those of a super-segment in their order. */
  #sentBefore(records: TransmitRecords, position: number): boolean {
    const order = (records.serialOf(position) - this.#serial) | 0
    return this.#hasDelivered && (order < 0 || (order === 0 && ((records.endOf(position) - this.#end) | 0) < 0))
  }

  /**
   * Step 5: marks what is lost now, and sets `due`. Each record is passed once for each time that it is sent: the first
   * transmissions by `cursor`, later ones by the log. (The section waits for the latest of the segments that are not due, to
   * save timers; here each is lost when its own time comes.)
   * @returns bytes newly lost
   */
  detect(flight: Flight, now: Instant): number {
    this.due = Number.POSITIVE_INFINITY
    const wait = this.roundTrip + this.reorderingWindow
    return this.#detectFirst(flight, wait, now) + this.#detectResent(flight, wait, now)
  }

  #detectFirst(flight: Flight, wait: number, now: Instant): number {
    const { records } = flight
    let bytes = 0
    let { cursor } = flight
    if (((records.head - cursor) | 0) > 0) cursor = records.head
    for (; cursor !== records.tail; cursor = (cursor + 1) | 0) {
      if ((records.flagsOf(cursor) & (SACKED | LOST | EVER_RESENT)) !== 0) continue
      if (!this.#sentBefore(records, cursor)) break
      const lostAt = records.timeOf(cursor) + wait
      if (lostAt > now[0]) {
        this.due = lostAt
        break
      }
      bytes += flight.markLost(cursor)
    }
    flight.cursor = cursor
    return bytes
  }

  #detectResent(flight: Flight, wait: number, now: Instant): number {
    const { records, log } = flight
    let bytes = 0
    for (; !log.isEmpty; log.shift()) {
      const position = records.find(log.firstSequence)
      if (position === records.tail || records.serialOf(position) !== log.firstSerial) continue
      if ((records.flagsOf(position) & (SACKED | RESENT)) !== RESENT) continue
      if (!this.#sentBefore(records, position)) break
      const lostAt = records.timeOf(position) + wait
      if (lostAt > now[0]) {
        if (lostAt < this.due) this.due = lostAt
        break
      }
      bytes += flight.markLost(position)
    }
    return bytes
  }
}
