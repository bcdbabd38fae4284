import { DROP_TCP_RESET_NOT_EXACT, TCP_ATTEMPT_FAILS, TCP_ESTAB_RESETS } from '../../counters.ts'
import type { Instant, Segment } from '../../segment.ts'
import { CLOSE_WAIT, CLOSING, ESTABLISHED, LAST_ACK, nextState, RECEIVE_RST, SYN_RECEIVED } from '../../state.ts'
import { challenge } from '../ack-policy.ts'
import { finish } from '../close/finish.ts'
import { type ControlBlock, count, RESET_BARE } from '../control-block.ts'

/**
 * Second check of RFC 9293 section 3.10.7.4: a RST in the window counts only when its sequence number is exactly the
 * one expected; others are asked with a challenge ACK, which an honest peer answers with a RST that is exact (RFC 5961
 * section 3.2).
 */
export function processReset(c: ControlBlock, s: Segment, now: Instant): void {
  if (s.sequence !== c.receiveNext) {
    count(c, DROP_TCP_RESET_NOT_EXACT)
    challenge(c, now)
    return
  }
  const before = c.state
  c.state = nextState(before, RECEIVE_RST)
  if (before === SYN_RECEIVED) {
    count(c, TCP_ATTEMPT_FAILS)
    // A listener goes on listening; who opened simultaneously is told.
    finish(c, c.passive ? 'ECONNRESET' : 'ECONNREFUSED')
    return
  }
  if (before === ESTABLISHED || before === CLOSE_WAIT) count(c, TCP_ESTAB_RESETS)
  // In CLOSING and LAST-ACK both sides have ended their streams: all that is missing is an acknowledgment.
  const orderly = before === CLOSING || before === LAST_ACK
  finish(c, orderly ? undefined : 'ECONNRESET', orderly)
}

/** An acknowledgment of something never sent, before the connection is synchronized: `<SEQ=SEG.ACK><CTL=RST>`. */
export function resetForAck(c: ControlBlock, acknowledgment: number): void {
  c.reset = RESET_BARE
  c.resetSequence = acknowledgment
}
