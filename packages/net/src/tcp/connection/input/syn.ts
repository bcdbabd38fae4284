import { DROP_TCP_SYN_IN_WINDOW, DROP_TCP_SYN_REPEATED, TCP_ATTEMPT_FAILS } from '../../counters.ts'
import { ACK, CWR, ECE, type Instant, type Segment, SYN } from '../../segment.ts'
import { atOrAfter } from '../../sequence.ts'
import { nextState, RECEIVE_RST, SYN_RECEIVED } from '../../state.ts'
import { challenge } from '../ack-policy.ts'
import { finish } from '../close/finish.ts'
import { ASK_SYN, type ControlBlock, count } from '../control-block.ts'

/**
 * The peer's own SYN again, in SYN-RECEIVED, before the sequence check finds it one octet old. With an ACK it is the
 * peer's half of a simultaneous open (RFC 9293 figure 8) and goes on as the ACK that it holds. Without, our SYN+ACK was
 * lost: it is sent again. False: dealt with.
 */
export function checkRepeatedSyn(c: ControlBlock, s: Segment): boolean {
  if (c.state !== SYN_RECEIVED || (s.flags & SYN) === 0 || s.sequence !== c.initialReceive) return true
  if ((s.flags & ACK) !== 0) {
    s.flags &= ~(SYN | ECE | CWR)
    s.sequence = (s.sequence + 1) | 0
    // Its window is not scaled (RFC 7323 section 2.2), and from here on all are taken to be; rounded down.
    s.window >>= c.sendScale
    return true
  }
  count(c, DROP_TCP_SYN_REPEATED)
  c.ask = ASK_SYN
  return false
}

/**
 * Fourth check of RFC 9293 section 3.10.7.4. In synchronized states a SYN is only ever answered with a challenge ACK
 * (RFC 5961 section 4.2): a peer that lost its memory answers it with the RST that ends the connection.
 */
export function processSyn(c: ControlBlock, s: Segment, now: Instant): void {
  count(c, DROP_TCP_SYN_IN_WINDOW)
  if (c.state === SYN_RECEIVED && c.passive && atOrAfter(s.sequence, c.receiveNext)) {
    // "If the connection was initiated with a passive OPEN, then return this connection to the LISTEN state."
    count(c, TCP_ATTEMPT_FAILS)
    c.state = nextState(c.state, RECEIVE_RST)
    finish(c, 'ECONNRESET')
    return
  }
  challenge(c, now)
}
