import { EXT_ECN_FALLBACKS, EXT_SYN_RETRANSMISSIONS, TCP_RETRANS_SEGS } from '../../counters.ts'
import { timestampAt } from '../../recovery/timestamp-clock.ts'
import { type Instant, type Segment, SYN } from '../../segment.ts'
import { SYN_RECEIVED } from '../../state.ts'
import { ASK_NOTHING, ASK_SYN, type ControlBlock, count } from '../control-block.ts'
import { synEcnFlags, synFlags, writeSynOptions } from '../negotiation.ts'
import { announceWindow } from './receive-window.ts'

/** The SYN, or SYN+ACK, for the first time or again. */
export function handshake(c: ControlBlock, out: Segment, now: Instant): boolean {
  const { recovery } = c
  const first = c.sendNext === c.initialSend
  if (!first) {
    if (c.ask !== ASK_SYN && !recovery.nextRetransmission(c.sendNext, false)) return false
    // A simultaneous open turns the SYN into a SYN+ACK: another segment, but sent again.
    count(c, EXT_SYN_RETRANSMISSIONS)
    count(c, TCP_RETRANS_SEGS)
    if (c.ecn && recovery.backoffs > 0) {
      // RFC 3168 section 6.1.1.1: without the flags from now on, for they may be why it was lost.
      count(c, EXT_ECN_FALLBACKS)
      c.ecn = false
    }
  }
  c.ask = ASK_NOTHING
  out.sequence = c.initialSend
  out.flags = SYN | synFlags(c) | synEcnFlags(c)
  writeSynOptions(c, out)
  if (c.state === SYN_RECEIVED) {
    out.acknowledgment = c.receiveNext
    out.window = unscaledWindow(c)
    c.lastAck = c.receiveNext
    c.ackNow = false
  } else {
    // Nothing is received yet: the window is what the buffer holds, and nobody relies on its edge before the answer.
    out.window = Math.min(0xffff, c.receiveTuning.size)
  }
  if (c.hasTimestamps) {
    out.hasTimestamp = true
    out.timestampValue = timestampAt(now[0], recovery.timestampOffset)
    out.timestampEcho = c.state === SYN_RECEIVED ? c.timestampRecent : 0
  }
  c.sendNext = (c.initialSend + 1) | 0
  recovery.sent(c.initialSend, 1, now, !first)
  return true
}

/** A window in a SYN is never scaled (RFC 7323 section 2.2). */
function unscaledWindow(c: ControlBlock): number {
  const { receiveScale } = c
  c.receiveScale = 0
  const window = announceWindow(c, c.receiveNext)
  c.receiveScale = receiveScale
  return window
}
