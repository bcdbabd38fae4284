import type { IpWords } from '@parakernel/queue'
import * as icmpv6 from '../icmpv6/wire.ts'
import { writeAddress } from '../ipv6/wire.ts'

/**
 * Neighbour discovery messages (RFC 4861 section 4): the ICMPv6 header, what stands here, and options in units of 8
 * bytes.
 *
 *                              0          4                              8                24          40
 *     router solicitation     | ...      | reserved                     | options
 *     router advertisement    | ...      | hop limit, flags, lifetime   | reachable, retransmission time | options at 16
 *     neighbour solicitation  | ...      | reserved                     | target         | options
 *     neighbour advertisement | ...      | flags                        | target         | options
 *     redirect                | ...      | reserved                     | target         | destination | options
 */
export const ROUTER_SOLICITATION_LENGTH = 8
export const ROUTER_ADVERTISEMENT_LENGTH = 16
export const NEIGHBOR_LENGTH = 24
export const REDIRECT_LENGTH = 40
/** A message that a router has passed on has less, and is not believed (section 11.2). */
export const HOP_LIMIT = 255

export const TARGET = 8
export const REDIRECT_DESTINATION = 24

/** Flags of a neighbour advertisement (section 4.4). */
export const FLAG_ROUTER = 0x8000_0000 | 0
export const FLAG_SOLICITED = 0x4000_0000
export const FLAG_OVERRIDE = 0x2000_0000
export const neighborFlags = (view: DataView, at: number): number => view.getInt32(at + 4)

/** Of a router advertisement (section 4.2). 0: the router does not say. */
export const currentHopLimit = (view: DataView, at: number): number => view.getUint8(at + 4)
export const routerFlags = (view: DataView, at: number): number => view.getUint8(at + 5)
/** Seconds; 0: not a default router. */
export const routerLifetime = (view: DataView, at: number): number => view.getUint16(at + 6)
/** Milliseconds; 0: the router does not say. */
export const reachableTime = (view: DataView, at: number): number => view.getUint32(at + 8)
export const retransmissionTime = (view: DataView, at: number): number => view.getUint32(at + 12)

/** Preferences of RFC 4191 section 2.1, in order. */
export const PREFERENCE_LOW = -1
export const PREFERENCE_MEDIUM = 0
export const PREFERENCE_HIGH = 1
/** Two bits as they stand in the flags of a router and of a route; 0b10 is reserved. */
export const PREFERENCE_RESERVED = -2
export const preference = (flags: number): number => (((flags >>> 3) & 3) << 30) >> 30

export const OPTION_SOURCE_LINK_LAYER = 1
export const OPTION_TARGET_LINK_LAYER = 2
export const OPTION_PREFIX_INFORMATION = 3
export const OPTION_MTU = 5
/** RFC 3971 section 5.3.2, used by RFC 7527. */
export const OPTION_NONCE = 14
/** RFC 4191 section 2.3. */
export const OPTION_ROUTE_INFORMATION = 24
/** RFC 8106 section 5. */
export const OPTION_RDNSS = 25
export const OPTION_DNSSL = 31

/** A link-layer address option with an Ethernet address, and a nonce option with 6 bytes. */
export const SHORT_OPTION = 8

export function emitLinkLayer(view: DataView, at: number, option: number, high: number, low: number): void {
  view.setInt32(at, (option << 24) | (1 << 16) | (high >>> 16))
  view.setInt32(at + 4, (high << 16) | low)
}

/** A nonce of 6 bytes: the least that RFC 3971 asks for. */
export function emitNonce(view: DataView, at: number, high: number, low: number): void {
  emitLinkLayer(view, at, OPTION_NONCE, high, low)
}

/** Without options. Checksum zero: the caller sums. */
export function emitRouterSolicitation(view: DataView, at: number): void {
  icmpv6.emit(view, at, icmpv6.ROUTER_SOLICITATION, 0, 0)
}

export function emitNeighborSolicitation(view: DataView, at: number, target: IpWords): void {
  icmpv6.emit(view, at, icmpv6.NEIGHBOR_SOLICITATION, 0, 0)
  writeAddress(view, at + TARGET, target)
}

export function emitNeighborAdvertisement(view: DataView, at: number, flags: number, target: IpWords): void {
  icmpv6.emit(view, at, icmpv6.NEIGHBOR_ADVERTISEMENT, 0, flags)
  writeAddress(view, at + TARGET, target)
}
