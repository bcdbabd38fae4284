import type { Instant } from '../segment.ts'
import type { DuplicateCount } from './duplicate-count.ts'
import type { Flight } from './flight.ts'
import { EVER_RESENT, LOST, RESENT, SACKED } from './transmit-records.ts'

/** RFC 6675 section 5: everything below the boundary of the scoreboard, or the first segment after three duplicates. */
export function detectByScoreboard(
  flight: Flight,
  duplicates: DuplicateCount,
  inRecovery: boolean,
  mss: number,
): number {
  const { records, scoreboard } = flight
  const boundary = scoreboard.lostBefore(records.una, duplicates.threshold, mss)
  let bytes = 0
  let { cursor } = flight
  if (((records.head - cursor) | 0) > 0) cursor = records.head
  for (; cursor !== records.tail && ((records.endOf(cursor) - boundary) | 0) <= 0; cursor = (cursor + 1) | 0) {
    if ((records.flagsOf(cursor) & (SACKED | LOST | EVER_RESENT)) === 0) bytes += flight.markLost(cursor)
  }
  flight.cursor = cursor
  if (bytes > 0 || inRecovery || duplicates.count < duplicates.threshold) return bytes
  return flight.markHeadLost()
}

/**
 * Without SACK: three duplicates (RFC 5681 section 3.2), then one segment for each partial acknowledgment (RFC 6582 section 3.2).
 * @param advanced SND.UNA did
 * @param mayBegin whether duplicates may begin a recovery: no recovery is under way, and SND.UNA is beyond the last
 */
export function detectByDuplicates(
  flight: Flight,
  duplicates: DuplicateCount,
  advanced: boolean,
  inRecovery: boolean,
  mayBegin: boolean,
): number {
  if (inRecovery) return advanced ? flight.markHeadLost() : 0
  if (!mayBegin || duplicates.count < duplicates.threshold) return 0
  return flight.markHeadLost()
}

/**
 * The retransmission timer expired: what RACK finds overdue (RFC 8985 section 6.3), or everything that is not sacked (RFC 6675
 * section 5.1); the first segment in any case. When that one is sacked the receiver took back what it had reported, and
 * nothing of it is believed any more (RFC 2018 section 8).
 * @param byTime whether RACK has a say
 * @param wait RACK.rtt + RACK.reo_wnd, ns; NaN: no round trip was measured yet
 */
export function markLostOnTimeout(flight: Flight, byTime: boolean, wait: number, now: Instant): void {
  const { records } = flight
  const reneged = (records.flagsOf(records.head) & SACKED) !== 0
  if (reneged) flight.forgetSacks()
  const all = reneged || !byTime || !(wait >= 0)
  flight.lost.clear()
  for (let at = records.head; at !== records.tail; at = (at + 1) | 0) {
    const flags = records.flagsOf(at)
    if ((flags & SACKED) !== 0) continue
    const waits = (flags & (LOST | RESENT)) === LOST
    if (all || waits || at === records.head || records.timeOf(at) + wait <= now[0]) flight.markLost(at)
  }
  flight.cursor = records.head
}
