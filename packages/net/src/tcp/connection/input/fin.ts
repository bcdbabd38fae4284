import { DROP_TCP_FIN_BAD } from '../../counters.ts'
import { FIN, type Instant, type Segment } from '../../segment.ts'
import { atOrAfter, before } from '../../sequence.ts'
import { nextState, RECEIVE_FIN, TIME_WAIT } from '../../state.ts'
import { ackAtOnce, ackOutOfOrder } from '../ack-policy.ts'
import { enterTimeWait } from '../close/time-wait.ts'
import { type ControlBlock, count } from '../control-block.ts'
import { EVENT_PEER_CLOSED } from '../events.ts'

/**
 * Eighth step of RFC 9293 section 3.10.7.4: the FIN. One that comes before all bytes is remembered with its place, and
 * takes effect when they are there.
 */
export function processFin(c: ControlBlock, s: Segment, now: Instant): void {
  const { receiveQueue } = c
  if (nextState(c.state, RECEIVE_FIN) === c.state) return
  if ((s.flags & FIN) !== 0) {
    const at = (s.sequence + s.length) | 0
    if (receiveQueue.hasFin ? at !== receiveQueue.finAt : before(at, c.receiveNext)) {
      // Two ends of one stream, or an end before what came already: the first one stands.
      count(c, DROP_TCP_FIN_BAD)
      ackAtOnce(c)
      return
    }
    receiveQueue.hasFin = true
    receiveQueue.finAt = at
    // The text before it has asked for the duplicate ACK already: each segment gets one.
    if (at !== c.receiveNext && s.length === 0) ackOutOfOrder(c)
  }
  if (!receiveQueue.hasFin || receiveQueue.finAt !== c.receiveNext) return
  c.receiveNext = (c.receiveNext + 1) | 0
  if (!atOrAfter(c.receiveRight, c.receiveNext)) c.receiveRight = c.receiveNext
  ackAtOnce(c)
  c.events |= EVENT_PEER_CLOSED
  c.state = nextState(c.state, RECEIVE_FIN)
  if (c.state === TIME_WAIT) enterTimeWait(c, now)
}
