import type { Instant } from '../../segment.ts'
import { distance } from '../../sequence.ts'
import { CLOSED, ESTABLISHED, FIN_WAIT_2, TIME_WAIT } from '../../state.ts'
import { TIMER_CLOSE, TIMER_KEEP_ALIVE, TIMER_USER } from '../../timers.ts'
import type { ControlBlock } from '../control-block.ts'
import { unsentBytes } from '../output/data.ts'
import { watchPeer } from './keep-alive.ts'
import { watchWindow } from './window-probe.ts'

/** Nothing more can be sent now: sets the timers for what waits. After this `pollAt` holds. */
export function settle(c: ControlBlock, now: Instant): void {
  c.stirred = false
  const { state, timers } = c
  if (state === CLOSED || state === TIME_WAIT) return
  if (state >= ESTABLISHED) watchWindow(c, now)
  if (c.settings.keepAlive || timers.runs(TIMER_KEEP_ALIVE)) watchPeer(c, now)
  if (c.orphaned && state !== FIN_WAIT_2 && c.settings.linger <= 0) watchOrphan(c, now)
  if (c.userTimeout === 0) return
  // Also data that a closed window keeps back: the user cares for when it arrives, not why it does not.
  if (c.sendUna === c.sendNext && unsentBytes(c) === 0) timers.clear(TIMER_USER)
  else if (!timers.runs(TIMER_USER)) timers.set(TIMER_USER, now, c.userTimeout)
}

/**
 * Nobody is left to lose patience with a peer that takes the last bytes one by one, or keeps its window closed and answers: an orphan
 * ends when not one whole segment was acknowledged in the time of all its probes.
 */
function watchOrphan(c: ControlBlock, now: Instant): void {
  const { timers, settings } = c
  if (timers.runs(TIMER_CLOSE) && distance(c.sendUna, c.orphanMark) < c.segmentSize) return
  c.orphanMark = c.sendUna
  timers.set(TIMER_CLOSE, now, Math.max(1, settings.orphanRetries) * settings.maximumProbeInterval)
}
