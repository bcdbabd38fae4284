import type { Instant } from '../segment.ts'

/**
 * What is known of a connection whose handshake somebody else made for us: a record of the SYN backlog, or a cookie.
 * Made once and reused; `Connection.openFromHandshake` copies it.
 */
export class Handshake {
  /** Our initial sequence number: that of our SYN+ACK. */
  localSequence = 0
  /** The peer's: that of its SYN. */
  remoteSequence = 0
  /** The peer's MSS option; 536 (IPv4) or 1220 (IPv6) when it sent none (RFC 9293 section 3.7.1). */
  mss = 536
  /** The peer's shift count; -1: no scaling in either direction. */
  windowScale = -1
  /** The shift count that our SYN+ACK told; 0 without scaling. */
  localWindowScale = 0
  sackPermitted = false
  timestamps = false
  /** Added to the clock in our timestamps (RFC 7323 section 5.4), int32 milliseconds. */
  timestampOffset = 0
  /** The peer's last timestamp. */
  timestampRecent = 0
  /** Both sides agreed to ECN. */
  ecn = false
  /** Times that the SYN+ACK was sent again: above 1 the initial window is one segment (RFC 5681 section 3.1). */
  retransmissions = 0
  /**
   * When our SYN+ACK was sent, for a first measurement of the round trip; NaN if it was sent twice (Karn), or nobody
   * knows.
   */
  readonly sentAt: Instant = Float64Array.of(Number.NaN)
}
