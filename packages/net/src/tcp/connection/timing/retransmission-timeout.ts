import { EXT_ABORT_ON_TIMEOUT, EXT_TIMEOUTS } from '../../counters.ts'
import type { Instant } from '../../segment.ts'
import { ESTABLISHED, SYN_RECEIVED, SYN_SENT } from '../../state.ts'
import { giveUp } from '../close/abort.ts'
import { type ControlBlock, count } from '../control-block.ts'
import { EVENT_PATH_SUSPECT } from '../events.ts'
import { believePending } from '../path/mtu-discovery.ts'
import { suspectBlackHole } from '../path/mtu-probing.ts'

/**
 * The retransmission timer expired, and loss recovery has marked what is lost: R1 and R2 of RFC 1122 section 4.2.3.5,
 * and the path.
 */
export function retransmissionTimedOut(c: ControlBlock, now: Instant): void {
  const { recovery, settings, state } = c
  count(c, EXT_TIMEOUTS)
  if (recovery.backoffs > retryLimit(c)) {
    // A peer that shrank its window to nothing and still answers is probed by these retransmissions (RFC 9293 section
    // 3.8.6).
    if (state < ESTABLISHED || c.sendWindow > 0 || c.orphaned || c.unanswered++ >= settings.windowProbes) {
      count(c, EXT_ABORT_ON_TIMEOUT)
      giveUp(c, 'ETIMEDOUT')
      return
    }
  }
  if (recovery.backoffs === settings.retriesSuspect) c.events |= EVENT_PATH_SUSPECT
  if (state < ESTABLISHED) return
  believePending(c, now)
  suspectBlackHole(c, now)
}

/** With a user timeout that one decides alone, sooner or later than the retries would (RFC 5482 section 3). */
function retryLimit(c: ControlBlock): number {
  const { settings } = c
  if (c.state === SYN_SENT) return settings.synRetries
  if (c.state === SYN_RECEIVED) return settings.synAckRetries
  if (c.orphaned) return settings.orphanRetries
  return c.userTimeout > 0 ? Number.POSITIVE_INFINITY : settings.retries
}
