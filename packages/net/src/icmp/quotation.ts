import * as ipv4 from '../ipv4/wire.ts'
import * as udp from '../udp/wire.ts'

/** Bytes of the transport header that every ICMP error quotes (RFC 792). */
const QUOTED = 8

/** What an ICMP error says about a datagram that we sent. One object, refilled. */
export interface Quotation {
  protocol: number
  source: number
  destination: number
  /** Length of the datagram that was sent. */
  length: number
  sourcePort: number
  destinationPort: number
  /** The four bytes after the ports: TCP's sequence number. */
  sequence: number
}

/**
 * Reads the datagram that an ICMP error quotes, at `at`. False when it is too short, not IPv4, or a fragment without ports: then
 * nobody can tell whose it was.
 */
export function readQuotation(view: DataView, at: number, length: number, into: Quotation): boolean {
  if (length < ipv4.HEADER_LENGTH || ipv4.version(view, at) !== 4) return false
  const header = ipv4.headerLength(view, at)
  if (header < ipv4.HEADER_LENGTH || length < header + QUOTED) return false
  if ((ipv4.fragment(view, at) & ipv4.OFFSET_MASK) !== 0) return false
  into.protocol = ipv4.protocol(view, at)
  into.source = ipv4.source(view, at)
  into.destination = ipv4.destination(view, at)
  into.length = ipv4.totalLength(view, at)
  into.sourcePort = udp.sourcePort(view, at + header)
  into.destinationPort = udp.destinationPort(view, at + header)
  into.sequence = view.getInt32(at + header + 4)
  return true
}
