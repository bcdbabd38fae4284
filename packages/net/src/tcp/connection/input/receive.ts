import { DROP_TCP_CLOSED, DROP_TCP_NO_ACK } from '../../counters.ts'
import { ACK, type Instant, RST, type Segment, SYN } from '../../segment.ts'
import { CLOSED, SYN_SENT, TIME_WAIT } from '../../state.ts'
import { MOMENT_HEARD } from '../../timers.ts'
import { timeWaitSegment } from '../close/time-wait.ts'
import { type ControlBlock, count } from '../control-block.ts'
import { checkSequence } from './acceptability.ts'
import { checkAcknowledgment } from './acknowledgment.ts'
import { checkTimestamp, takeTimestamp } from './paws.ts'
import { predicted } from './predict.ts'
import { processReset } from './reset.ts'
import { checkRepeatedSyn, processSyn } from './syn.ts'
import { synSent } from './syn-sent.ts'
import { acceptText } from './text.ts'

/**
 * A segment arrives (RFC 9293 section 3.10.7). The stages stand in the order of the RFC; each is a file beside this
 * one, and drops or passes on. Nothing is sent from here: what is owed is noted, `dispatch` sends it.
 */
export function receive(c: ControlBlock, s: Segment, now: Instant): void {
  c.stirred = true
  if (predicted(c, s, now)) return
  if (c.state === CLOSED) count(c, DROP_TCP_CLOSED)
  else if (c.state === SYN_SENT) synSent(c, s, now)
  else if (c.state === TIME_WAIT) timeWaitSegment(c, s, now)
  else synchronized(c, s, now)
}

/** Section 3.10.7.4: all states from SYN-RECEIVED on. */
function synchronized(c: ControlBlock, s: Segment, now: Instant): void {
  if (!checkRepeatedSyn(c, s)) return
  if (c.hasTimestamps && !checkTimestamp(c, s, now)) return
  if (!checkSequence(c, s, now)) return
  if ((s.flags & RST) !== 0) {
    processReset(c, s, now)
    return
  }
  if ((s.flags & SYN) !== 0) {
    processSyn(c, s, now)
    return
  }
  if ((s.flags & ACK) === 0) {
    count(c, DROP_TCP_NO_ACK)
    return
  }
  if (!checkAcknowledgment(c, s, now)) return
  if (c.hasTimestamps) takeTimestamp(c, s, now)
  c.timers.mark(MOMENT_HEARD, now)
  c.unanswered = 0
  acceptText(c, s, now)
}
