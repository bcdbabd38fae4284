import { ACK, RST, type Segment, sequenceLength } from '../segment.ts'

/**
 * The reset that a segment without a connection is answered with (RFC 9293 section 3.5.2, group 1), written to `out`; false for a reset,
 * which is never answered.
 */
export function resetFor(segment: Segment, out: Segment): boolean {
  if ((segment.flags & RST) !== 0) return false
  out.clear()
  if ((segment.flags & ACK) !== 0) {
    out.sequence = segment.acknowledgment
    out.flags = RST
  } else {
    out.acknowledgment = (segment.sequence + sequenceLength(segment)) | 0
    out.flags = RST | ACK
  }
  return true
}

/** A bare ACK of a connection that is only a record. */
export function acknowledgmentOf(sequence: number, acknowledgment: number, window: number, out: Segment): void {
  out.clear()
  out.sequence = sequence
  out.acknowledgment = acknowledgment
  out.window = window
  out.flags = ACK
}
