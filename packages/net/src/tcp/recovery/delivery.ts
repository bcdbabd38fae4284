import type { Instant, Segment } from '../segment.ts'
import { Flight } from './flight.ts'
import type { RoundTrip } from './round-trip.ts'
import { timestampAt } from './timestamp-clock.ts'
import { EVER_RESENT, SACKED } from './transmit-records.ts'

/**
 * What one acknowledgment delivered: applies its SACK blocks (RFC 2018) and its cumulative acknowledgment to the records, and
 * keeps what the rest of loss recovery wants to know of them. One object for all connections, overwritten by each.
 */
class Delivery {
  /** Bytes by which SND.UNA advanced, and bytes newly sacked (they may be among the former). */
  acked = 0
  sacked = 0
  /**
   * Transmission times of the first and the last sent of what caused this acknowledgment; NaN where that cannot be told. When
   * something that was sent again is among what was delivered, nothing can be (Karn, RFC 6298 section 3). Where SND.UNA
   * advanced, it was that which caused it: what is newly sacked beside may have arrived long ago and its reports been lost.
   */
  oldest = Number.NaN
  newest = Number.NaN
  /** Some of what was delivered had been sent again. */
  includesResent = false
  /** Something up to `originalLimit` that was sent once only was delivered (RFC 5682 section 3). */
  includesOriginal = false
  /** RFC 2883: a duplicate was reported, of these bytes. */
  reportsDuplicate = false
  duplicateLeft = 0
  duplicateRight = 0
  /** The record at SND.UNA had been sent again, and was acknowledged by this. */
  headWasResent = false

  #flight = Flight.NONE
  /** For the present acknowledgment: whether it echoes a timestamp, and that of the segment's transmission. */
  #hasEcho = false
  #echo = 0
  #offset = 0
  #originalLimit = 0

  /** @param originalLimit see `includesOriginal` */
  apply(
    flight: Flight,
    roundTrip: RoundTrip,
    segment: Segment,
    useSack: boolean,
    useTimestamps: boolean,
    timestampOffset: number,
    originalLimit: number,
    now: Instant,
  ): void {
    this.acked = 0
    this.sacked = 0
    this.oldest = Number.NaN
    this.newest = Number.NaN
    this.includesResent = false
    this.includesOriginal = false
    this.reportsDuplicate = false
    this.headWasResent = false
    this.#flight = flight
    this.#hasEcho = useTimestamps && segment.hasTimestamp
    this.#echo = segment.timestampEcho
    this.#offset = timestampOffset
    this.#originalLimit = originalLimit
    flight.rack.begin(roundTrip)
    if (useSack && segment.sackCount > 0) this.#applyBlocks(segment, now)
    this.oldest = this.newest
    const acked = (segment.acknowledgment - this.#flight.records.una) | 0
    if (acked > 0) this.#acknowledge(segment.acknowledgment, acked, now)
    if (!this.includesResent) return
    this.oldest = Number.NaN
    this.newest = Number.NaN
  }

  #applyBlocks(segment: Segment, now: Instant): void {
    const { sackLeft, sackRight, sackCount, acknowledgment } = segment
    const { una, next } = this.#flight.records
    let first = 0
    // RFC 2883 section 4: the first block is a duplicate when it is below the acknowledgment, or within the second block.
    const left = sackLeft[0]
    const right = sackRight[0]
    const isBelow = ((right - acknowledgment) | 0) <= 0
    const isWithin = sackCount > 1 && ((left - sackLeft[1]) | 0) >= 0 && ((right - sackRight[1]) | 0) <= 0
    if ((isBelow || isWithin) && ((right - left) | 0) > 0) {
      first = 1
      this.reportsDuplicate = true
      this.duplicateLeft = left
      this.duplicateRight = right
    }
    for (let i = first; i < sackCount; i++) {
      const from = ((sackLeft[i] - una) | 0) < 0 ? una : sackLeft[i]
      const to = sackRight[i]
      // A block outside of what is in flight is a stale or an invented one.
      if (((to - from) | 0) <= 0 || ((to - next) | 0) > 0) continue
      this.#sack(from, to, now)
    }
  }

