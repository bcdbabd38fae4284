import { ParakernelError } from '@parakernel/hal'
import { formatIpv4, isIpv4Multicast, parseIpv4 } from '@parakernel/queue'

export { formatIpv4, isIpv4Multicast as isMulticast, parseIpv4 }

/** An IPv4 address as an int32 in host order: 10.0.0.1 is 0x0a000001. */
export type Ipv4Address = number

export const LIMITED_BROADCAST: Ipv4Address = -1
export const ALL_SYSTEMS: Ipv4Address = 0xe000_0001 | 0
export const ALL_ROUTERS: Ipv4Address = 0xe000_0002 | 0
/** Where IGMPv3 reports go (RFC 3376 section 4.2.14). */
export const IGMP_V3_ROUTERS: Ipv4Address = 0xe000_0016 | 0

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
