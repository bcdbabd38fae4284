import { DROP_TCP_NO_TIMESTAMP, DROP_TCP_PAWS } from '../../counters.ts'
import { type Instant, RST, type Segment } from '../../segment.ts'
import { after, atOrBefore, before, distance } from '../../sequence.ts'
import { MOMENT_HEARD } from '../../timers.ts'
import { ackAtOnce, challenge } from '../ack-policy.ts'
import { type ControlBlock, count } from '../control-block.ts'

/** RFC 7323 section 5.5: after 24 days TS.Recent may have wrapped and means nothing. */
const TIMESTAMP_LIFE = 24 * 86_400e9

/**
 * Protection against wrapped sequence numbers (RFC 7323 section 5.3, R1): an old duplicate has an old timestamp. False:
 * the segment is dropped. A segment without the option is dropped silently (section 3.2). A RST is never judged by its
 * timestamp.
 */
export function checkTimestamp(c: ControlBlock, s: Segment, now: Instant): boolean {
  if ((s.flags & RST) !== 0) return true
  if (!s.hasTimestamp) {
    count(c, DROP_TCP_NO_TIMESTAMP)
    return false
  }
  if (distance(s.timestampValue, c.timestampRecent) >= 0) return true
  if (c.timers.isOlder(MOMENT_HEARD, now, TIMESTAMP_LIFE)) return true
  count(c, DROP_TCP_PAWS)
  // The answer to data is that of any old duplicate. A bare ACK of nothing new was overtaken by a newer one, and asks
  // for none; others are answered only so often.
  if (s.length > 0) ackAtOnce(c)
  else if (after(s.acknowledgment, c.sendUna) || s.sequence !== c.receiveNext) challenge(c, now)
  return false
}

/**
 * Takes TS.Recent from an acceptable segment that spans Last.ACK.sent or lies before it (RFC 7323 section 4.3), so that
 * what is echoed is the timestamp of the earliest segment that an ACK answers.
 */
export function takeTimestamp(c: ControlBlock, s: Segment, now: Instant): void {
  if (!s.hasTimestamp || (s.flags & RST) !== 0 || !atOrBefore(s.sequence, c.lastAck)) return
  if (before(s.timestampValue, c.timestampRecent) && !c.timers.isOlder(MOMENT_HEARD, now, TIMESTAMP_LIFE)) return
  c.timestampRecent = s.timestampValue
}
