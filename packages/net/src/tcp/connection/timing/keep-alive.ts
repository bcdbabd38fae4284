import { EXT_ABORT_ON_KEEP_ALIVE } from '../../counters.ts'
import type { Instant } from '../../segment.ts'
import { CLOSED, ESTABLISHED, TIME_WAIT } from '../../state.ts'
import { MOMENT_HEARD, TIMER_KEEP_ALIVE, TIMER_WINDOW } from '../../timers.ts'
import { abort } from '../close/abort.ts'
import { ASK_ALIVE, type ControlBlock, count } from '../control-block.ts'

/**
 * Starts or stops the timer as the settings say. It runs lazily: what is heard moves no deadline, expiry looks when
 * that was.
 */
export function watchPeer(c: ControlBlock, now: Instant): void {
  const { state, settings, timers } = c
  if (!settings.keepAlive || state < ESTABLISHED || state === TIME_WAIT || state === CLOSED) {
    timers.clear(TIMER_KEEP_ALIVE)
  } else if (!timers.runs(TIMER_KEEP_ALIVE)) {
    timers.set(TIMER_KEEP_ALIVE, now, settings.keepAliveIdle - timers.since(MOMENT_HEARD, now))
  }
}

/**
 * The timer expired (RFC 9293 section 3.8.4): asks, again and again, and gives up when nothing was heard since. While
 * data or probes are under way these ask already.
 */
export function askPeer(c: ControlBlock, now: Instant): void {
  const { settings, timers } = c
  const silence = timers.since(MOMENT_HEARD, now)
  if (silence < settings.keepAliveIdle) {
    timers.set(TIMER_KEEP_ALIVE, now, settings.keepAliveIdle - silence)
    return
  }
  if (c.sendUna !== c.sendNext || timers.runs(TIMER_WINDOW)) {
    timers.set(TIMER_KEEP_ALIVE, now, Math.min(settings.keepAliveInterval, settings.keepAliveIdle))
    return
  }
  if (c.unanswered >= settings.keepAliveProbes) {
    count(c, EXT_ABORT_ON_KEEP_ALIVE)
    abort(c, 'ETIMEDOUT')
    return
  }
  c.unanswered++
  c.ask = ASK_ALIVE
  timers.set(TIMER_KEEP_ALIVE, now, settings.keepAliveInterval)
}
