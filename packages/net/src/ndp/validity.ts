import type { IpWords } from '@parakernel/queue'
import * as icmpv6 from '../icmpv6/wire.ts'
import { isLinkLocal, isMulticast, isUnspecified, same, solicitedNode } from '../ipv6/address.ts'
import {
  DROP_ND_BAD_DESTINATION,
  DROP_ND_BAD_HOP_LIMIT,
  DROP_ND_BAD_REDIRECT,
  DROP_ND_BAD_SOURCE,
  DROP_ND_BAD_TARGET,
  DROP_ND_MALFORMED,
} from '../ipv6/counters.ts'
import { readAddress } from '../ipv6/wire.ts'
import { type NeighborOptions, readOptions } from './options.ts'
import * as nd from './wire.ts'

export const MESSAGE_OK = -1

/**
 * A message with the packet around it. One object, refilled; `options` and the two addresses are set by
 * `checkMessage`.
 */
export interface NeighborMessage {
  readonly source: IpWords
  readonly destination: IpWords
  hopLimit: number
  readonly options: NeighborOptions
  /** Of solicitations, advertisements and redirects. */
  readonly target: IpWords
  /** Whom a redirect is about. */
  readonly redirected: IpWords
}

export function createNeighborMessage(options: NeighborOptions): NeighborMessage {
  const address = () => new Int32Array(4)
  return { source: address(), destination: address(), hopLimit: 0, options, target: address(), redirected: address() }
}

const LEAST_LENGTH = new Map([
  [icmpv6.ROUTER_SOLICITATION, nd.ROUTER_SOLICITATION_LENGTH],
  [icmpv6.ROUTER_ADVERTISEMENT, nd.ROUTER_ADVERTISEMENT_LENGTH],
  [icmpv6.NEIGHBOR_SOLICITATION, nd.NEIGHBOR_LENGTH],
  [icmpv6.NEIGHBOR_ADVERTISEMENT, nd.NEIGHBOR_LENGTH],
  [icmpv6.REDIRECT, nd.REDIRECT_LENGTH],
])

const solicited: IpWords = new Int32Array(4)

/**
 * The checks of RFC 4861 sections 6.1, 7.1 and 8.1 on the message of `length` bytes at `at`, whose checksum is right.
 * Returns `MESSAGE_OK`, or the drop counter of the first rule that is broken. Whether a redirect came from the router
 * in use is left to the caller.
 */
export function checkMessage(view: DataView, at: number, length: number, message: NeighborMessage): number {
  if (message.hopLimit !== nd.HOP_LIMIT) return DROP_ND_BAD_HOP_LIMIT
  const type = icmpv6.type(view, at)
  const least = LEAST_LENGTH.get(type)
  if (least === undefined || icmpv6.code(view, at) !== 0 || length < least) return DROP_ND_MALFORMED
  if (!readOptions(view, at + least, at + length, message.options)) return DROP_ND_MALFORMED
  switch (type) {
    case icmpv6.ROUTER_SOLICITATION:
      return checkNoSourceOption(message)
    case icmpv6.ROUTER_ADVERTISEMENT:
      return isLinkLocal(message.source) ? MESSAGE_OK : DROP_ND_BAD_SOURCE
    case icmpv6.NEIGHBOR_SOLICITATION:
      readAddress(view, at + nd.TARGET, message.target)
      return checkSolicitation(message)
    case icmpv6.NEIGHBOR_ADVERTISEMENT:
      readAddress(view, at + nd.TARGET, message.target)
      return checkAdvertisement(message, nd.neighborFlags(view, at))
    default:
      readAddress(view, at + nd.TARGET, message.target)
      readAddress(view, at + nd.REDIRECT_DESTINATION, message.redirected)
      return checkRedirect(message)
  }
}

/** Section 7.1.1. */
function checkSolicitation(message: NeighborMessage): number {
  if (isMulticast(message.target) || isUnspecified(message.target)) return DROP_ND_BAD_TARGET
  if (!isUnspecified(message.source)) return MESSAGE_OK
  if (!same(message.destination, solicitedNode(message.target, solicited))) return DROP_ND_BAD_DESTINATION
  return checkNoSourceOption(message)
}

/** Section 7.1.2. */
function checkAdvertisement({ target, source, destination }: NeighborMessage, flags: number): number {
  if (isMulticast(target) || isUnspecified(target)) return DROP_ND_BAD_TARGET
  if (isUnspecified(source)) return DROP_ND_BAD_SOURCE
  if (isMulticast(destination) && (flags & nd.FLAG_SOLICITED) !== 0) return DROP_ND_BAD_DESTINATION
  return MESSAGE_OK
}

/** Section 8.1. */
function checkRedirect({ source, target, redirected }: NeighborMessage): number {
  if (!isLinkLocal(source)) return DROP_ND_BAD_SOURCE
  if (isMulticast(redirected) || isUnspecified(redirected)) return DROP_ND_BAD_REDIRECT
  return isLinkLocal(target) || same(target, redirected) ? MESSAGE_OK : DROP_ND_BAD_TARGET
}

/** Who has no address yet has no business to be remembered at one. */
function checkNoSourceOption({ source, options }: NeighborMessage): number {
  return isUnspecified(source) && options.hasSource ? DROP_ND_MALFORMED : MESSAGE_OK
}
