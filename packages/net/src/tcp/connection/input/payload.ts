import { INSERT_DUPLICATE, INSERT_IN_ORDER, INSERT_REFUSED } from '../../buffer/receive-queue.ts'
import {
  DROP_TCP_DATA_AFTER_CLOSE,
  DROP_TCP_DATA_AFTER_FIN,
  DROP_TCP_DATA_DUPLICATE,
  DROP_TCP_DATA_NO_MEMORY,
  EXT_ABORT_ON_DATA,
  EXT_DUPLICATES,
  EXT_OUT_OF_ORDER,
} from '../../counters.ts'
import type { Instant, Segment } from '../../segment.ts'
import { after, distance } from '../../sequence.ts'
import { ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, SYN_RECEIVED } from '../../state.ts'
import { ackAtOnce, ackData, ackOutOfOrder } from '../ack-policy.ts'
import { abort } from '../close/abort.ts'
import { type ControlBlock, count } from '../control-block.ts'
import { EVENT_READABLE } from '../events.ts'

/** Seventh step of RFC 9293 section 3.10.7.4: the text. False: the connection is gone. */
export function processPayload(c: ControlBlock, s: Segment, now: Instant): boolean {
  if (s.length === 0) return true
  const { state, receiveQueue } = c
  if (state !== ESTABLISHED && state !== FIN_WAIT_1 && state !== FIN_WAIT_2 && state !== SYN_RECEIVED) {
    // The peer has ended its stream already: "This should not occur ... Ignore the segment text."
    count(c, DROP_TCP_DATA_AFTER_FIN)
    return true
  }
  if (receiveQueue.hasFin && cutAfterFin(c, s)) return true
  if (c.orphaned && after((s.sequence + s.length) | 0, c.receiveNext)) {
    // RFC 1122 section 4.2.2.13: nobody will read this, and its sender had better know.
    count(c, DROP_TCP_DATA_AFTER_CLOSE)
    count(c, EXT_ABORT_ON_DATA)
    abort(c)
    return false
  }
  const gap = receiveQueue.outOfOrder > 0
  const { length, segmentSize } = s
  const result = receiveQueue.insert(s)
  if (result === INSERT_IN_ORDER) {
    c.receiveNext = receiveQueue.next
    c.events |= EVENT_READABLE
    // "A TCP receiver SHOULD send an immediate ACK when the incoming segment fills in all or part of a gap" (RFC 5681
    // section 4.2)
    if (gap || receiveQueue.hasSack) ackAtOnce(c)
    ackData(c, length, segmentSize, now)
    return true
  }
  if (result === INSERT_REFUSED) count(c, DROP_TCP_DATA_NO_MEMORY)
  else if (result === INSERT_DUPLICATE) {
    count(c, EXT_DUPLICATES)
    count(c, DROP_TCP_DATA_DUPLICATE)
  } else count(c, EXT_OUT_OF_ORDER)
  ackOutOfOrder(c)
  return true
}

/** Nothing can follow a FIN. True: nothing is left of the segment. */
function cutAfterFin(c: ControlBlock, s: Segment): boolean {
  const beyond = distance((s.sequence + s.length) | 0, c.receiveQueue.finAt)
  if (beyond <= 0) return false
  count(c, DROP_TCP_DATA_AFTER_FIN)
  if (beyond >= s.length) {
    ackAtOnce(c)
    return true
  }
  s.length -= beyond
  return false
}
