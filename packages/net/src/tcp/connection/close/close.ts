import { EXT_ABORT_ON_CLOSE, EXT_ABORT_ON_LINGER } from '../../counters.ts'
import type { Instant } from '../../segment.ts'
import { ABORT, CLOSE, CLOSED, FIN_WAIT_2, nextState, SYN_RECEIVED, SYN_SENT, TIME_WAIT } from '../../state.ts'
import { TIMER_CLOSE } from '../../timers.ts'
import { type ControlBlock, count } from '../control-block.ts'
import { abort } from './abort.ts'
import { waitForFin } from './fin.ts'
import { finish } from './finish.ts'

/**
 * CLOSE of our half (RFC 9293 section 3.10.4): the FIN follows all that was pushed. Before the handshake is complete it
 * waits for that: the RFC says "queue for processing after entering ESTABLISHED state".
 */
export function shutdownWrite(c: ControlBlock): void {
  if (c.finQueued || c.state === CLOSED || c.state === TIME_WAIT) return
  c.finQueued = true
  c.stirred = true
  if (c.state !== SYN_SENT && c.state !== SYN_RECEIVED) c.state = nextState(c.state, CLOSE)
}

/**
 * The socket is gone: ends both halves in the background. Bytes that nobody has read, or linger 0, reset the connection
 * (RFC 1122 section 4.2.2.13), because its peer would take them for delivered.
 */
export function close(c: ControlBlock, now: Instant): void {
  if (c.orphaned) return
  c.orphaned = true
  const { state, receiveQueue, settings } = c
  if (state === CLOSED || state === TIME_WAIT) {
    receiveQueue.clear()
    return
  }
  if (state === SYN_SENT) {
    c.state = nextState(state, ABORT)
    finish(c, undefined)
    return
  }
  if (settings.linger === 0 || receiveQueue.readable > 0) {
    count(c, settings.linger === 0 ? EXT_ABORT_ON_LINGER : EXT_ABORT_ON_CLOSE)
    abort(c)
    return
  }
  // What lies beyond a gap will never be read: when the gap is filled the connection is reset.
  receiveQueue.renege()
  if (settings.linger > 0) c.timers.set(TIMER_CLOSE, now, settings.linger)
  shutdownWrite(c)
  if (c.state === FIN_WAIT_2) waitForFin(c, now)
}
