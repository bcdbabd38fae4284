import { type Instant, instant } from '../segment.ts'
import { Flight } from './flight.ts'
import { PHASE_LOSS, PHASE_OPEN, PHASE_RECOVERY, PHASE_REDUCING, type RecoveryState } from './recovery-state.ts'
import { SpuriousDetection } from './spurious.ts'

const sample = instant()

/** From here on evidence is heard that the recovery that begins is for nothing. */
export function watch(r: RecoveryState, afterTimeout: boolean): void {
  if (r.spurious === SpuriousDetection.NONE) r.spurious = new SpuriousDetection()
  r.spurious.begin(r.records.una, afterTimeout)
}

/** What is in flight now is what the phase is about. */
export function setRecoveryPoint(r: RecoveryState): void {
  r.recoveryPoint = r.records.next
  r.recover = r.recoveryPoint
  r.hasRecover = true
}

/**
 * Something is lost: fast recovery begins, if it has not. An ECN reduction of the same round counts as its reduction, and the
 * round after a timeout has had one.
 * @param flightBefore FlightSize before the acknowledgment that showed it
 * @param sackedBefore bytes sacked before it
 * @param acked bytes that it acknowledged
 */
export function enterRecovery(
  r: RecoveryState,
  flightBefore: number,
  sackedBefore: number,
  acked: number,
  now: Instant,
): boolean {
  if (r.phase >= PHASE_RECOVERY) return false
  const { records, congestion } = r
  if (r.phase === PHASE_OPEN) {
    congestion.congestion(Math.min(flightBefore, congestion.window), now)
    r.reduction.start(records.flightSize, sackedBefore, acked, congestion.slowStartThreshold)
    watch(r, false)
    r.owesCwr = true
  }
  r.phase = PHASE_RECOVERY
  setRecoveryPoint(r)
  r.probe.clear()
  return true
}

/** @returns whether a phase is over: everything that was in flight when it began is acknowledged */
export function leavePhase(r: RecoveryState): boolean {
  if (r.phase === PHASE_OPEN || ((r.records.una - r.recoveryPoint) | 0) < 0) return false
  // RFC 9937 section 6: the reduction ends on the threshold.
  if (r.phase !== PHASE_LOSS) r.congestion.window = r.congestion.slowStartThreshold
  if (r.phase >= PHASE_RECOVERY) r.reordering.recovered()
  r.phase = PHASE_OPEN
  r.forwardCredit = 0
  r.spurious.giveUpForward()
  r.duplicates.clear()
  return true
}

/** The last reduction was a mistake: window and threshold come back (RFC 4015 section 3.2), and nothing counts as lost. */
export function undo(r: RecoveryState): void {
  r.undone++
  r.congestion.undo()
  r.spurious.end()
  r.forwardCredit = 0
  if (r.phase === PHASE_LOSS) {
    sample[0] = r.rttSample
    r.roundTrip.wasPremature(sample)
  } else {
    // It was reordering, whether or not the retransmission hid that.
    r.reordering.isSeen = true
  }
  if (r.phase >= PHASE_RECOVERY) {
    r.phase = PHASE_OPEN
    r.flight.forgetLosses()
    r.duplicates.clear()
  }
}

/** RFC 3168 section 6.1.2: a mark was echoed. Once for each window of data; spread over a round trip as after a loss. */
export function reduceForEcho(r: RecoveryState, now: Instant): void {
  const { records, congestion } = r
  if (r.phase !== PHASE_OPEN || r.isOpening) return
  // An acknowledgment that ends where a reduction began was sent before our CWR arrived: it echoes the same mark.
  if ((r.flight === Flight.NONE ? r.restingAt : records.una) === r.recoveryPoint) return
  congestion.ecnReduction(Math.min(records.flightSize + r.newlyAcked, congestion.window), now)
  r.owesCwr = true
  r.spurious.end()
  if (records.isEmpty) return
  r.reduction.start(records.flightSize, records.sackedBytes, r.newlyAcked, congestion.slowStartThreshold)
  // This acknowledgment is the first that the reduction counts: with few segments in flight no other may come.
  const pipe = r.bytesInFlight
  congestion.window = pipe + r.reduction.acknowledged(r.newlyAcked, pipe, r.newlyAcked > 0, r.mss)
  r.phase = PHASE_REDUCING
  r.recoveryPoint = records.next
}
