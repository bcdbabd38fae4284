import type { Instant } from '../../segment.ts'
import { distance, type Sequence } from '../../sequence.ts'
import { TIMER_WINDOW } from '../../timers.ts'
import { abort, giveUp } from '../close/abort.ts'
import { ASK_WINDOW, type ControlBlock } from '../control-block.ts'
import { unsentBytes, usableWindow } from '../output/data.ts'

/**
 * Nothing is in flight, something waits, and the window does not take it: who keeps the connection moving if the ACK
 * that opens the window is lost? A closed window is probed, with intervals that double (RFC 9293 section 3.8.6.1); a
 * window too small to be worth a segment is used as it is after a while (section 3.8.6.2.1).
 */
export function watchWindow(c: ControlBlock, now: Instant): void {
  const { timers } = c
  const waits = unsentBytes(c) > 0 || (c.finQueued && !c.finSent)
  if (!waits || c.sendUna !== c.sendNext) {
    timers.clear(TIMER_WINDOW)
    if (!waits) c.windowProbes = 0
    return
  }
  const closed = usableWindow(c) <= 0
  if (closed !== c.windowClosed) {
    c.windowClosed = closed
    timers.clear(TIMER_WINDOW)
  }
  if (!closed) c.windowProbes = 0
  if (timers.runs(TIMER_WINDOW)) return
  timers.set(TIMER_WINDOW, now, closed ? probeInterval(c) : c.settings.sillyWindowOverride)
}

function probeInterval(c: ControlBlock): number {
  const { settings, recovery } = c
  const { rto } = recovery
  const first = rto > 0 ? rto : settings.initialRto
  return Math.min(settings.maximumProbeInterval, first * 2 ** Math.min(c.windowProbes, 16))
}

/** The timer expired. */
export function windowTimedOut(c: ControlBlock): void {
  if (c.windowClosed) probeWindow(c)
  else c.overridden = true
}

/**
 * A peer that answers may keep its window closed for ever (RFC 1122 section 4.2.2.17), as long as there is a socket to
 * end the connection. One that does not answer is gone.
 */
function probeWindow(c: ControlBlock): void {
  const { settings } = c
  if (c.orphaned && c.windowProbes >= settings.orphanRetries) {
    abort(c, 'ETIMEDOUT')
    return
  }
  if (c.unanswered >= settings.windowProbes && c.userTimeout === 0) {
    giveUp(c, 'ETIMEDOUT')
    return
  }
  c.unanswered++
  c.windowProbes++
  c.ask = ASK_WINDOW
}

/** An ACK one beyond SND.NXT: the peer took the octet of the probe after all. It counts as sent. */
export function adoptProbe(c: ControlBlock, acknowledgment: Sequence, now: Instant): void {
  if (!c.probeSent || distance(acknowledgment, c.sendNext) !== 1) return
  if (unsentBytes(c) === 0) c.finSent = true
  // As if sent twice: its round trip is not measured (Karn).
  c.recovery.sent(c.sendNext, 1, now, false)
  c.recovery.sent(c.sendNext, 1, now, true)
  c.sendNext = acknowledgment
  c.probeSent = false
}
