import {
  DROP_TCP_ACK_OF_UNSENT,
  DROP_TCP_ACK_TOO_OLD,
  DROP_TCP_SYN_RECEIVED_BAD_ACK,
  EXT_ECN_ECHOES,
} from '../../counters.ts'
import { ECE, type Instant, type Segment } from '../../segment.ts'
import { after, before, distance } from '../../sequence.ts'
import { ESTABLISHED, nextState, RECEIVE_ACK_OF_SYN, SYN_RECEIVED } from '../../state.ts'
import { TIMER_USER } from '../../timers.ts'
import { challenge } from '../ack-policy.ts'
import { ourFinAcknowledged } from '../close/fin.ts'
import { type ControlBlock, count } from '../control-block.ts'
import { EVENT_FLUSHED } from '../events.ts'
import { established } from '../open.ts'
import { noteRoom } from '../output/room.ts'
import { noteAcknowledged } from '../path/mtu-discovery.ts'
import { adoptProbe } from '../timing/window-probe.ts'
import { resetForAck } from './reset.ts'
import { updateSendWindow } from './send-window.ts'

/**
 * Fifth check of RFC 9293 section 3.10.7.4, with the range of RFC 5961 section 5.2: SND.UNA - MAX.SND.WND <= SEG.ACK <=
 * SND.NXT. False: the segment is dropped.
 */
export function checkAcknowledgment(c: ControlBlock, s: Segment, now: Instant): boolean {
  const ack = s.acknowledgment
  if (c.state === SYN_RECEIVED) {
    if (!after(ack, c.sendUna) || after(ack, c.sendNext)) {
      count(c, DROP_TCP_SYN_RECEIVED_BAD_ACK)
      resetForAck(c, ack)
      return false
    }
    // The window of a SYN is not scaled, that of its answer is.
    c.sendWl1 = s.sequence
    c.sendWl2 = ack
    c.sendWindow = s.window << c.sendScale
    c.sendWindowLargest = Math.max(c.sendWindowLargest, c.sendWindow)
    c.state = nextState(c.state, RECEIVE_ACK_OF_SYN)
    acknowledged(c, s, true, now)
    established(c, now)
    return true
  }
  if (after(ack, c.sendNext)) adoptProbe(c, ack, now)
  if (after(ack, c.sendNext)) {
    count(c, DROP_TCP_ACK_OF_UNSENT)
    challenge(c, now)
    return false
  }
  if (before(ack, c.sendUna)) {
    if (distance(c.sendUna, ack) <= c.sendWindowLargest) return true
    count(c, DROP_TCP_ACK_TOO_OLD)
    challenge(c, now)
    return false
  }
  const windowChanged = updateSendWindow(c, s)
  acknowledged(c, s, windowChanged, now)
  return true
}

/** Applies an acknowledgment SND.UNA <= SEG.ACK <= SND.NXT; the window is up to date. */
export function acknowledged(c: ControlBlock, s: Segment, windowChanged: boolean, now: Instant): void {
  const { recovery, sendQueue } = c
  const ack = s.acknowledgment
  recovery.acknowledged(s, c.sendUna, c.sendNext, windowChanged, now)
  if (c.ecn && (s.flags & ECE) !== 0 && c.state >= ESTABLISHED) {
    count(c, EXT_ECN_ECHOES)
    recovery.ecnEcho(now)
  }
  if (ack === c.sendUna) return
  c.sendUna = ack
  sendQueue.acknowledge(after(ack, sendQueue.tail) ? sendQueue.tail : ack)
  if (before(c.shortEnd, ack)) c.shortEnd = ack
  // The user timeout counts from the last progress; `settle` starts it again when something is left.
  c.timers.clear(TIMER_USER)
  noteAcknowledged(c, ack, now)
  c.sendTuning.window(recovery.congestion.window)
  noteRoom(c)
  if (ack !== c.sendNext || sendQueue.tail !== sendQueue.head) return
  if (c.finSent) ourFinAcknowledged(c, now)
  else if (!c.finQueued) c.events |= EVENT_FLUSHED
}
