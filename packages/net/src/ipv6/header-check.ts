import {
  type IpWords,
  isIpv4Mapped,
  isLoopback,
  isMulticast,
  isUnspecified,
  SCOPE_INTERFACE,
  scopeOf,
} from './address.ts'
import { DROP_IP6_BAD_DESTINATION, DROP_IP6_BAD_SOURCE, DROP_IP6_BAD_VERSION, DROP_IP6_TRUNCATED } from './counters.ts'
import * as ipv6 from './wire.ts'

export const HEADER_OK = -1

/**
 * What the fixed header alone can be wrong in (RFC 8200 section 3). Returns `HEADER_OK`, or the drop counter of the
 * first rule that is broken. There is no checksum, and a host does not look at the hop limit of what has arrived.
 * @param length bytes that the frame holds from `at` on, link-layer padding included
 */
export function checkHeader(view: DataView, at: number, length: number): number {
  if (length < 1) return DROP_IP6_TRUNCATED
  if (ipv6.version(view, at) !== 6) return DROP_IP6_BAD_VERSION
  if (length < ipv6.HEADER_LENGTH) return DROP_IP6_TRUNCATED
  if (ipv6.HEADER_LENGTH + ipv6.payloadLength(view, at) > length) return DROP_IP6_TRUNCATED
  return HEADER_OK
}

/**
 * Addresses that no packet from a network may bear: sources that are groups, the loopback address (RFC 4291 section
 * 2.5.3) or IPv4-mapped; destinations that are nobody, the loopback address, mapped, or a group of no or of interface
 * scope (section 2.7). Mapped addresses stand for IPv4 inside this host alone: one from outside would pass for an
 * IPv4 peer. The unspecified source is let through: duplicate detection and group reports have it.
 */
export function checkAddresses(source: IpWords, destination: IpWords): number {
  if (isMulticast(source) || isLoopback(source) || isIpv4Mapped(source)) return DROP_IP6_BAD_SOURCE
  if (isUnspecified(destination) || isLoopback(destination) || isIpv4Mapped(destination))
    return DROP_IP6_BAD_DESTINATION
  if (isMulticast(destination) && scopeOf(destination) <= SCOPE_INTERFACE) return DROP_IP6_BAD_DESTINATION
  return HEADER_OK
}
