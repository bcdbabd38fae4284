import { EXT_WINDOW_SHRUNK } from '../../counters.ts'
import type { Segment } from '../../segment.ts'
import { after, atOrAfter, before, distance } from '../../sequence.ts'
import { type ControlBlock, count } from '../control-block.ts'

/**
 * Takes the window of an acceptable ACK over, unless a newer segment told one already (SND.WL1, SND.WL2 of RFC 9293
 * section 3.10.7.4). An acknowledgment of new data is always newer, also when a segment with a higher sequence number
 * overtook it. True when the window changed: such an ACK is no duplicate (RFC 5681 section 2).
 */
export function updateSendWindow(c: ControlBlock, s: Segment): boolean {
  const { sequence, acknowledgment } = s
  const newer =
    after(acknowledgment, c.sendUna) ||
    before(c.sendWl1, sequence) ||
    (c.sendWl1 === sequence && atOrAfter(acknowledgment, c.sendWl2))
  if (!newer) return false
  const window = s.window << c.sendScale
  // RFC 9293 section 3.8.6: a peer should not shrink its window, and we must bear it. Less than a unit of its scale is
  // only rounding.
  const shrunk = distance((c.sendUna + c.sendWindow) | 0, (acknowledgment + window) | 0)
  if (shrunk >= 1 << c.sendScale) count(c, EXT_WINDOW_SHRUNK)
  const changed = window !== c.sendWindow
  c.sendWindow = window
  if (window > c.sendWindowLargest) c.sendWindowLargest = window
  c.sendWl1 = sequence
  c.sendWl2 = acknowledgment
  return changed
}
