import { EXT_KEEP_ALIVES, EXT_WINDOW_PROBES } from '../../counters.ts'
import { FIN, type Instant, type Segment } from '../../segment.ts'
import { ASK_ALIVE, ASK_NOTHING, type ControlBlock, count } from '../control-block.ts'
import { unsentBytes } from './data.ts'
import { fillHeader } from './header.ts'

/**
 * Segments whose only purpose is an answer. A window probe is one octet of what waits to be sent, beyond the window
 * (RFC 9293 section 3.8.6.1); it does not count in SND.NXT, for the peer need not take it. A keepalive is an empty
 * segment with a number that the peer has acknowledged already, which it must answer (RFC 9293 section 3.8.4).
 */
export function ask(c: ControlBlock, out: Segment, now: Instant): boolean {
  const { ask: question } = c
  if (question === ASK_NOTHING) return false
  c.ask = ASK_NOTHING
  if (question === ASK_ALIVE) {
    count(c, EXT_KEEP_ALIVES)
    fillHeader(c, out, (c.sendNext - 1) | 0, c.receiveNext, now)
    return true
  }
  count(c, EXT_WINDOW_PROBES)
  fillHeader(c, out, c.sendNext, c.receiveNext, now)
  if (unsentBytes(c) > 0) out.length = 1
  else out.flags |= FIN
  c.probeSent = true
  return true
}
