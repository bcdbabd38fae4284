import { sumBytes } from '../checksum/internet-checksum.ts'
import type { PacketMemory } from '../packet-memory.ts'
import {
  DROP_IP_BAD_CHECKSUM,
  DROP_IP_BAD_HEADER_LENGTH,
  DROP_IP_BAD_OPTION,
  DROP_IP_BAD_SOURCE,
  DROP_IP_BAD_TOTAL_LENGTH,
  DROP_IP_BAD_VERSION,
  DROP_IP_SOURCE_ROUTE,
  DROP_IP_TRUNCATED,
} from '../statistics/counters.ts'
import { type Ipv4Address, isUnicastHost } from './address.ts'
import { checkOptions, OPTIONS_MALFORMED, OPTIONS_SOURCE_ROUTED } from './options.ts'
import * as ipv4 from './wire.ts'

export const HEADER_OK = -1

/**
 * Every check of RFC 1122 section 3.2.1 that needs the header alone. Returns `HEADER_OK`, or the drop counter of the first
 * rule that is broken. Time to live is not among them: a host must not discard a datagram that has arrived for it
 * (section 3.2.1.7).
 * @param length bytes that the frame holds from `at` on, link-layer padding included
 */
export function checkHeader(memory: PacketMemory, at: number, length: number): number {
  const { view } = memory
  if (length < 1) return DROP_IP_TRUNCATED
  if (ipv4.version(view, at) !== 4) return DROP_IP_BAD_VERSION
  if (length < ipv4.HEADER_LENGTH) return DROP_IP_TRUNCATED
  const header = ipv4.headerLength(view, at)
  if (header < ipv4.HEADER_LENGTH) return DROP_IP_BAD_HEADER_LENGTH
  const total = ipv4.totalLength(view, at)
  if (total < header) return DROP_IP_BAD_TOTAL_LENGTH
  if (total > length) return DROP_IP_TRUNCATED
  if (sumBytes(memory, at, header) !== 0xffff) return DROP_IP_BAD_CHECKSUM
  if (header > ipv4.HEADER_LENGTH) {
    const options = checkOptions(view, at + ipv4.HEADER_LENGTH, at + header)
    if (options === OPTIONS_MALFORMED) return DROP_IP_BAD_OPTION
    if (options === OPTIONS_SOURCE_ROUTED) return DROP_IP_SOURCE_ROUTE
  }
  return HEADER_OK
}

/**
 * Source addresses that no host may send from over a network (RFC 1122 section 3.2.1.3): those of no single host. 0.0.0.0 is let
 * through for IGMP, whose queries and reports may come from a switch or a host without an address (RFC 4541 section 2.1.1).
 * Broadcast addresses and our own are the caller's to know.
 */
export function checkSource(source: Ipv4Address, protocol: number): number {
  if (source === 0 && protocol === ipv4.PROTOCOL_IGMP) return HEADER_OK
  return isUnicastHost(source) ? HEADER_OK : DROP_IP_BAD_SOURCE
}
