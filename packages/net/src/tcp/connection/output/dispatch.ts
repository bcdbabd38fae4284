import { TCP_OUT_RSTS } from '../../counters.ts'
import { timestampAt } from '../../recovery/timestamp-clock.ts'
import { ACK, type Instant, RST, type Segment } from '../../segment.ts'
import { CLOSED, ESTABLISHED, SYN_SENT, TIME_WAIT } from '../../state.ts'
import { type ControlBlock, count, RESET_ACK, RESET_NONE } from '../control-block.ts'
import { expire } from '../timing/expire.ts'
import { settle } from '../timing/settle.ts'
import { acknowledge } from './acknowledge.ts'
import { ask } from './ask.ts'
import { nextData } from './data.ts'
import { handshake } from './handshake.ts'
import { retransmit } from './retransmit.ts'

/**
 * The next segment that may be sent now, in `out`. What is lost goes first, then new data, which both carry the ACK
 * that is owed; then probes; then an ACK of its own. False: nothing, until something happens or `pollAt` comes.
 */
export function dispatch(c: ControlBlock, now: Instant, out: Segment): boolean {
  if (c.timers.isDue(now) || c.recovery.deadline <= now[0]) expire(c, now)
  out.clear()
  if (c.reset !== RESET_NONE) return reset(c, out, now)
  const { state } = c
  const found =
    state >= ESTABLISHED && state !== TIME_WAIT
      ? retransmit(c, out, now) || nextData(c, out, now) || ask(c, out, now) || acknowledge(c, out, now)
      : state !== CLOSED && beyondTransfer(c, out, now)
  if (!found) settle(c, now)
  return found
}

/** The states in which no data is sent. */
function beyondTransfer(c: ControlBlock, out: Segment, now: Instant): boolean {
  if (c.state !== TIME_WAIT && handshake(c, out, now)) return true
  return c.state !== SYN_SENT && acknowledge(c, out, now)
}

function reset(c: ControlBlock, out: Segment, now: Instant): boolean {
  count(c, TCP_OUT_RSTS)
  out.sequence = c.resetSequence
  out.flags = RST
  if (c.reset === RESET_ACK) {
    out.flags = RST | ACK
    out.acknowledgment = c.receiveNext
    if (c.hasTimestamps) {
      // "TSopt [...] SHOULD be sent in a <RST> segment" (RFC 7323 section 3.2).
      out.hasTimestamp = true
      out.timestampValue = timestampAt(now[0], c.recovery.timestampOffset)
      out.timestampEcho = c.timestampRecent
    }
  }
  c.reset = RESET_NONE
  return true
}
