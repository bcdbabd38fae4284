import type { ErrorCode } from '@parakernel/hal'
import { EXT_ICMP_OUT_OF_WINDOW } from '../../counters.ts'
import { atOrAfter, before } from '../../sequence.ts'
import { CLOSED, SYN_RECEIVED, SYN_SENT, TIME_WAIT } from '../../state.ts'
import { giveUp } from '../close/abort.ts'
import { type ControlBlock, count } from '../control-block.ts'

/**
 * ICMP says that a segment of ours could not be delivered. Believed only of data in flight (RFC 5927 section 4.1). A
 * hard error ends a connection that is being opened, and no other: everybody on the path can forge one (RFC 5927
 * section 5.2). Soft errors are kept as the reason for a timeout that may follow (RFC 1122 section 4.2.3.9).
 */
export function unreachable(c: ControlBlock, hard: boolean, code: ErrorCode, quotedSequence: number): boolean {
  const { state } = c
  if (state === CLOSED || state === TIME_WAIT) return false
  if (before(quotedSequence, c.sendUna) || atOrAfter(quotedSequence, c.sendNext)) {
    count(c, EXT_ICMP_OUT_OF_WINDOW)
    return false
  }
  c.softError = code
  if (hard && (state === SYN_SENT || state === SYN_RECEIVED)) giveUp(c, code)
  return true
}
