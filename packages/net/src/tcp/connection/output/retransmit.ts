import { TCP_RETRANS_SEGS } from '../../counters.ts'
import { FIN, type Instant, PSH, type Segment } from '../../segment.ts'
import { distance } from '../../sequence.ts'
import { type ControlBlock, count } from '../control-block.ts'
import { probeLost } from '../path/mtu-probing.ts'
import { fullSegment, hasNewData } from './data.ts'
import { fillHeader } from './header.ts'

/**
 * What loss recovery wants sent again. Cut to the segment size of now, which may be less than that of then; with the
 * FIN if that lies in it. Never ECT (RFC 3168 section 6.1.5).
 */
export function retransmit(c: ControlBlock, out: Segment, now: Instant): boolean {
  const { recovery, sendQueue } = c
  if (!recovery.nextRetransmission(c.sendNext, hasNewData(c))) return false
  const sequence = recovery.retransmitSequence
  if (c.search !== undefined) probeLost(c, c.search, sequence, now)
  const full = fullSegment(c)
  const wanted = Math.min(recovery.retransmitLength, full)
  const unsent = distance(sendQueue.tail, sequence)
  const length = Math.min(wanted, unsent)
  const fin = c.finSent && length === unsent && recovery.retransmitLength > length
  fillHeader(c, out, sequence, c.receiveNext, now)
  out.length = length
  if (length === unsent && length > 0) out.flags |= PSH
  if (fin) out.flags |= FIN
  count(c, TCP_RETRANS_SEGS)
  recovery.sent(sequence, length + (fin ? 1 : 0), now, true)
  return true
}
