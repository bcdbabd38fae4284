import { HEADER_FIELD, UNKNOWN_NEXT_HEADER, UNKNOWN_OPTION } from '../icmpv6/wire.ts'
import {
  DROP_IP6_BAD_EXTENSION,
  DROP_IP6_BAD_PADDING,
  DROP_IP6_HOP_BY_HOP_NOT_FIRST,
  DROP_IP6_ROUTING_HEADER,
  DROP_IP6_TOO_MANY_HEADERS,
  DROP_IP6_TOO_MANY_OPTIONS,
  DROP_IP6_UNKNOWN_OPTION,
} from './counters.ts'
import * as fragment from './fragment.ts'
import {
  checkOptions,
  OPTIONS_BAD_PADDING,
  OPTIONS_DISCARD,
  OPTIONS_MALFORMED,
  OPTIONS_OK,
  OPTIONS_REPORT,
  OPTIONS_TOO_MANY,
} from './options.ts'
import * as ipv6 from './wire.ts'

export const CHAIN_OK = -1

/** Extension headers of one packet; RFC 8200 section 4.1 names seven, and destination options may come twice. */
const MOST_HEADERS = 8
/** Offsets of a routing header (section 4.4). */
const ROUTING_TYPE = 2
const SEGMENTS_LEFT = 3

/** What stands between an IPv6 header and its upper layer. One object, refilled by `walkHeaders`. */
export class HeaderChain {
  /** The upper layer's number, or `NEXT_FRAGMENT` when the walk ended at a fragment. */
  protocol = 0
  /** Where it, or the fragment header, begins. */
  at = 0
  /** Address of the field that named it: what a parameter problem about an unknown one points at. */
  nextHeaderAt = 0
  routerAlert = false
  /** There was the header of an atomic fragment. */
  fragmented = false
  /**
   * Code of the ICMPv6 parameter problem to send (RFC 4443 section 3.4), -1 for none; with the address that it points
   * at.
   */
  problem = -1
  problemAt = 0
}

/**
 * Walks from the fixed header of the packet at `packet`, in order, over the extension headers (RFC 8200 section 4),
 * and does what each asks of a destination. Returns `CHAIN_OK`, or the drop counter of the first rule that is broken,
 * and then `problem` tells what the sender is to hear.
 *
 * A packet that is a fragment ends the walk at its fragment header; an atomic one (RFC 6946) is no fragment.
 * @param end one past the packet's last byte
 */
export function walkHeaders(view: DataView, packet: number, end: number, toGroup: boolean, chain: HeaderChain): number {
  let next = ipv6.nextHeader(view, packet)
  let field = packet + ipv6.NEXT_HEADER
  let at = packet + ipv6.HEADER_LENGTH
  chain.routerAlert = false
  chain.fragmented = false
  chain.problem = -1
  chain.problemAt = 0
  for (let headers = 0; ; headers++) {
    if (!isExtension(next)) break
    if (headers === MOST_HEADERS) return DROP_IP6_TOO_MANY_HEADERS
    if (at + 8 > end) return DROP_IP6_BAD_EXTENSION
    if (next === ipv6.NEXT_FRAGMENT) {
      if (!fragment.isAtomic(view, at)) break
      if (chain.fragmented) return DROP_IP6_BAD_EXTENSION
      chain.fragmented = true
      next = fragment.nextHeader(view, at)
      field = at
      at += fragment.HEADER_LENGTH
      continue
    }
    const length = (view.getUint8(at + 1) + 1) << 3
    if (at + length > end) return DROP_IP6_BAD_EXTENSION
    if (next === ipv6.NEXT_ROUTING) {
      // We forward for nobody, and type 0 is refused like all unknown types (RFC 5095 section 3) unless its route is
      // used up.
      if (view.getUint8(at + SEGMENTS_LEFT) !== 0) {
        return problem(chain, HEADER_FIELD, at + ROUTING_TYPE, DROP_IP6_ROUTING_HEADER)
      }
    } else {
      if (next === ipv6.NEXT_HOP_BY_HOP && headers > 0) {
        return problem(chain, UNKNOWN_NEXT_HEADER, field, DROP_IP6_HOP_BY_HOP_NOT_FIRST)
      }
      const wrong = optionsDefect(checkOptions(view, at + 2, at + length, toGroup, chain), chain)
      if (wrong !== CHAIN_OK) return wrong
    }
    next = view.getUint8(at)
    field = at
    at += length
  }
  chain.protocol = next
  chain.at = at
  chain.nextHeaderAt = field
  return CHAIN_OK
}

/** Bytes of the upper layer's header that a first fragment must hold (RFC 7112 section 5). */
const TRANSPORT_HEADER = new Map([
  [ipv6.NEXT_TCP, 20],
  [ipv6.NEXT_UDP, 8],
  [ipv6.NEXT_ICMPV6, 8],
])

/**
 * Whether the headers from `at` on, the first of number `first`, all end before `end`, the upper layer's included:
 * what a first fragment must hold (RFC 8200 section 4.5).
 */
export function isChainComplete(view: DataView, first: number, start: number, end: number): boolean {
  let next = first
  let at = start
  for (let headers = 0; isExtension(next) && headers <= MOST_HEADERS; headers++) {
    if (at + 8 > end) return false
    const length = next === ipv6.NEXT_FRAGMENT ? fragment.HEADER_LENGTH : (view.getUint8(at + 1) + 1) << 3
    next = view.getUint8(at)
    at += length
  }
  return at + (TRANSPORT_HEADER.get(next) ?? 0) <= end
}

export function isExtension(next: number): boolean {
  return (
    next === ipv6.NEXT_HOP_BY_HOP ||
    next === ipv6.NEXT_ROUTING ||
    next === ipv6.NEXT_FRAGMENT ||
    next === ipv6.NEXT_DESTINATION
  )
}

function optionsDefect(result: number, chain: HeaderChain): number {
  switch (result) {
    case OPTIONS_OK:
      return CHAIN_OK
    case OPTIONS_MALFORMED:
      return DROP_IP6_BAD_EXTENSION
    case OPTIONS_TOO_MANY:
      return DROP_IP6_TOO_MANY_OPTIONS
    case OPTIONS_BAD_PADDING:
      return DROP_IP6_BAD_PADDING
    case OPTIONS_REPORT:
      return problem(chain, UNKNOWN_OPTION, chain.problemAt, DROP_IP6_UNKNOWN_OPTION)
    case OPTIONS_DISCARD:
      return DROP_IP6_UNKNOWN_OPTION
    default:
      throw new RangeError(`no such result: ${result}`)
  }
}

function problem(chain: HeaderChain, code: number, at: number, reason: number): number {
  chain.problem = code
  chain.problemAt = at
  return reason
}
