import { INSERT_IN_ORDER } from '../../buffer/receive-queue.ts'
import { DROP_TCP_DATA_NO_MEMORY, EXT_PREDICTED_ACKS, EXT_PREDICTED_DATA } from '../../counters.ts'
import { ACK, CE, type Instant, PSH, type Segment } from '../../segment.ts'
import { CLOSE_WAIT, ESTABLISHED } from '../../state.ts'
import { MOMENT_HEARD } from '../../timers.ts'
import { ackData, ackOutOfOrder } from '../ack-policy.ts'
import { type ControlBlock, count } from '../control-block.ts'
import { EVENT_READABLE } from '../events.ts'
import { acknowledged } from './acknowledgment.ts'

/** As long as a timestamp may be compared: half of its clock's range, 2^31 ms (RFC 7323 section 5.5 says 24 days). */
const TIMESTAMP_LIFE = 24 * 86_400e9

/**
 * Header prediction (Jacobson, 1990): the next segment in order on a connection of which at most one side has closed,
 * with data, an acknowledgment of new data, or both, and nothing else. True: it is dealt with. False: nothing was
 * touched, and the stages of RFC 9293 section 3.10.7.4 look at it. It takes no decision that they would not take.
 */
export function predicted(c: ControlBlock, s: Segment, now: Instant): boolean {
  const { state } = c
  if (state < ESTABLISHED || state > CLOSE_WAIT || (s.flags & ~PSH) !== ACK || s.sequence !== c.receiveNext)
    return false
  const { length } = s
  const ack = s.acknowledgment
  const una = c.sendUna
  if (((ack - una) | 0) < 0 || ((c.sendNext - ack) | 0) < 0 || s.sackCount !== 0 || s.userTimeout >= 0) return false
  if (length === 0) {
    if (ack === una) return false
  } else if (
    length > ((c.receiveRight - c.receiveNext) | 0) ||
    c.receiveQueue.outOfOrder !== 0 ||
    c.receiveQueue.hasFin ||
    c.orphaned ||
    state === CLOSE_WAIT ||
    (c.ecn && (c.marked || s.ecn === CE))
  ) {
    return false
  }
  const window = s.window << c.sendScale
  // A right edge that goes back by more than rounding is looked at by the stages.
  if (((una + c.sendWindow - ack - window) | 0) >= 1 << c.sendScale) return false
  if (c.hasTimestamps) {
    if (!s.hasTimestamp || ((s.timestampValue - c.timestampRecent) | 0) < 0) return false
    if (c.timers.isOlder(MOMENT_HEARD, now, TIMESTAMP_LIFE)) return false
    if (((s.sequence - c.lastAck) | 0) <= 0) c.timestampRecent = s.timestampValue
  }
  c.timers.mark(MOMENT_HEARD, now)
  c.unanswered = 0

  // SEG.SEQ = RCV.NXT and SEG.ACK >= SND.UNA: no window that was told later has been seen.
  const windowChanged = window !== c.sendWindow
  if (windowChanged) {
    c.sendWindow = window
    if (window > c.sendWindowLargest) c.sendWindowLargest = window
  }
  c.sendWl1 = s.sequence
  c.sendWl2 = ack
  if (ack !== una) acknowledged(c, s, windowChanged, now)

  if (length === 0) {
    count(c, EXT_PREDICTED_ACKS)
    return true
  }
  const { receiveQueue } = c
  if (receiveQueue.insert(s) === INSERT_IN_ORDER) {
    c.receiveNext = receiveQueue.next
    c.events |= EVENT_READABLE
    ackData(c, length, s.segmentSize, now)
  } else {
    count(c, DROP_TCP_DATA_NO_MEMORY)
    ackOutOfOrder(c)
  }
  count(c, EXT_PREDICTED_DATA)
  return true
}
