import type { ErrorCode } from '@parakernel/hal'
import { CLOSED } from '../../state.ts'
import { ASK_NOTHING, type ControlBlock } from '../control-block.ts'
import { EVENT_CLOSED, EVENT_FAILED } from '../events.ts'

/**
 * The state is CLOSED, or becomes so: gives back every frame and stops every timer. After an orderly end the bytes that
 * arrived in order stay for the application, as long as there is one; else they go too ("all segment queues should be
 * flushed"). A RST that is owed is still sent.
 */
export function finish(c: ControlBlock, failure: ErrorCode | undefined, orderly = false): void {
  c.state = CLOSED
  c.stirred = true
  c.events |= EVENT_CLOSED
  if (failure !== undefined) {
    c.failure = failure
    c.events |= EVENT_FAILED
  }
  c.timers.close()
  c.recovery.reset()
  c.sendQueue.clear()
  if (orderly && !c.orphaned) c.receiveQueue.renege()
  else c.receiveQueue.clear()
  c.ackNow = false
  c.duplicateAcks = 0
  c.ask = ASK_NOTHING
}
