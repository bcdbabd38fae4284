import { EXT_CONGESTION_MARKS } from '../../counters.ts'
import { CE, CWR, type Segment } from '../../segment.ts'
import { ackAtOnce } from '../ack-policy.ts'
import { type ControlBlock, count } from '../control-block.ts'

/**
 * The receiver's half of RFC 3168 section 6.1.3: from a mark on, every ACK carries ECE until the sender says CWR. A
 * change of the mark is told at once, so that a delayed ACK does not blur where congestion began (as RFC 8257 section
 * 3.2 does).
 */
export function processMark(c: ControlBlock, s: Segment): void {
  if ((s.flags & CWR) !== 0) c.ecnEcho = false
  if (s.length === 0) return
  const marked = s.ecn === CE
  if (marked) {
    c.ecnEcho = true
    count(c, EXT_CONGESTION_MARKS)
  }
  if (marked !== c.marked) {
    c.marked = marked
    ackAtOnce(c)
  }
}
