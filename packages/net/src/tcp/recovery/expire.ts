import type { Instant } from '../segment.ts'
import { arm } from './arm.ts'
import { markLostOnTimeout } from './loss-detection.ts'
import { enterRecovery, setRecoveryPoint, watch } from './phases.ts'
import { NEVER, PHASE_LOSS, PHASE_RECOVERY, PHASE_REDUCING, type RecoveryState } from './recovery-state.ts'

/** What `expire` found. */
export const EXPIRED_NOTHING = 0
/** Segments are lost because later ones arrived and they did not: `nextRetransmission` has them. */
export const EXPIRED_REORDERING = 1
/** A tail loss probe is owed: `nextRetransmission` or `allowance` gives it. */
export const EXPIRED_PROBE = 2
/** The retransmission timer: backed off, what is lost is marked, the first segment goes out whatever the window. */
export const EXPIRED_TIMEOUT = 3

/** The earliest timer, of those that are due: reordering, tail probe, retransmission. */
export function expire(r: RecoveryState, now: Instant): number {
  if (r.deadline > now[0]) return EXPIRED_NOTHING
  let found = EXPIRED_NOTHING
  if (r.records.isEmpty) r.timeoutAt = NEVER
  else if (r.rack.due <= now[0] && detectOverdue(r, now)) found = EXPIRED_REORDERING
  else if (r.probe.due <= now[0]) {
    r.probe.isOwed = true
    // RFC 8985 section 7.3: the retransmission timer gives the probe its time.
    r.timeoutAt = now[0] + r.roundTrip.timeout
    found = EXPIRED_PROBE
  } else if (r.timeoutAt <= now[0]) {
    timeout(r, now)
    found = EXPIRED_TIMEOUT
  }
  arm(r, now, true)
  return found
}

/** The reordering timer of RACK (RFC 8985 section 6.2 step 5). */
function detectOverdue(r: RecoveryState, now: Instant): boolean {
  const { records, rack } = r
  rack.reorderingWindow = r.reordering.window(r.phase >= PHASE_RECOVERY, records.sackedCount, r.roundTrip)
  if (rack.detect(r.flight, now) === 0) return false
  if (enterRecovery(r, records.flightSize, records.sackedBytes, 0, now)) {
    const pipe = r.bytesInFlight
    r.congestion.window = pipe + r.reduction.acknowledged(0, pipe, false, r.mss)
    r.timeoutAt = now[0] + r.roundTrip.timeout
  }
  return true
}

/** RFC 6298 sections 5.4 to 5.6. */
function timeout(r: RecoveryState, now: Instant): void {
  const { records, rack } = r
  const again = r.backoffs > 0
  r.timeouts++
  r.backoffs++
  r.roundTrip.backOff()
  r.timeoutAt = now[0] + r.roundTrip.timeout
  r.isForced = true
  r.forwardCredit = 0
  r.probe.clear()
  r.duplicates.clear()
  rack.reorderingWindow = r.reordering.window(true, records.sackedCount, r.roundTrip)
  const roundTrip = rack.roundTrip >= 0 ? rack.roundTrip : r.roundTrip.smoothed
  markLostOnTimeout(r.flight, r.sack && r.settings.rack, roundTrip + rack.reorderingWindow, now)
  // The loss of a SYN says nothing about a window that nobody used.
  if (!r.isOpening) enterLoss(r, again, now)
}

/** @param again the first segment was sent again by this timer before */
function enterLoss(r: RecoveryState, again: boolean, now: Instant): void {
  const { records, congestion, spurious, phase } = r
  const wasReducing = phase === PHASE_RECOVERY || phase === PHASE_REDUCING
  // A window that is being reduced is reduced once: the threshold stands.
  if (wasReducing) congestion.window = congestion.slowStartThreshold
  congestion.timeout(Math.min(records.flightSize, congestion.window), again || wasReducing, now)
  r.owesCwr = true
  // RFC 5682 section 2 step 1: F-RTO only where no recovery is under way. Eifel detection goes on over repeated timeouts.
  if (phase < PHASE_REDUCING) watch(r, true)
  else if (phase === PHASE_LOSS && again) spurious.giveUpForward()
  else spurious.end()
  r.phase = PHASE_LOSS
  setRecoveryPoint(r)
}
