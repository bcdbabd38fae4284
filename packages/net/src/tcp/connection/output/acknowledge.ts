import { EXT_DUPLICATE_ACKS_SENT, EXT_PURE_ACKS } from '../../counters.ts'
import type { Instant, Segment } from '../../segment.ts'
import { distance } from '../../sequence.ts'
import { type ControlBlock, count } from '../control-block.ts'
import { windowedNext } from './acceptable.ts'
import { fillHeader } from './header.ts'

/**
 * An ACK without data, if one is owed. A burst that was processed at once is acknowledged at once, but no ACK covers
 * more than `ackStretch`: a sender that grows its window by a segment for each ACK would starve (RFC 3465 section 2.3).
 */
export function acknowledge(c: ControlBlock, out: Segment, now: Instant): boolean {
  if (!c.ackNow) {
    if (c.duplicateAcks === 0) return false
    c.duplicateAcks--
    count(c, EXT_DUPLICATE_ACKS_SENT)
  }
  const { ackStretch } = c.settings
  const covered = distance(c.receiveNext, c.lastAck)
  const stretched = covered > ackStretch && ackStretch > 0 && c.receiveQueue.outOfOrder === 0
  fillHeader(c, out, windowedNext(c), stretched ? (c.lastAck + ackStretch) | 0 : c.receiveNext, now)
  count(c, EXT_PURE_ACKS)
  return true
}
