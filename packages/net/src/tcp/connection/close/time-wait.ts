import { DROP_TCP_IN_TIME_WAIT, DROP_TCP_RESET_IN_TIME_WAIT } from '../../counters.ts'
import type { TimeWaitState } from '../../passive/time-wait.ts'
import {
  judgeTimeWait,
  TIME_WAIT_ACKNOWLEDGE,
  TIME_WAIT_RESET,
  TIME_WAIT_RESTART,
} from '../../passive/time-wait-rules.ts'
import type { Instant, Segment } from '../../segment.ts'
import { distance } from '../../sequence.ts'
import { EXPIRE, nextState } from '../../state.ts'
import { TIMER_CLOSE } from '../../timers.ts'
import { ackAtOnce, challenge } from '../ack-policy.ts'
import { type ControlBlock, count } from '../control-block.ts'
import { EVENT_TIME_WAIT } from '../events.ts'
import { finish } from './finish.ts'

/** Both halves have ended: what remains waits for old duplicates (RFC 9293 section 3.6.1). */
export function enterTimeWait(c: ControlBlock, now: Instant): void {
  const { timers } = c
  timers.clearAll()
  c.recovery.reset()
  timers.set(TIMER_CLOSE, now, c.settings.timeWait)
  c.events |= EVENT_TIME_WAIT
  if (c.orphaned) c.receiveQueue.clear()
}

/**
 * TIME-WAIT in a connection that nobody replaced by a record. A SYN of a new incarnation is only answered: letting it
 * in is up to whoever has the listener, who asks `judgeTimeWait` first.
 */
export function timeWaitSegment(c: ControlBlock, s: Segment, now: Instant): void {
  const verdict = judgeTimeWait(c, s, false)
  count(c, verdict === TIME_WAIT_RESET ? DROP_TCP_RESET_IN_TIME_WAIT : DROP_TCP_IN_TIME_WAIT)
  if (verdict === TIME_WAIT_ACKNOWLEDGE) challenge(c, now)
  if (verdict !== TIME_WAIT_RESTART) return
  ackAtOnce(c)
  c.timers.set(TIMER_CLOSE, now, c.settings.timeWait)
}

/** 2 MSL have passed. */
export function expireTimeWait(c: ControlBlock): void {
  c.state = nextState(c.state, EXPIRE)
  finish(c, undefined, true)
}

/**
 * Hands the wire side of TIME-WAIT over to a compact record; the connection is closed, bytes not yet read stay
 * readable.
 */
export function releaseTimeWait(c: ControlBlock, into: TimeWaitState): void {
  into.sendNext = c.sendNext
  into.receiveNext = c.receiveNext
  into.window = Math.min(0xffff, distance(c.receiveRight, c.receiveNext) >> c.receiveScale)
  into.hasTimestamps = c.hasTimestamps
  into.timestampRecent = c.timestampRecent
  into.timestampOffset = c.recovery.timestampOffset
  expireTimeWait(c)
}
