import { ParakernelError } from '@parakernel/hal'

/** An IPv4 address as an int32 in host order: 10.0.0.1 is 0x0a000001. */
export type Ipv4Address = number

export const ANY: Ipv4Address = 0
export const LIMITED_BROADCAST: Ipv4Address = -1
export const ALL_SYSTEMS: Ipv4Address = 0xe000_0001 | 0
export const ALL_ROUTERS: Ipv4Address = 0xe000_0002 | 0
/** Where IGMPv3 reports go (RFC 3376 section 4.2.14). */
export const IGMP_V3_ROUTERS: Ipv4Address = 0xe000_0016 | 0

/** @throws EINVAL unless `text` is four decimal numbers of 0 to 255 */
export function parseIpv4(text: string): Ipv4Address {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)
  const parts = match?.slice(1).map(Number)
  if (parts === undefined || parts.some((part) => part > 255)) {
    throw new ParakernelError('EINVAL', 'is not an IPv4 address', {
      subject: JSON.stringify(text),
      remedy: 'Write four numbers of 0 to 255, as in 10.0.0.1',
    })
  }
  return (parts[0] << 24) | (parts[1] << 16) | (parts[2] << 8) | parts[3]
}

export function formatIpv4(address: Ipv4Address): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`
}

/** Class D (RFC 1112 section 4). */
export const isMulticast = (address: Ipv4Address): boolean => address >>> 28 === 0xe

/** An address together with the length of its network's prefix. */
export interface Ipv4Network {
  readonly address: Ipv4Address
  readonly prefix: number
  readonly mask: number
  /** The directed broadcast address; equal to `LIMITED_BROADCAST` on prefixes of 31 and 32 bits, which have none (RFC 3021). */
  readonly broadcast: Ipv4Address
}

/** @throws EINVAL unless `text` is an address, a slash and a prefix length, and names a host that may exist */
export function parseNetwork(text: string): Ipv4Network {
  const [host, length, ...rest] = text.split('/')
  const prefix = Number(length)
  if (length === undefined || rest.length > 0 || !/^\d+$/.test(length) || prefix < 1 || prefix > 32) {
    throw new ParakernelError('EINVAL', 'is not an address with a prefix length', {
      subject: JSON.stringify(text),
      remedy: 'Write the address, a slash and the bits of its network, as in 10.0.0.1/24',
    })
  }
  const address = parseIpv4(host)
  const mask = prefix === 32 ? -1 : ~(0xffff_ffff >>> prefix)
  const broadcast = prefix >= 31 ? LIMITED_BROADCAST : address | ~mask
  const hostPart = address & ~mask
  if (!isUnicastHost(address) || (prefix < 31 && (hostPart === 0 || address === broadcast))) {
    throw new ParakernelError('EINVAL', 'is not the address of a single host', { subject: JSON.stringify(text) })
  }
  return { address, prefix, mask, broadcast }
}

/**
 * An address that a single host may send from over a network (RFC 1122 section 3.2.1.3): not this network (0/8), not loopback
 * (127/8), neither a group nor class E, which includes limited broadcast. Directed broadcast depends on the network and is
 * the caller's to check.
 */
export function isUnicastHost(address: Ipv4Address): boolean {
  const first = address >>> 24
  return first !== 0 && first !== 127 && first < 224
}
