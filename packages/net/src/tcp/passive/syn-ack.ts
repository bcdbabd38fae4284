import type { Handshake } from '../connection/handshake.ts'
import { scaleFor } from '../connection/negotiation.ts'
import { defaultSegment, segmentOfMtu } from '../connection/path-limits.ts'
import { timestampAt } from '../recovery/timestamp-clock.ts'
import { ACK, CWR, ECE, type Instant, type Segment, SYN } from '../segment.ts'
import { LEAST_SEGMENT, type TcpSettings } from '../settings.ts'

/** What a SYN and a listener's settings have in common: an option holds when both sides want it. The sequence numbers are the caller's. */
export function agree(syn: Segment, settings: TcpSettings, family: 4 | 6, into: Handshake): void {
  into.remoteSequence = syn.sequence
  into.mss = Math.max(LEAST_SEGMENT, syn.mss === 0 ? defaultSegment(family) : syn.mss)
  into.windowScale = settings.windowScaling ? syn.windowScale : -1
  into.sackPermitted = settings.sack && syn.sackPermitted
  into.timestamps = settings.timestamps && syn.hasTimestamp
  into.timestampRecent = syn.timestampValue
  into.ecn = settings.ecn !== 'off' && (syn.flags & (ECE | CWR)) === (ECE | CWR)
  into.retransmissions = 0
}

/** What a SYN+ACK announces: never scaled (RFC 7323 section 2.2). */
export function openingWindow(settings: TcpSettings): number {
  return Math.min(0xffff, settings.receiveBufferInitial)
}

/** The shift count that a SYN+ACK tells, if both sides scale. */
export function openingScale(agreed: Handshake, settings: TcpSettings): number {
  return agreed.windowScale < 0 ? 0 : scaleFor(settings.receiveBufferMaximum)
}

/** Writes the SYN+ACK for what was agreed. @param mtu of the interface, which the MSS option follows (RFC 6691) */
export function fillSynAck(
  agreed: Handshake,
  settings: TcpSettings,
  family: 4 | 6,
  mtu: number,
  now: Instant,
  out: Segment,
): void {
  out.clear()
  out.sequence = agreed.localSequence
  out.acknowledgment = (agreed.remoteSequence + 1) | 0
  // ECN is not asked for again: a middlebox may have dropped the first answer for it (RFC 3168 section 6.1.1.1).
  out.flags = SYN | ACK | (agreed.ecn && agreed.retransmissions === 0 ? ECE : 0)
  out.window = openingWindow(settings)
  const mss = Math.min(0xffff, segmentOfMtu(mtu, family === 4 ? 20 : 40))
  out.mss = settings.maximumSegment === 0 ? mss : Math.min(mss, settings.maximumSegment)
  out.windowScale = agreed.windowScale < 0 ? -1 : openingScale(agreed, settings)
  out.sackPermitted = agreed.sackPermitted
  if (agreed.timestamps) stamp(agreed, now, out)
}

/** Adds our timestamp, and the echo of the peer's. */
export function stamp(agreed: Handshake, now: Instant, out: Segment): void {
  out.hasTimestamp = true
  out.timestampValue = timestampAt(now[0], agreed.timestampOffset)
  out.timestampEcho = agreed.timestampRecent
}
