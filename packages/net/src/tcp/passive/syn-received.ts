import { ACK, RST, type Segment, SYN } from '../segment.ts'
import type { SynBacklog } from './syn-backlog.ts'

/** The answer to a segment for a record in SYN-RECEIVED. */
export const SYN_IGNORE = 0
/** The handshake is complete. */
export const SYN_COMPLETE = 1
/** The SYN came again: so does the SYN+ACK. */
export const SYN_REPEAT = 2
/** A valid reset: forget the record. */
export const SYN_FORGET = 3
/** Answer with an ACK of what is there, at a limited rate (RFC 5961 sections 3 and 4, RFC 9293 section 3.10.7.4). */
export const SYN_CHALLENGE = 4
/** It acknowledges what was not sent: answer with a reset. */
export const SYN_REFUSE = 5

/**
 * RFC 9293 section 3.10.7.4 for SYN-RECEIVED.
 * @param window bytes that our SYN+ACK announced
 */
export function judgeSynReceived(backlog: SynBacklog, record: number, segment: Segment, window: number): number {
  const expected = (backlog.remoteSequence(record) + 1) | 0
  const ahead = (segment.sequence - expected) | 0
  const inWindow = ahead >= 0 && ahead < window
  if ((segment.flags & RST) !== 0) {
    if (ahead === 0) return SYN_FORGET
    return inWindow ? SYN_CHALLENGE : SYN_IGNORE
  }
  if ((segment.flags & SYN) !== 0) {
    return ahead === -1 && (segment.flags & ACK) === 0 ? SYN_REPEAT : SYN_CHALLENGE
  }
  if ((segment.flags & ACK) === 0) return SYN_IGNORE
  // An ACK of another connection's life is refused whatever its sequence number, or the peer would be told ours.
  if (segment.acknowledgment !== ((backlog.localSequence(record) + 1) | 0)) return SYN_REFUSE
  if (!inWindow) return SYN_CHALLENGE
  const old =
    backlog.hasTimestamps(record) &&
    segment.hasTimestamp &&
    ((segment.timestampValue - backlog.timestampRecent(record)) | 0) < 0
  return old ? SYN_CHALLENGE : SYN_COMPLETE
}