  /** Marks the records of what of `[left, right)` was not known yet. */
  #sack(left: number, right: number, now: Instant): void {
    const scoreboard = this.#flight.scoreboard
    if (scoreboard.covers(left, right)) return
    // The range that this block will be part of: records at its edges may have been reported in halves.
    let unionLeft = left
    let unionRight = right
    const before = scoreboard.find((left - 1) | 0)
    if (before < scoreboard.count && ((scoreboard.left(before) - left) | 0) < 0) unionLeft = scoreboard.left(before)
    const behind = scoreboard.find((right - 1) | 0)
    if (behind < scoreboard.count && ((scoreboard.left(behind) - right) | 0) <= 0) unionRight = scoreboard.right(behind)

    let at = left
    for (let range = scoreboard.find(left); ; range++) {
      const known = range < scoreboard.count && ((scoreboard.left(range) - right) | 0) < 0
      const gapEnd = known ? scoreboard.left(range) : right
      if (((gapEnd - at) | 0) > 0) this.#markSacked(at, gapEnd, unionLeft, unionRight, now)
      if (!known) break
      at = scoreboard.right(range)
      if (((at - right) | 0) >= 0) break
    }
    scoreboard.add(left, right)
  }

  #markSacked(left: number, right: number, unionLeft: number, unionRight: number, now: Instant): void {
    const records = this.#flight.records
    for (let position = records.find(left); position !== records.tail; position = (position + 1) | 0) {
      const sequence = records.sequenceOf(position)
      if (((sequence - right) | 0) >= 0) return
      if (((sequence - unionLeft) | 0) < 0 || ((records.endOf(position) - unionRight) | 0) > 0) continue
      const flags = records.flagsOf(position)
      if ((flags & SACKED) !== 0) continue
      this.#deliver(position, flags, now)
      this.sacked += records.lengthOf(position)
      records.markSacked(position)
    }
  }

  #acknowledge(acknowledgment: number, acked: number, now: Instant): void {
    const records = this.#flight.records
    this.acked = acked
    this.oldest = Number.NaN
    this.newest = Number.NaN
    let isFirst = true
    while (!records.isEmpty) {
      const { head } = records
      if (((records.sequenceOf(head) - acknowledgment) | 0) >= 0) break
      const flags = records.flagsOf(head)
      const isWhole = ((records.endOf(head) - acknowledgment) | 0) <= 0
      if ((flags & EVER_RESENT) !== 0) {
        this.includesResent = true
        if (isFirst) this.headWasResent = true
      }
      isFirst = false
      if (isWhole && (flags & SACKED) === 0) this.#deliver(head, flags, now)
      records.acknowledgeHead(acknowledgment)
    }
    // More than was told: a window probe was taken.
    if (records.isEmpty) {
      records.una = acknowledgment
      records.next = acknowledgment
    }
    this.#flight.scoreboard.acknowledge(acknowledgment)
  }

  #deliver(position: number, flags: number, now: Instant): void {
    const records = this.#flight.records
    let isAmbiguous = false
    if ((flags & EVER_RESENT) === 0) {
      const time = records.timeOf(position)
      if (!(this.oldest <= time)) this.oldest = time
      if (!(this.newest >= time)) this.newest = time
      if (((records.endOf(position) - this.#originalLimit) | 0) <= 0) this.includesOriginal = true
    } else {
      this.includesResent = true
      if (this.#hasEcho) isAmbiguous = ((this.#echo - timestampAt(records.timeOf(position), this.#offset)) | 0) < 0
    }
    this.#flight.rack.delivered(records, position, isAmbiguous, now)
  }
}

export const delivery = new Delivery()
