import { initialWindow, windowAfterLostSyn } from '../congestion/initial-window.ts'
import { FIN, type Instant, instant, type Segment, SYN } from '../segment.ts'
import { arm } from './arm.ts'
import { delivery } from './delivery.ts'
import { detectByDuplicates, detectByScoreboard } from './loss-detection.ts'
import { enterRecovery, leavePhase } from './phases.ts'
import {
  NEVER,
  PHASE_LOSS,
  PHASE_OPEN,
  PHASE_RECOVERY,
  PHASE_REDUCING,
  type RecoveryState,
  rest,
  wake,
} from './recovery-state.ts'
import { PROBE_REPAIRED } from './tail-loss-probe.ts'
import { timestampAt } from './timestamp-clock.ts'
import { SACKED } from './transmit-records.ts'
import { undoIfSpurious } from './witnesses.ts'

/** Least wait before data that the receiver took back is sent again (see `suspectReneging`), ns. */
const RENEGING_WAIT = 10e6

/** A round-trip sample on its way to the estimate, ns. */
const sample = instant()

/**
 * An acceptable acknowledgment, in the order in which one step needs the other: what it delivered, what that says about the
 * round trip and about earlier retransmissions, what is lost, which phase that makes, and what may be sent then.
 */
export function acknowledge(
  r: RecoveryState,
  segment: Segment,
  sendUna: number,
  windowChanged: boolean,
  now: Instant,
): void {
  wake(r)
  const { records, flight } = r
  const flightBefore = records.flightSize
  const sackedBefore = records.sackedBytes
  const pending = !records.isEmpty
  delivery.apply(flight, r.roundTrip, segment, r.sack, r.timestamps, r.timestampOffset, r.recoveryPoint, now)
  const { acked } = delivery
  r.newlyAcked = acked
  r.newlySacked = delivery.sacked
  r.isDuplicate = acked === 0 && pending && isDuplicate(r, segment, sendUna, windowChanged)
  measure(r, segment, flightBefore, now)
  if (r.isOpening) {
    if (acked > 0) opened(r, now)
    arm(r, now, acked > 0)
    rest(r)
    return
  }
  if (acked > 0) {
    r.isForced = false
    r.backoffs = 0
    r.probe.isOwed = false
  }

  if (flight.rack.sawReordering) r.reordering.isSeen = true
  if (delivery.reportsDuplicate) considerDuplicate(r)
  processProbe(r, segment, now)
  let delivered = acked + records.sackedBytes - sackedBefore
  if (!r.sack) delivered = r.duplicates.acknowledged(acked, r.isDuplicate, records.flightSize, r.mss)

  undoIfSpurious(r, segment, sendUna)
  const newlyLost = detectLoss(r, now)
  // What is lost when a phase ends was sent after it began: another loss.
  const left = leavePhase(r)
  const entered =
    (newlyLost > 0 || (left && records.lostBytes > 0)) && enterRecovery(r, flightBefore, sackedBefore, acked, now)

  if (r.phase === PHASE_RECOVERY || r.phase === PHASE_REDUCING) {
    if (delivered > 0 || entered) {
      const pipe = r.bytesInFlight
      const isSafe = acked > 0 && newlyLost === 0
      r.congestion.window = pipe + r.reduction.acknowledged(delivered, pipe, isSafe, r.mss)
    }
  } else if (acked > 0) {
    grow(r, delivered, now)
  }
  if (records.isEmpty) r.timeoutAt = NEVER
  else if (acked > 0 || entered) r.timeoutAt = now[0] + r.roundTrip.timeout
  if (r.sack && !records.isEmpty) suspectReneging(r, now)
  arm(r, now, acked > 0)
  rest(r)
}

/** RFC 5681 section 2, and RFC 6675 section 2 where there is SACK; of an acknowledgment that acknowledges nothing new. */
function isDuplicate(r: RecoveryState, segment: Segment, sendUna: number, windowChanged: boolean): boolean {
  if (r.sack) return delivery.sacked > 0
  const isBare = segment.length === 0 && (segment.flags & (SYN | FIN)) === 0
  return isBare && !windowChanged && segment.acknowledgment === sendUna
}

/** A duplicate that a retransmission of ours may have caused, and not the one of a tail probe, speaks of reordering. */
function considerDuplicate(r: RecoveryState): void {
  if (r.probe.isAnsweredBy(delivery.duplicateRight)) return
  if (r.duplicatesReported >= r.retransmissions) return
  r.duplicatesReported++
  r.reordering.duplicateReported(r.records.una, r.records.next)
}

