/**
 * What a connection needs to know of its path. The stack keeps one for each connection and tells of changes by
 * `mtuChanged`.
 */
export interface PathLimits {
  readonly family: 4 | 6
  /** Longest IP packet, header included. */
  mtu: number
  /** Longest payload of a super-segment that somebody below cuts; 0: none. */
  superPacket: number
  /** IP header with the options that every packet has: 20 or 40. */
  readonly ipHeader: number
  /** Longest IP packet that our interface takes: what the MSS option announces (RFC 6691). */
  interfaceMtu: number
}

/** Length of the TCP header without options. */
export const TCP_HEADER = 20

/** Longest payload of a segment without TCP options, or `fallback` where the MTU is too short to believe. */
export function segmentOfMtu(mtu: number, ipHeader: number): number {
  return mtu - ipHeader - TCP_HEADER
}

/** RFC 9293 section 3.7.1: what a peer takes that sent no MSS option. */
export function defaultSegment(family: 4 | 6): number {
  return family === 4 ? 536 : 1220
}
