import { TCP_ACTIVE_OPENS, TCP_PASSIVE_OPENS } from '../counters.ts'
import { CWR, ECE, FIN, type Instant, type Segment, SYN } from '../segment.ts'
import { CLOSE, ESTABLISHED, nextState, OPEN_ACTIVE, OPEN_PASSIVE, RECEIVE_SYN } from '../state.ts'
import { MOMENT_HEARD, TIMER_USER } from '../timers.ts'
import { ASK_NOTHING, type ControlBlock, count } from './control-block.ts'
import { EVENT_CONNECTED, EVENT_READABLE } from './events.ts'
import type { Handshake } from './handshake.ts'
import { acceptText, trimToWindow } from './input/text.ts'
import { LARGEST_SHIFT, offerOptions, synOptions } from './negotiation.ts'
import { startProbing } from './path/mtu-probing.ts'
import { updateSegmentSize } from './path/segment-size.ts'

/** OPEN, active (RFC 9293 section 3.10.1): `dispatch` sends the SYN. */
export function openActive(c: ControlBlock, initialSequence: number, timestampOffset: number, now: Instant): void {
  count(c, TCP_ACTIVE_OPENS)
  offerOptions(c)
  startSending(c, initialSequence, timestampOffset, now)
  c.state = nextState(c.state, OPEN_ACTIVE)
  c.ecn = c.settings.ecn === 'active'
}

/** A SYN for a listener (section 3.10.7.2): `dispatch` sends the SYN+ACK. */
export function openPassive(
  c: ControlBlock,
  syn: Segment,
  initialSequence: number,
  timestampOffset: number,
  now: Instant,
): void {
  count(c, TCP_PASSIVE_OPENS)
  c.passive = true
  offerOptions(c)
  startSending(c, initialSequence, timestampOffset, now)
  c.state = nextState(nextState(c.state, OPEN_PASSIVE), RECEIVE_SYN)
  synOptions(c, syn)
  startReceiving(c, syn.sequence)
  c.timers.mark(MOMENT_HEARD, now)
  c.sendWindow = syn.window
  c.sendWindowLargest = syn.window
  c.sendWl1 = syn.sequence
  c.sendWl2 = c.initialSend
  c.ecn = c.settings.ecn !== 'off' && (syn.flags & (ECE | CWR)) === (ECE | CWR)
  // A FIN beside a SYN is left to be sent again: there is no state for it before the handshake is complete.
  syn.flags &= ~(SYN | FIN | ECE | CWR)
  syn.sequence = (syn.sequence + 1) | 0
  trimToWindow(c, syn)
  acceptText(c, syn, now)
}

/** The handshake was made by a backlog or a cookie; the caller has checked its ACK, and processes it afterwards. */
export function openFromHandshake(c: ControlBlock, h: Handshake, now: Instant): void {
  count(c, TCP_PASSIVE_OPENS)
  c.passive = true
  c.hasTimestamps = h.timestamps
  c.sack = h.sackPermitted
  c.windowScaling = h.windowScale >= 0
  c.sendScale = Math.min(LARGEST_SHIFT, Math.max(0, h.windowScale))
  c.receiveScale = h.localWindowScale
  c.remoteMss = h.mss
  c.ecn = h.ecn
  startProbing(c)
  updateSegmentSize(c)
  startSending(c, h.localSequence, h.timestampOffset, now)
  c.state = nextState(nextState(c.state, OPEN_PASSIVE), RECEIVE_SYN)
  c.recovery.negotiated(c.segmentSize, c.sack, c.hasTimestamps)
  startReceiving(c, h.remoteSequence)
  // The SYN+ACK has told a window, unscaled; what it was is not kept, and cannot have been more than this.
  c.receiveRight = (c.receiveNext + Math.min(0xffff, c.receiveTuning.size)) | 0
  c.timestampRecent = h.timestampRecent
  c.timers.mark(MOMENT_HEARD, now)
  c.sendNext = (c.initialSend + 1) | 0
  const { recovery } = c
  if (h.sentAt[0] >= 0) recovery.sent(c.initialSend, 1, h.sentAt, false)
  else {
    // As if it had been sent twice, so that its round trip is not measured (Karn).
    recovery.sent(c.initialSend, 1, now, false)
    recovery.sent(c.initialSend, 1, now, true)
    recovery.retransmissions = 0
    recovery.retransmittedBytes = 0
  }
  recovery.backoffs = h.retransmissions
}

/** The handshake is complete. */
export function established(c: ControlBlock, now: Instant): void {
  c.events |= EVENT_CONNECTED
  c.ask = ASK_NOTHING
  if (c.receiveQueue.readable > 0) c.events |= EVENT_READABLE
  c.timers.mark(MOMENT_HEARD, now)
  // The user closed before there was a connection: the FIN had to wait.
  if (c.finQueued && c.state === ESTABLISHED) c.state = nextState(c.state, CLOSE)
}

function startSending(c: ControlBlock, initialSequence: number, timestampOffset: number, now: Instant): void {
  const iss = initialSequence | 0
  c.stirred = true
  c.timers.open()
  c.initialSend = iss
  c.sendUna = iss
  c.sendNext = iss
  c.shortEnd = iss
  c.recovery.timestampOffset = timestampOffset | 0
  c.sendQueue.start((iss + 1) | 0)
  c.recovery.start(iss, c.segmentSize, c.sack, c.hasTimestamps, now)
  if (c.userTimeout > 0) c.timers.set(TIMER_USER, now, c.userTimeout)
}

/** The peer's initial sequence number is known. */
export function startReceiving(c: ControlBlock, initialSequence: number): void {
  const next = (initialSequence + 1) | 0
  c.initialReceive = initialSequence
  c.receiveNext = next
  c.receiveRight = next
  c.lastAck = next
  c.receiveQueue.start(next)
}