/** RFC 6298 sections 2 and 3, RFC 7323 section 4. */
function measure(r: RecoveryState, segment: Segment, flightBefore: number, now: Instant): void {
  const { roundTrip } = r
  r.rttSample = Number.NaN
  // After a repeated SYN not even by timestamps: the answer may have been repeated too, and echoes the first SYN then.
  if (r.isOpening && r.backoffs > 0) return
  if (delivery.newest >= 0) {
    r.rttSample = now[0] - delivery.oldest
    sample[0] = now[0] - delivery.newest
    roundTrip.observeMinimum(sample, now)
  } else if (delivery.acked > 0 && r.timestamps && segment.hasTimestamp && segment.timestampEcho !== 0) {
    // What was sent twice is told apart by its timestamp, in whole milliseconds.
    const ticks = (timestampAt(now[0], r.timestampOffset) - segment.timestampEcho) | 0
    if (ticks >= 0) r.rttSample = Math.max(ticks, 1) * 1e6
  }
  if (!(r.rttSample >= 0)) return
  r.measuredSinceProbe = true
  sample[0] = r.rttSample
  roundTrip.absorb(sample, Math.max(1, Math.ceil(flightBefore / (2 * r.mss))))
}

/** The SYN is acknowledged: the window begins. */
function opened(r: RecoveryState, now: Instant): void {
  const { backoffs } = r
  r.isOpening = false
  r.backoffs = 0
  r.phase = PHASE_OPEN
  if (backoffs > 0 && !(r.rttSample >= 0)) r.roundTrip.synWasRepeated()
  // RFC 6928 section 2: one repeated SYN is not held against the path.
  const window = backoffs > 1 ? windowAfterLostSyn(r.mss) : initialWindow(r.mss, r.settings.initialWindow)
  r.congestion.start(r.mss, window, now)
  r.usage.start(r.records.next)
  if (r.records.isEmpty) r.timeoutAt = NEVER
  else r.timeoutAt = now[0] + r.roundTrip.timeout
}

/** RFC 8985 section 7.4. */
function processProbe(r: RecoveryState, segment: Segment, now: Instant): void {
  const isPlain = delivery.acked === 0 && segment.sackCount === 0 && segment.length === 0
  const answer = r.probe.acknowledged(
    segment.acknowledgment,
    delivery.reportsDuplicate,
    delivery.duplicateRight,
    isPlain,
  )
  if (answer !== PROBE_REPAIRED || r.phase !== PHASE_OPEN) return
  r.congestion.congestion(Math.min(r.records.flightSize + delivery.acked, r.congestion.window), now)
  r.owesCwr = true
  r.spurious.end()
}

/** @returns bytes newly marked as lost */
function detectLoss(r: RecoveryState, now: Instant): number {
  const { records, flight, duplicates } = r
  const inRecovery = r.phase >= PHASE_RECOVERY
  if (!r.sack) {
    // Forgotten once it is passed, before the numbers wrap.
    if (r.hasRecover && ((records.una - r.recover) | 0) > 0) r.hasRecover = false
    const isPartial = r.phase === PHASE_RECOVERY && ((records.una - r.recoveryPoint) | 0) < 0
    // RFC 6582 section 3.2 step 1: what was sent before the last recovery or timeout may still cause duplicates.
    const mayBegin = !inRecovery && !r.hasRecover
    return detectByDuplicates(flight, duplicates, delivery.acked > 0, isPartial, mayBegin)
  }
  if (!r.settings.rack) {
    duplicates.counted(delivery.acked > 0, r.isDuplicate)
    return detectByScoreboard(flight, duplicates, inRecovery, r.mss)
  }
  flight.rack.reorderingWindow = r.reordering.window(inRecovery, records.sackedCount, r.roundTrip)
  return flight.rack.detect(flight, now)
}

function grow(r: RecoveryState, delivered: number, now: Instant): void {
  const { congestion, records } = r
  const microseconds = delivery.newest >= 0 ? ((now[0] - delivery.newest) / 1000) | 0 : -1
  // RFC 3465 section 2.3: after a timeout an acknowledgment may cover much that arrived long ago.
  const bytes = r.phase === PHASE_LOSS ? Math.min(delivered, r.mss) : delivered
  congestion.acknowledged(bytes, microseconds, r.usage.peak, now)
  if (r.usage.acknowledged(records.una, records.next, r.bytesInFlight)) congestion.roundStart()
}

/**
 * The first segment in flight is one that the receiver had reported: it gave that up (RFC 2018 section 8), or the
 * acknowledgment that passes it is on its way. The timer decides, soon.
 */
function suspectReneging(r: RecoveryState, now: Instant): void {
  const { records } = r
  if ((records.flagsOf(records.head) & SACKED) === 0) return
  const wait = Math.max(r.roundTrip.isMeasured ? r.roundTrip.smoothed / 2 : 0, RENEGING_WAIT)
  if (now[0] + wait < r.timeoutAt) r.timeoutAt = now[0] + wait
}
