import {
  EXT_ABORT_ON_FIN_WAIT_2,
  EXT_ABORT_ON_LINGER,
  EXT_ABORT_ON_TIMEOUT,
  EXT_ABORT_ON_USER_TIMEOUT,
  EXT_DELAYED_ACKS,
  EXT_TAIL_LOSS_PROBES,
} from '../../counters.ts'
import { EXPIRED_PROBE, EXPIRED_TIMEOUT } from '../../recovery/loss-recovery.ts'
import type { Instant } from '../../segment.ts'
import { ABORT, CLOSED, FIN_WAIT_2, nextState, TIME_WAIT } from '../../state.ts'
import { TIMER_CLOSE, TIMER_DELAYED_ACK, TIMER_KEEP_ALIVE, TIMER_PATH, TIMER_USER, TIMER_WINDOW } from '../../timers.ts'
import { abort } from '../close/abort.ts'
import { finish } from '../close/finish.ts'
import { expireTimeWait } from '../close/time-wait.ts'
import { type ControlBlock, count } from '../control-block.ts'
import { forgetTooLong } from '../path/mtu-probing.ts'
import { askPeer } from './keep-alive.ts'
import { retransmissionTimedOut } from './retransmission-timeout.ts'
import { windowTimedOut } from './window-probe.ts'

/** Runs what is due; the connection may be closed afterwards. */
export function expire(c: ControlBlock, now: Instant): void {
  const { timers, recovery } = c
  if (timers.take(TIMER_USER, now)) {
    count(c, EXT_ABORT_ON_USER_TIMEOUT)
    abort(c, c.softError ?? 'ETIMEDOUT')
    return
  }
  if (timers.take(TIMER_CLOSE, now)) {
    endOfWaiting(c)
    return
  }
  if (recovery.deadline <= now[0]) {
    const found = recovery.expired(now)
    if (found === EXPIRED_TIMEOUT) retransmissionTimedOut(c, now)
    else if (found === EXPIRED_PROBE) count(c, EXT_TAIL_LOSS_PROBES)
  }
  if (timers.take(TIMER_DELAYED_ACK, now)) {
    count(c, EXT_DELAYED_ACKS)
    c.ackNow = true
  }
  if (timers.take(TIMER_WINDOW, now)) windowTimedOut(c)
  if (timers.take(TIMER_KEEP_ALIVE, now)) askPeer(c, now)
  if (timers.take(TIMER_PATH, now)) forgetTooLong(c, now)
}

/**
 * The close timer, by what the state makes of it: 2 MSL, the patience with a peer that does not end its stream,
 * or with one that takes hardly anything of an orphan, or lingering.
 */
function endOfWaiting(c: ControlBlock): void {
  if (c.state === TIME_WAIT) {
    expireTimeWait(c)
  } else if (c.state === FIN_WAIT_2) {
    count(c, EXT_ABORT_ON_FIN_WAIT_2)
    c.state = nextState(c.state, ABORT)
    finish(c, undefined)
  } else if (c.state !== CLOSED) {
    count(c, c.settings.linger > 0 ? EXT_ABORT_ON_LINGER : EXT_ABORT_ON_TIMEOUT)
    abort(c)
  }
}
