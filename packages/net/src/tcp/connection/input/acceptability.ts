import {
  DROP_TCP_DATA_BEYOND_WINDOW,
  DROP_TCP_DATA_DUPLICATE,
  DROP_TCP_OUTSIDE_WINDOW,
  DROP_TCP_RESET_OUTSIDE_WINDOW,
  EXT_DUPLICATES,
} from '../../counters.ts'
import { FIN, type Instant, RST, type Segment, SYN, sequenceLength } from '../../segment.ts'
import { after, atOrAfter, atOrBefore, distance } from '../../sequence.ts'
import { ackAtOnce, challenge } from '../ack-policy.ts'
import { type ControlBlock, count } from '../control-block.ts'
import { takeTimestamp } from './paws.ts'

/**
 * First check of RFC 9293 section 3.10.7.4: whether a segment has a place in the receive window. What reaches beyond
 * the window is cut off; what lies before it is left for the receive queue, which reports it as a duplicate (RFC 2883).
 * False: dropped.
 *
 * Two allowances beyond the four cases of the RFC: a segment without data may stand at the right edge, where a sender
 * that has filled the window stands, and so may a FIN, which needs no buffer.
 */
export function checkSequence(c: ControlBlock, s: Segment, now: Instant): boolean {
  const { sequence } = s
  const length = sequenceLength(s)
  const { receiveNext: next, receiveRight: right } = c
  const end = (sequence + length) | 0
  const startsInside = atOrAfter(sequence, next) && atOrBefore(sequence, right)
  const endsInside = length > 0 && after(end, next) && atOrBefore(sequence, right)
  if (!startsInside && !endsInside) {
    unacceptable(c, s, length, now)
    return false
  }
  const beyond = distance((sequence + s.length) | 0, right)
  if (beyond > 0) {
    // With a window of zero this is a probe: its acknowledgment is processed, its data is not, and it is answered.
    count(c, DROP_TCP_DATA_BEYOND_WINDOW)
    s.length = Math.max(0, s.length - beyond)
    s.flags &= ~FIN
    ackAtOnce(c)
  }
  return true
}

/**
 * RFC 9293: "If an incoming segment is not acceptable, an acknowledgment should be sent in reply (unless the RST bit is
 * set)".
 */
function unacceptable(c: ControlBlock, s: Segment, length: number, now: Instant): void {
  if ((s.flags & RST) !== 0) {
    count(c, DROP_TCP_RESET_OUTSIDE_WINDOW)
    return
  }
  if (length > 0 && (s.flags & SYN) === 0 && atOrBefore((s.sequence + length) | 0, c.receiveNext)) {
    count(c, EXT_DUPLICATES)
    count(c, DROP_TCP_DATA_DUPLICATE)
    if (s.length > 0 && c.sack) c.receiveQueue.noteDuplicate(s.sequence, (s.sequence + s.length) | 0)
    // The answer echoes the timestamp of what it answers. RFC 7323 section 5.3 takes none from a segment that it
    // rejects, and so lets a sender whose ACKs are lost measure its own timeouts as round trips. Not from far away,
    // which anybody could forge.
    if (c.hasTimestamps && distance(c.receiveNext, s.sequence) <= c.receiveTuning.size) takeTimestamp(c, s, now)
    ackAtOnce(c)
    return
  }
  count(c, DROP_TCP_OUTSIDE_WINDOW)
  if (s.length > 0 && (s.flags & SYN) === 0) ackAtOnce(c)
  else challenge(c, now)
}
