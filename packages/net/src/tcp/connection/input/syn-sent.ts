import {
  DROP_TCP_SYN_SENT_BAD_ACK,
  DROP_TCP_SYN_SENT_BAD_RESET,
  DROP_TCP_SYN_SENT_NO_SYN,
  EXT_SIMULTANEOUS_OPENS,
  TCP_ATTEMPT_FAILS,
} from '../../counters.ts'
import { ACK, CWR, ECE, FIN, type Instant, RST, type Segment, SYN } from '../../segment.ts'
import { after, atOrBefore } from '../../sequence.ts'
import { nextState, RECEIVE_RST, RECEIVE_SYN, RECEIVE_SYN_ACK } from '../../state.ts'
import { MOMENT_HEARD } from '../../timers.ts'
import { ackAtOnce } from '../ack-policy.ts'
import { finish } from '../close/finish.ts'
import { ASK_SYN, type ControlBlock, count } from '../control-block.ts'
import { synOptions } from '../negotiation.ts'
import { established, startReceiving } from '../open.ts'
import { acknowledged } from './acknowledgment.ts'
import { resetForAck } from './reset.ts'
import { acceptText, trimToWindow } from './text.ts'

/** A segment in SYN-SENT (RFC 9293 section 3.10.7.3): only a SYN takes us further, and an ACK must be of ours. */
export function synSent(c: ControlBlock, s: Segment, now: Instant): void {
  const { flags } = s
  const ack = s.acknowledgment
  const hasAck = (flags & ACK) !== 0
  if (hasAck && (atOrBefore(ack, c.initialSend) || after(ack, c.sendNext))) {
    count(c, DROP_TCP_SYN_SENT_BAD_ACK)
    if ((flags & RST) === 0) resetForAck(c, ack)
    return
  }
  if ((flags & RST) !== 0) {
    if (!hasAck) {
      count(c, DROP_TCP_SYN_SENT_BAD_RESET)
      return
    }
    count(c, TCP_ATTEMPT_FAILS)
    c.state = nextState(c.state, RECEIVE_RST)
    finish(c, 'ECONNREFUSED')
    return
  }
  if ((flags & SYN) === 0) {
    count(c, DROP_TCP_SYN_SENT_NO_SYN)
    return
  }
  synOptions(c, s)
  startReceiving(c, s.sequence)
  c.timers.mark(MOMENT_HEARD, now)
  // A window in a SYN is not scaled (RFC 7323 section 2.2).
  c.sendWindow = s.window
  c.sendWindowLargest = s.window
  c.sendWl1 = s.sequence
  c.sendWl2 = ack
  if (hasAck) {
    // RFC 3168 section 6.1.1: an ECN-setup SYN+ACK has ECE and not CWR; both are the mark of a host that copies the
    // flags back.
    c.ecn = c.ecn && (flags & (ECE | CWR)) === ECE
    s.flags &= ~ECE
    c.state = nextState(c.state, RECEIVE_SYN_ACK)
    acknowledged(c, s, true, now)
    established(c, now)
    ackAtOnce(c)
  } else {
    count(c, EXT_SIMULTANEOUS_OPENS)
    // Section 6.1.1: who has sent a SYN without the flags must not use ECN.
    c.ecn = c.ecn && (flags & (ECE | CWR)) === (ECE | CWR)
    c.state = nextState(c.state, RECEIVE_SYN)
    // Our SYN goes again, with the ACK of theirs; a FIN beside a SYN is left to be sent again.
    c.ask = ASK_SYN
    s.flags &= ~FIN
  }
  s.flags &= ~(SYN | CWR)
  s.sequence = (s.sequence + 1) | 0
  trimToWindow(c, s)
  acceptText(c, s, now)
}
