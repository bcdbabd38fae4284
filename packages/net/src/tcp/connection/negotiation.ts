import { ACK, CWR, ECE, type Segment } from '../segment.ts'
import { LEAST_SEGMENT } from '../settings.ts'
import { SYN_RECEIVED } from '../state.ts'
import type { ControlBlock } from './control-block.ts'
import { userTimeoutOption } from './input/user-timeout.ts'
import { startProbing } from './path/mtu-probing.ts'
import { announcedSegment, updateSegmentSize } from './path/segment-size.ts'
import { defaultSegment } from './path-limits.ts'

/** RFC 7323 section 2.3: a larger shift is taken for this one. */
export const LARGEST_SHIFT = 14

/** What a SYN of ours offers. */
export function offerOptions(c: ControlBlock): void {
  const { settings } = c
  c.hasTimestamps = settings.timestamps
  c.sack = settings.sack
  c.windowScaling = settings.windowScaling
  c.receiveScale = settings.windowScaling ? scaleFor(settings.receiveBufferMaximum) : 0
  startProbing(c)
  updateSegmentSize(c)
}

/** The shift with which a 16-bit window can tell of the largest buffer. */
export function scaleFor(buffer: number): number {
  let shift = 0
  while (shift < LARGEST_SHIFT && 0xffff << shift < buffer) shift++
  return shift
}

/** The peer's SYN or SYN+ACK is here: an option holds when both sides sent it. */
export function synOptions(c: ControlBlock, syn: Segment): void {
  c.remoteMss = Math.max(LEAST_SEGMENT, syn.mss === 0 ? defaultSegment(c.path.family) : syn.mss)
  c.hasTimestamps = c.hasTimestamps && syn.hasTimestamp
  c.sack = c.sack && syn.sackPermitted
  c.windowScaling = c.windowScaling && syn.windowScale >= 0
  c.sendScale = c.windowScaling ? Math.min(LARGEST_SHIFT, syn.windowScale) : 0
  if (!c.windowScaling) c.receiveScale = 0
  if (c.hasTimestamps) c.timestampRecent = syn.timestampValue
  updateSegmentSize(c)
  c.recovery.negotiated(c.segmentSize, c.sack, c.hasTimestamps)
}

/** Options of our SYN (all that is offered) or SYN+ACK (what the peer offered too). */
export function writeSynOptions(c: ControlBlock, out: Segment): void {
  out.mss = announcedSegment(c)
  if (c.windowScaling) out.windowScale = c.receiveScale
  out.sackPermitted = c.sack
  const { announceUserTimeout, userTimeout } = c.settings
  if (announceUserTimeout && userTimeout > 0) out.userTimeout = userTimeoutOption(userTimeout)
}

/**
 * ECN in the handshake (RFC 3168 section 6.1.1). A retransmitted SYN or SYN+ACK goes without, since a middlebox may
 * have dropped the first for its flags (section 6.1.1.1).
 */
export function synEcnFlags(c: ControlBlock): number {
  if (!c.ecn) return 0
  return c.state === SYN_RECEIVED ? ECE : ECE | CWR
}

/** Whether an ACK flag belongs on the SYN that is sent in this state. */
export function synFlags(c: ControlBlock): number {
  return c.state === SYN_RECEIVED ? ACK : 0
}
