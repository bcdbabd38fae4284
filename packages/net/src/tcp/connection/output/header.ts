import { timestampAt } from '../../recovery/timestamp-clock.ts'
import { ACK, ECE, type Instant, type Segment } from '../../segment.ts'
import type { Sequence } from '../../sequence.ts'
import { TIMER_DELAYED_ACK } from '../../timers.ts'
import type { ControlBlock } from '../control-block.ts'
import { announceWindow } from './receive-window.ts'

/**
 * What every segment of a synchronized connection says: acknowledgment up to `next`, window, timestamps, SACK, the echo
 * of marks. What was owed by that is paid.
 */
export function fillHeader(c: ControlBlock, out: Segment, sequence: Sequence, next: Sequence, now: Instant): void {
  out.sequence = sequence
  out.acknowledgment = next
  out.flags = c.ecnEcho && c.ecn ? ACK | ECE : ACK
  out.window = announceWindow(c, next)
  if (c.hasTimestamps) {
    out.hasTimestamp = true
    out.timestampValue = timestampAt(now[0], c.recovery.timestampOffset)
    out.timestampEcho = c.timestampRecent
  }
  if (c.sack && c.receiveQueue.hasSack) c.receiveQueue.fillSack(out)
  c.lastAck = next
  if (next !== c.receiveNext) return
  c.ackNow = false
  c.timers.clear(TIMER_DELAYED_ACK)
}
