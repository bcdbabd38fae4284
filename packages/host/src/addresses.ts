import { networkInterfaces } from 'node:os'
import { ParakernelError } from '@parakernel/hal'
import {
  checkPort,
  formatIpv4,
  formatIpv6,
  formatSocketAddress,
  isIpv4Mapped,
  parseIpv4,
  parseIpv6,
  parseScopedIpv6,
  type SocketAddress,
} from '@parakernel/queue'
import type { SocketContext } from './context.ts'

export type Family = 'ipv4' | 'ipv6'

/** The wildcard address of a family, and port 0: the name of a socket that has none yet. */
export function unbound(family: Family): SocketAddress {
  return { address: family === 'ipv4' ? '0.0.0.0' : '::', port: 0 }
}

/** An end point in the form in which Node writes it. @throws EINVAL for what is no address of the family, or no port */
export function checkAddress({ address, port }: SocketAddress, family: Family): SocketAddress {
  checkPort(port)
  if (family === 'ipv4') {
    parseIpv4(address)
    return { address, port }
  }
  const { words, zone } = parseScopedIpv6(address)
  const text = formatIpv6(words)
  return { address: zone === undefined ? text : `${text}%${zone}`, port }
}

export function isWildcard(address: string): boolean {
  return address === '0.0.0.0' || address === '::' || address === '::ffff:0.0.0.0'
}

/** @throws EADDRNOTAVAIL for an address other than those that the libOS was given */
export function checkOwn({ address, port }: SocketAddress, context: SocketContext): void {
  if (isWildcard(address)) return
  const own = ownAddressFor(address, context)
  if (own === undefined || own === address) return
  throw new ParakernelError('EADDRNOTAVAIL', `this libOS answers to ${own} only`, {
    subject: formatSocketAddress({ address, port }),
  })
}

/** The libOS's address of the family that `peer` is reached by, in the form of its socket; undefined: any of the host. */
export function ownAddressFor(peer: string, { address, ipv6Address }: SocketContext): string | undefined {
  if (!peer.includes(':')) return address
  if (peer.includes('%') || !isIpv4Mapped(parseIpv6(peer))) return ipv6Address
  return address === undefined ? undefined : `::ffff:${address}`
}

/** The addresses that the host's interfaces have now. */
export function hostAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
  return [...all.filter(({ family }) => family === 'IPv4'), ...all.filter(({ family }) => family === 'IPv6')].map(
    ({ address }) => address,
  )
}

/** The text of an option, without a prefix length. @throws EINVAL */
export function checkOwnOption(text: string | undefined, family: Family): string | undefined {
  const address = text?.split('/')[0]
  if (address === undefined) return undefined
  return family === 'ipv4' ? formatIpv4(parseIpv4(address)) : formatIpv6(parseIpv6(address))
}
