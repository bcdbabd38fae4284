import type { Instant } from '../../segment.ts'
import { CLOSED, FIN_WAIT_2, nextState, RECEIVE_ACK_OF_FIN, TIME_WAIT } from '../../state.ts'
import { TIMER_CLOSE } from '../../timers.ts'
import type { ControlBlock } from '../control-block.ts'
import { EVENT_FLUSHED } from '../events.ts'
import { finish } from './finish.ts'
import { enterTimeWait } from './time-wait.ts'

/** Everything that we sent is acknowledged, and our FIN with it. */
export function ourFinAcknowledged(c: ControlBlock, now: Instant): void {
  c.events |= EVENT_FLUSHED
  const before = c.state
  c.state = nextState(before, RECEIVE_ACK_OF_FIN)
  if (c.state === before) return
  if (c.state === CLOSED) finish(c, undefined, true)
  else if (c.state === TIME_WAIT) enterTimeWait(c, now)
  else if (c.state === FIN_WAIT_2) waitForFin(c, now)
}

/**
 * FIN-WAIT-2. As long as somebody reads it may last for ever; without a reader the peer gets a while to end its stream,
 * as every system does although the RFC knows no such timer. Whatever it sends then is answered with a RST.
 */
export function waitForFin(c: ControlBlock, now: Instant): void {
  if (c.orphaned) c.timers.set(TIMER_CLOSE, now, c.settings.finWait2)
  else c.timers.clear(TIMER_CLOSE)
}
