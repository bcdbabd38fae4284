import { type Ipv4Address, isMulticast, isUnicastHost } from '../ipv4/address.ts'
import * as ipv4 from '../ipv4/wire.ts'
import * as icmp from './wire.ts'

/** What the rules ask of the interface that a datagram came by. */
export interface ErrorScope {
  isBroadcast(address: Ipv4Address): boolean
  /** It came from ourselves: 127.0.0.0/8 is then a host's. */
  readonly loopback: boolean
}

/**
 * Whether an ICMP error may be sent about the datagram at `at` (RFC 1122 section 3.2.2): not about an ICMP error, not to or
 * about a group (of either layer), not about a fragment other than the first, and only to a single host.
 * @param length bytes of the datagram that are at hand
 * @param linkGroup it came to a link-layer broadcast or multicast address
 */
export function mayReport(view: DataView, at: number, length: number, linkGroup: boolean, scope: ErrorScope): boolean {
  if (linkGroup) return false
  const source = ipv4.source(view, at)
  const destination = ipv4.destination(view, at)
  const single = isUnicastHost(source) || (scope.loopback && source >>> 24 === 127)
  if (!single || scope.isBroadcast(source)) return false
  if (isMulticast(destination) || scope.isBroadcast(destination)) return false
  if ((ipv4.fragment(view, at) & ipv4.OFFSET_MASK) !== 0) return false
  if (ipv4.protocol(view, at) !== ipv4.PROTOCOL_ICMP) return true
  // An ICMP message too short to show its type might be an error.
  const header = ipv4.headerLength(view, at)
  return length > header && !icmp.isError(icmp.type(view, at + header))
}
