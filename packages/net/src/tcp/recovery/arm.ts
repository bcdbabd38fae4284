import type { Instant } from '../segment.ts'
import { NEVER, PHASE_REDUCING, type RecoveryState } from './recovery-state.ts'

/**
 * Schedules the tail probe where section 7.2 of RFC 8985 allows one, and sets `deadline` to the earliest timer.
 * @param progress new data was sent or acknowledged: only that begins a scheduled probe's time anew
 */
export function arm(r: RecoveryState, now: Instant, progress: boolean): void {
  const { probe, records } = r
  const { due } = probe
  probe.due = NEVER
  if (
    r.settings.tailLossProbe &&
    r.sack &&
    r.phase <= PHASE_REDUCING &&
    !r.isOpening &&
    !probe.isOwed &&
    !probe.isOutstanding &&
    r.measuredSinceProbe &&
    records.sackedCount === 0 &&
    !records.isEmpty
  ) {
    if (progress || due === NEVER) probe.schedule(r.roundTrip, records.count === 1, now)
    else probe.due = due
    if (probe.due > r.timeoutAt) probe.due = r.timeoutAt
  }
  let deadline = r.timeoutAt
  if (r.rack.due < deadline) deadline = r.rack.due
  if (probe.due < deadline) deadline = probe.due
  r.deadline = deadline
}
