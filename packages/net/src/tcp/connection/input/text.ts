import { EXT_URGENT_IGNORED } from '../../counters.ts'
import { FIN, type Instant, type Segment, URG } from '../../segment.ts'
import { type ControlBlock, count } from '../control-block.ts'
import { processMark } from './ecn.ts'
import { processFin } from './fin.ts'
import { processPayload } from './payload.ts'
import { processUserTimeout } from './user-timeout.ts'

/** Sixth to eighth step, for a segment whose acknowledgment has been processed. */
export function acceptText(c: ControlBlock, s: Segment, now: Instant): void {
  if (s.userTimeout >= 0) processUserTimeout(c, s.userTimeout)
  // RFC 6093 section 6: urgent data is data in the stream; the pointer is not told to anybody.
  if ((s.flags & URG) !== 0) count(c, EXT_URGENT_IGNORED)
  if (c.ecn) processMark(c, s)
  if (!processPayload(c, s, now)) return
  processFin(c, s, now)
}

/** Text beside a SYN: as much as the window that the next segment will tell has room for. */
export function trimToWindow(c: ControlBlock, s: Segment): void {
  const room = c.receiveTuning.size
  if (s.length <= room) return
  s.length = room
  s.flags &= ~FIN
}
