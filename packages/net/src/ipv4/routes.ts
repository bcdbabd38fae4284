import { ParakernelError } from '@parakernel/hal'
import { formatIpv4, type Ipv4Address, type Ipv4Network } from './address.ts'

export interface Route {
  /** Destinations: `address & mask`. */
  readonly destination: Ipv4Address
  readonly mask: number
  /** The router to send to; 0: the destination itself is on the link. */
  readonly gateway: Ipv4Address
}

/** What `nextHop` answers when no route matches; not an address that a packet can go to. */
export const NO_ROUTE = 0

/** A short routing table (RFC 1122 section 3.3.1), longest prefix first. */
export class RouteTable {
  readonly routes: readonly Route[]

  constructor(routes: readonly Route[]) {
    this.routes = [...routes].sort((a, b) => (b.mask >>> 0) - (a.mask >>> 0))
  }

  /** The neighbour to which a packet for the unicast address `destination` goes, or `NO_ROUTE`. */
  nextHop(destination: Ipv4Address): Ipv4Address {
    for (const { destination: network, mask, gateway } of this.routes) {
      if ((destination & mask) === network) return gateway === 0 ? destination : gateway
    }
    return NO_ROUTE
  }
}

/**
 * The table of a host on one network.
 * @throws EINVAL for a gateway that is not on the network
 */
export function hostRoutes(network: Ipv4Network, gateway: Ipv4Address | undefined): RouteTable {
  const onLink: Route = { destination: network.address & network.mask, mask: network.mask, gateway: 0 }
  if (gateway === undefined) return new RouteTable([onLink])
  if ((gateway & network.mask) !== onLink.destination || gateway === network.address) {
    throw new ParakernelError('EINVAL', 'cannot be reached without a router', {
      subject: `gateway ${formatIpv4(gateway)}`,
      remedy: `Give a neighbour's address in ${formatIpv4(onLink.destination)}/${network.prefix}`,
    })
  }
  return new RouteTable([onLink, { destination: 0, mask: 0, gateway }])
}
