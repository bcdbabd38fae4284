import { before, type Sequence } from '../../sequence.ts'
import type { ControlBlock } from '../control-block.ts'

/**
 * Sequence number of a segment without data: SND.NXT, but the right edge of the peer's window when that has shrunk
 * behind it, because the peer would find the segment unacceptable and drop its acknowledgment.
 */
export function windowedNext(c: ControlBlock): Sequence {
  const edge = (c.sendUna + c.sendWindow) | 0
  return before(edge, c.sendNext) ? edge : c.sendNext
}
