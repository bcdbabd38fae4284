import type { IpWords } from '@parakernel/queue'
import { readAddress } from '../ipv6/wire.ts'
import * as nd from './wire.ts'

/** What a prefix information option says (RFC 4861 section 4.6.2). */
export interface PrefixInformation {
  readonly prefix: IpWords
  readonly length: number
  readonly onLink: boolean
  readonly autonomous: boolean
  /** Nanoseconds, Infinity for ever. */
  readonly valid: number
  readonly preferred: number
}

/** What a route information option says (RFC 4191 section 2.3). */
export interface RouteInformation {
  readonly prefix: IpWords
  readonly length: number
  readonly preference: number
  /** Nanoseconds, Infinity for ever, 0 to withdraw. */
  readonly lifetime: number
}

/** Servers or search domains with their lifetime in nanoseconds (RFC 8106 section 5). */
export interface DnsInformation {
  readonly servers: readonly IpWords[]
  readonly domains: readonly string[]
  readonly lifetime: number
}

/** Options of each kind of one advertisement that are taken; what is beyond is passed over (RFC 4861 section 4.6.2). */
const MOST = 16

/** What the options of one message say. One object, refilled; lists stay empty but for router advertisements. */
export class NeighborOptions {
  /** Of the source, or of the target; the message's kind says which matters. */
  hasSource = false
  sourceHigh = 0
  sourceLow = 0
  hasTarget = false
  targetHigh = 0
  targetLow = 0
  hasNonce = false
  nonceHigh = 0
  nonceLow = 0
  /** 0: none. */
  mtu = 0
  readonly prefixes: PrefixInformation[] = []
  readonly routes: RouteInformation[] = []
  readonly dns: DnsInformation[] = []

  clear(): void {
    this.hasSource = false
    this.hasTarget = false
    this.hasNonce = false
    this.mtu = 0
    this.prefixes.length = 0
    this.routes.length = 0
    this.dns.length = 0
  }
}

/**
 * Reads the options from `start` to `end`. Unknown ones, and known ones of a length that they cannot have, are passed
 * over; false when an option has no length or runs over the end: then the whole message is to be ignored (RFC 4861
 * section 4.6).
 */
export function readOptions(view: DataView, start: number, end: number, into: NeighborOptions): boolean {
  into.clear()
  for (let at = start; at < end; ) {
    if (at + 8 > end) return false
    const length = view.getUint8(at + 1) << 3
    if (length === 0 || at + length > end) return false
    readOption(view, at, length, into)
    at += length
  }
  return true
}

function readOption(view: DataView, at: number, length: number, into: NeighborOptions): void {
  switch (view.getUint8(at)) {
    case nd.OPTION_SOURCE_LINK_LAYER:
      if (length !== nd.SHORT_OPTION) return
      into.hasSource = true
      into.sourceHigh = view.getInt32(at + 2)
      into.sourceLow = view.getUint16(at + 6)
      return
    case nd.OPTION_TARGET_LINK_LAYER:
      if (length !== nd.SHORT_OPTION) return
      into.hasTarget = true
      into.targetHigh = view.getInt32(at + 2)
      into.targetLow = view.getUint16(at + 6)
      return
    case nd.OPTION_NONCE:
      // Ours have 6 bytes: a longer one is somebody else's.
      if (length !== nd.SHORT_OPTION) return
      into.hasNonce = true
      into.nonceHigh = view.getInt32(at + 2)
      into.nonceLow = view.getUint16(at + 6)
      return
    case nd.OPTION_MTU:
      if (length === 8) into.mtu = view.getUint32(at + 4)
      return
    case nd.OPTION_PREFIX_INFORMATION:
      if (length === 32 && into.prefixes.length < MOST) into.prefixes.push(readPrefix(view, at))
      return
    case nd.OPTION_ROUTE_INFORMATION:
      if (into.routes.length < MOST) readRoute(view, at, length, into)
      return
    case nd.OPTION_RDNSS:
      if (length >= 24 && (length & 15) === 8 && into.dns.length < MOST) into.dns.push(readServers(view, at, length))
      return
    case nd.OPTION_DNSSL:
      if (length >= 16 && into.dns.length < MOST) readDomains(view, at, length, into)
      return
  }
}

function readPrefix(view: DataView, at: number): PrefixInformation {
  const flags = view.getUint8(at + 3)
  return {
    prefix: addressAt(view, at + 16),
    length: view.getUint8(at + 2),
    onLink: (flags & 0x80) !== 0,
    autonomous: (flags & 0x40) !== 0,
    valid: lifetime(view.getUint32(at + 4)),
    preferred: lifetime(view.getUint32(at + 8)),
  }
}

/** The prefix takes 0, 8 or 16 bytes, by its length (RFC 4191 section 2.3). */
function readRoute(view: DataView, at: number, length: number, into: NeighborOptions): void {
  const bits = view.getUint8(at + 2)
  const preference = nd.preference(view.getUint8(at + 3))
  const needed = bits === 0 ? 8 : bits <= 64 ? 16 : 24
  if (bits > 128 || length < needed || length > 24 || preference === nd.PREFERENCE_RESERVED) return
  const prefix = new Int32Array(4)
  for (let i = 0; 8 + 4 * i < length; i++) prefix[i] = view.getInt32(at + 8 + 4 * i)
  into.routes.push({ prefix, length: bits, preference, lifetime: lifetime(view.getUint32(at + 4)) })
}

function readServers(view: DataView, at: number, length: number): DnsInformation {
  const servers: IpWords[] = []
  for (let i = at + 8; i < at + length; i += 16) servers.push(addressAt(view, i))
  return { servers, domains: [], lifetime: lifetime(view.getUint32(at + 4)) }
}

/** Domain names as of RFC 1035 section 3.1, without compression, padded with zeros (RFC 8106 section 5.2). */
function readDomains(view: DataView, start: number, length: number, into: NeighborOptions): void {
  const end = start + length
  const domains: string[] = []
  let at = start + 8
  while (at < end && view.getUint8(at) !== 0) {
    const labels: string[] = []
    for (;;) {
      if (at >= end) return
      const size = view.getUint8(at++)
      if (size === 0) break
      if (size > 63 || at + size > end) return
      let label = ''
      for (let i = 0; i < size; i++) label += String.fromCharCode(view.getUint8(at + i))
      if (!/^[\w-]+$/.test(label)) return
      labels.push(label)
      at += size
    }
    domains.push(labels.join('.'))
  }
  if (domains.length > 0) into.dns.push({ servers: [], domains, lifetime: lifetime(view.getUint32(start + 4)) })
}

function addressAt(view: DataView, at: number): IpWords {
  const words = new Int32Array(4)
  readAddress(view, at, words)
  return words
}

/** All ones stand for ever. */
function lifetime(seconds: number): number {
  return seconds === 0xffff_ffff ? Number.POSITIVE_INFINITY : seconds * 1e9
}
