import { formatIp, type IpWords, isIpv4Mapped, isIpv6Multicast, parseIp, parseIpv6 } from '@parakernel/queue'

export { formatIp, type IpWords, isIpv4Mapped, isIpv6Multicast as isMulticast, parseIp, parseIpv6 }

export const UNSPECIFIED: IpWords = parseIpv6('::')
export const LOOPBACK: IpWords = parseIpv6('::1')
/** RFC 4291 section 2.7.1. */
export const ALL_NODES: IpWords = parseIpv6('ff02::1')
export const ALL_ROUTERS: IpWords = parseIpv6('ff02::2')
/** Where MLDv2 reports go (RFC 3810 section 5.2.14). */
export const MLD_V2_ROUTERS: IpWords = parseIpv6('ff02::16')
export const LINK_LOCAL_PREFIX: IpWords = parseIpv6('fe80::')

/** Scopes of RFC 4291 section 2.7; unicast addresses are given the ones that RFC 6724 section 3.1 maps them to. */
export const SCOPE_INTERFACE = 1
export const SCOPE_LINK = 2
export const SCOPE_SITE = 5
export const SCOPE_GLOBAL = 14

export function same(a: IpWords, b: IpWords): boolean {
  return a[3] === b[3] && a[2] === b[2] && a[1] === b[1] && a[0] === b[0]
}

export function copy(from: IpWords, to: IpWords): void {
  to[0] = from[0]
  to[1] = from[1]
  to[2] = from[2]
  to[3] = from[3]
}

export function isUnspecified(a: IpWords): boolean {
  return (a[0] | a[1] | a[2] | a[3]) === 0
}

export function isLoopback(a: IpWords): boolean {
  return a[3] === 1 && (a[0] | a[1] | a[2]) === 0
}

/** `fe80::/10` (RFC 4291 section 2.5.6). */
export function isLinkLocal(a: IpWords): boolean {
  return a[0] >>> 22 === 0x3fa
}

/** `fec0::/10`, deprecated (RFC 3879) and still told apart by RFC 6724. */
export function isSiteLocal(a: IpWords): boolean {
  return a[0] >>> 22 === 0x3fb
}

/** The address of a host that a packet may come from over a network; anycast addresses look the same. */
export function isUnicastHost(a: IpWords): boolean {
  return !isMulticastWord(a[0]) && !isUnspecified(a) && !isLoopback(a) && !isIpv4Mapped(a)
}

/** A group: its scope field (RFC 4291 section 2.7). Unicast and IPv4: RFC 6724 sections 3.1 and 3.2. */
export function scopeOf(a: IpWords): number {
  if (isMulticastWord(a[0])) return (a[0] >>> 16) & 15
  if (isLinkLocal(a) || isLoopback(a)) return SCOPE_LINK
  if (isSiteLocal(a)) return SCOPE_SITE
  if (isIpv4Mapped(a) && (a[3] >>> 24 === 127 || a[3] >>> 16 === 0xa9fe)) return SCOPE_LINK
  return SCOPE_GLOBAL
}

/** `ff02::1:ff` and the last 24 bits (RFC 4291 section 2.7.1): where a neighbour that we do not know is asked for. */
export function solicitedNode(a: IpWords, into: IpWords = new Int32Array(4)): IpWords {
  into[0] = 0xff02_0000 | 0
  into[1] = 0
  into[2] = 1
  into[3] = 0xff00_0000 | (a[3] & 0xff_ffff)
  return into
}

/** The first two bytes of the MAC address of a group; its last four are the group's last word (RFC 2464 section 7). */
export const MULTICAST_MAC = 0x3333
export const multicastHigh = (group: IpWords): number => (MULTICAST_MAC << 16) | (group[3] >>> 16)
export const multicastLow = (group: IpWords): number => group[3] & 0xffff

/** Bits that two addresses have in common from the left, up to 128. */
export function commonPrefixLength(a: IpWords, b: IpWords): number {
  for (let i = 0; i < 4; i++) {
    const different = a[i] ^ b[i]
    if (different !== 0) return 32 * i + Math.clz32(different)
  }
  return 128
}

export function matchesPrefix(a: IpWords, prefix: IpWords, length: number): boolean {
  return commonPrefixLength(a, prefix) >= length
}

/** The address with all bits after the first `length` zero. */
export function prefixOf(a: IpWords, length: number): IpWords {
  return a.map((word, i) => {
    const bits = length - 32 * i
    if (bits >= 32) return word
    return bits <= 0 ? 0 : word & ~(0xffff_ffff >>> bits)
  })
}

function isMulticastWord(first: number): boolean {
  return first >>> 24 === 0xff
}
