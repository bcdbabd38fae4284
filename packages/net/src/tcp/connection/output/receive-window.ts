import { MEMORY_CRITICAL, MEMORY_NORMAL } from '../../buffer/memory-budget.ts'
import { distance, type Sequence } from '../../sequence.ts'
import { CLOSE_WAIT } from '../../state.ts'
import type { ControlBlock } from '../control-block.ts'
import { announcedSegment } from '../path/segment-size.ts'

/**
 * Room in the receive buffer, as much as the field can tell. Bytes beyond a gap lie within the window and are not
 * deducted.
 */
function room(c: ControlBlock): number {
  const { readable } = c.receiveQueue
  const free = Math.max(0, Math.min(c.receiveTuning.size - readable, shareOf(c, readable)))
  return Math.min(free, 0xffff << c.receiveScale)
}

/**
 * Silly window avoidance of a receiver (RFC 9293 section 3.8.6.2.2): the right edge moves by this much or not at all.
 */
function leastStep(c: ControlBlock): number {
  return Math.min(c.receiveTuning.size >> 1, announcedSegment(c))
}

/**
 * The window field of a segment that acknowledges up to `next`, and RCV.WND with it. The right edge never goes back
 * (section 3.8.6). With a scaled window the field is rounded down, so that the edge that a peer sees may waver by less
 * than the scale's unit (RFC 7323 section 2.4); data is accepted up to the edge that was told.
 */
export function announceWindow(c: ControlBlock, next: Sequence): number {
  const free = room(c)
  const scale = c.receiveScale
  const step = distance((c.receiveNext + free) | 0, c.receiveRight)
  if (step >= leastStep(c)) {
    const right = (c.receiveNext + ((free >> scale) << scale)) | 0
    if (distance(right, c.receiveRight) > 0) c.receiveRight = right
  }
  const field = distance(c.receiveRight, next) >> scale
  return Math.min(field, 0xffff)
}

/**
 * Whether the application has taken so much that the peer should hear of it without waiting for an ACK: the window was
 * closed, or can be doubled. Smaller steps come with the ACKs of data.
 */
export function windowUpdateOwed(c: ControlBlock): boolean {
  if (c.state >= CLOSE_WAIT) return false
  const free = room(c)
  const window = distance(c.receiveRight, c.receiveNext)
  return free - window >= leastStep(c) && free >= 2 * window
}

/**
 * How far a window opens while memory is short: as far as will be taken for a connection whose reader keeps up, a segment where bytes
 * wait for their reader, and none when memory is critical.
 */
function shareOf(c: ControlBlock, readable: number): number {
  const { memory } = c.budget
  const { level } = memory
  if (level === MEMORY_NORMAL) return c.receiveTuning.size
  if (readable === 0) return memory.leastFrames * announcedSegment(c)
  return level === MEMORY_CRITICAL ? 0 : announcedSegment(c)
}
