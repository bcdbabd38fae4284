import type { Segment } from '../segment.ts'
import { delivery } from './delivery.ts'
import { undo } from './phases.ts'
import { PHASE_LOSS, PHASE_RECOVERY, type RecoveryState } from './recovery-state.ts'

/** Hears what the acknowledgment says of the last recovery; when it was for nothing, it is taken back. */
export function undoIfSpurious(r: RecoveryState, segment: Segment, sendUna: number): void {
  const { spurious } = r
  if (!r.settings.undo || !spurious.isWatching) return
  if (delivery.reportsDuplicate && spurious.provedByDuplicate(delivery.duplicateLeft, delivery.duplicateRight)) {
    undo(r)
    return
  }
  if (r.phase < PHASE_RECOVERY) return
  const echoes = r.timestamps && segment.hasTimestamp && segment.timestampEcho !== 0
  if (delivery.headWasResent && echoes && spurious.provedByEcho(sendUna, segment.timestampEcho)) {
    undo(r)
    return
  }
  if (r.phase === PHASE_LOSS && spurious.isForward) watchForward(r)
}

/** F-RTO (RFC 5682 section 2, and section 3 with SACK). */
function watchForward(r: RecoveryState): void {
  const { records, spurious } = r
  // Without SACK nothing tells what arrived before from what arrived now, once a retransmission is among it.
  if (delivery.includesOriginal && (r.sack || !delivery.includesResent)) {
    undo(r)
    return
  }
  // Steps 2a and 3a: a duplicate.
  if (spurious.prefersNewData || delivery.acked === 0) {
    if (r.isDuplicate || delivery.sacked > 0) spurious.giveUpForward()
    return
  }
  if (((records.una - r.recoveryPoint) | 0) >= 0) return
  // Step 2b: two new segments, and see what is acknowledged next.
  spurious.tryNewData()
  r.forwardCredit = 2 * r.mss
}
