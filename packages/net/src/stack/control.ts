import { type ErrorCode, ParakernelError } from '@parakernel/hal'
import { formatIp, type IpWords, isIpv4Mapped, parseIp } from '@parakernel/queue'
import { macText } from '../ethernet/mac.ts'
import { orderDestinations } from '../ipv6/destination-order.ts'
import type { SourceCandidate } from '../ipv6/source-selection.ts'
import { parseInterfaceAddress, parseRoute } from '../options/interface-options.ts'
import { maskWords, type RouteOrigin, sameWords } from '../route/route-table.ts'
import { interfaceStatistics } from '../statistics/interface-statistics.ts'
import type { AddressOrigin, AddressState } from './address-table.ts'
import type { LeaseInfo } from './dhcp-service.ts'
import type { NetInterface } from './interface.ts'
import type { NeighborInfo } from './neighbors.ts'
import type { ProtocolStack } from './protocol-stack.ts'

/** An interface, as of `ip link`. */
export interface InterfaceInfo {
  readonly name: string
  /** From 1, as RFC 2863 counts. */
  readonly index: number
  readonly mac: string
  readonly mtu: number
  readonly up: boolean
  readonly loopback: boolean
  readonly vlan: number | undefined
  /** Device queues of this partition. */
  readonly queues: number
  /** Counters of RFC 2863, of this partition's queues. */
  readonly statistics: Readonly<Record<string, number>>
}

/** An address of ours, as of `ip address`. Lifetimes in seconds, Infinity for ever. */
export interface AddressInfo {
  readonly interface: string
  readonly family: 'ipv4' | 'ipv6'
  readonly address: string
  readonly prefix: number
  readonly origin: AddressOrigin
  readonly state: AddressState
  readonly preferredFor: number
  readonly validFor: number
}

/** A route, as of `ip route`, in the order in which they are tried. */
export interface RouteInfo {
  readonly family: 'ipv4' | 'ipv6'
  /** With its bits: `10.0.0.0/24`, `::/0`. */
  readonly destination: string
  /** Undefined: on the link. */
  readonly gateway: string | undefined
  readonly interface: string
  readonly metric: number
  readonly origin: RouteOrigin
}

/** Where names are resolved, as of `resolv.conf`. */
export interface ResolverInfo {
  readonly servers: readonly string[]
  readonly search: readonly string[]
}

/** A route to be. */
export interface RouteSpec {
  /** As `192.168.0.0/16`, `fd00::/8`, or `default` for where `gateway` is of. */
  readonly destination: string
  readonly gateway?: string
  /** Needed without a gateway, and with one that is link-local; else that of the gateway's network. */
  readonly interface?: string
  readonly metric?: number
}

/** A stack's interfaces, addresses, routes and neighbours: as data, and to be changed while it runs. */
export class NetControl {
  readonly #stack: ProtocolStack
  readonly #changed: () => void

  /** @param changed something is to be sent or timed */
  constructor(stack: ProtocolStack, changed: () => void) {
    this.#stack = stack
    this.#changed = changed
  }

  interfaces(): readonly InterfaceInfo[] {
    return this.#stack.interfaces.map((iface) => ({
      name: iface.name,
      index: iface.index + 1,
      mac: macText(iface.mac),
      mtu: iface.mtu,
      up: iface.up,
      loopback: iface.loopback,
      vlan: iface.vlanId === 0 ? undefined : iface.vlanId,
      queues: iface.links.length,
      statistics: interfaceStatistics(iface),
    }))
  }

  addresses(): readonly AddressInfo[] {
    const now = this.#stack.context.clock.now()
    return this.#stack.addresses.entries.map((entry) => ({
      interface: entry.interface.name,
      family: familyName(entry.family),
      address: formatIp(entry.words),
      prefix: entry.prefix,
      origin: entry.origin,
      state: entry.state,
      preferredFor: secondsUntil(entry.preferredUntil, now),
      validFor: secondsUntil(entry.validUntil, now),
    }))
  }

  /**
   * Gives an interface another address, as `10.0.0.2/24`. An IPv4 address is probed and announced as the option `addressCheck` says,
   * an IPv6 one is checked for duplicates first (RFC 4862).
   * @throws EINVAL for what is no address, ENODEV for an interface that is none, EADDRINUSE when it is ours already
   */
  addAddress(interfaceName: string, address: string): void {
    const iface = this.#interface(interfaceName)
    const { words, prefix } = parseInterfaceAddress(address)
    if (this.#stack.addresses.has(words)) throw refused('EADDRINUSE', address, 'is an address of ours already')
    this.#readClock()
    this.#stack.addAddress(iface, words, prefix, 'manual')
    this.#changed()
  }

  /**
   * Takes an address away, with or without its prefix: what is sent from it fails with EADDRNOTAVAIL from now on.
   * @throws EINVAL, ENODEV, EADDRNOTAVAIL when the interface does not have it
   */
  removeAddress(interfaceName: string, address: string): void {
    const iface = this.#interface(interfaceName)
    const words = parseIp(address.split('/')[0])
    const entry = this.#stack.addresses.find(words)
    if (entry === undefined || entry.interface !== iface) {
      throw refused('EADDRNOTAVAIL', address, `is no address of ${interfaceName}`)
    }
    this.#readClock()
    this.#stack.removeAddress(entry)
    this.#changed()
  }

  routes(): readonly RouteInfo[] {
    return this.#stack.routes.routes.map(
      ({ family, destination, prefix, gateway, interface: iface, metric, origin }) => ({
        family: familyName(family),
        destination: `${formatIp(destination)}/${prefix}`,
        gateway: gateway === undefined ? undefined : formatIp(gateway),
        interface: iface.name,
        metric,
        origin,
      }),
    )
  }

  /** @throws EINVAL for a bad route or a gateway that is on none of our networks, ENODEV for an interface that is none */
  addRoute(spec: RouteSpec): void {
    const { metric = 0 } = spec
    const { destination, prefix, gateway } = this.#parse(spec)
    const iface = spec.interface === undefined ? this.#interfaceTo(gateway, spec) : this.#interface(spec.interface)
    const family = isIpv4Mapped(destination) ? 4 : 6
    if (!iface.speaks(family)) throw refused('EINVAL', spec.destination, `${iface.name} does not speak IPv${family}`)
    this.#stack.addRoute({ family, destination, prefix, gateway, interface: iface, metric, origin: 'static' })
  }

  /**
   * Removes a route: of that destination and, where they are given, that gateway and interface. The routes of our own networks go with
   * their addresses alone.
   * @throws EINVAL, ENODEV, ENOENT when there is none
   */
  removeRoute(spec: RouteSpec): void {
    const { destination, prefix, gateway } = this.#parse(spec)
    const iface = spec.interface === undefined ? undefined : this.#interface(spec.interface)
    const removed = this.#stack.removeRoutes(
      (route) =>
        route.origin !== 'connected' &&
        route.prefix === prefix &&
        sameWords(route.destination, destination) &&
        (gateway === undefined || (route.gateway !== undefined && sameWords(route.gateway, gateway))) &&
        (iface === undefined || route.interface === iface),
    )
    if (removed === 0) throw refused('ENOENT', spec.destination, 'there is no such route')
  }

  /** What DHCP servers told, one for each interface that has a lease. */
  leases(): readonly LeaseInfo[] {
    return this.#stack.services.flatMap(({ dhcp }) => dhcp?.lease ?? [])
  }

  /** Resolvers and search domains that DHCP servers told, and then those that routers told (RFC 8106). */
  resolvers(): ResolverInfo {
    this.#readClock()
    const { context, ipv6 } = this.#stack
    const leases = this.leases()
    const now = context.time[0]
    return {
      servers: [...new Set([...leases.flatMap(({ dnsServers }) => dnsServers), ...ipv6.dns.servers(now)])],
      search: [...new Set([...leases.flatMap(({ search }) => search), ...ipv6.dns.search(now)])],
    }
  }

  /**
   * The addresses of a name in the order in which to try them (RFC 6724 section 6): those that can be reached first, IPv6 before
   * IPv4 where both serve as well. For a `Resolver`'s option `order`. @throws EINVAL for what is no address
   */
  orderAddresses(addresses: readonly string[]): readonly string[] {
    this.#readClock()
    const words = addresses.map(parseIp)
    const ordered = orderDestinations(words, (destination) => this.#sourceFor(destination))
    return ordered.map((destination) => addresses[words.indexOf(destination)])
  }

  neighbors(): readonly NeighborInfo[] {
    const resolvers = this.#stack.interfaces.flatMap((iface) => [iface.arp, iface.neighborDiscovery])
    return resolvers.flatMap((resolver) => [...(resolver?.list() ?? [])])
  }

  #parse({ destination, gateway, metric = 0 }: RouteSpec) {
    const own = this.#stack.addresses.entries.filter(({ interface: iface }) => !iface.loopback)
    const network = destination === 'default' ? (gateway?.includes(':') ? '::/0' : '0.0.0.0/0') : destination
    return parseRoute(gateway === undefined ? network : `${network} via ${gateway}`, own, metric)
  }

  /** What a packet to an address would be sent from. */
  #sourceFor(destination: IpWords): SourceCandidate | undefined {
    const { output, ipv6 } = this.#stack
    const path = output.pathTo(undefined, destination)
    if (path.failure !== undefined) return undefined
    const plain = { words: path.local.slice(), prefix: 128, deprecated: false, temporary: false, router: undefined }
    return ipv6.candidate(path.interface, path.local) ?? plain
  }

  /** The interface on whose network a gateway is. */
  #interfaceTo(gateway: Int32Array | undefined, { destination }: RouteSpec): NetInterface {
    const entry = this.#stack.addresses.entries.find(({ family, words, prefix }) => {
      if (gateway === undefined || isIpv4Mapped(gateway) !== (family === 4)) return false
      const bits = prefix + (family === 4 ? 96 : 0)
      return sameWords(maskWords(words, bits), maskWords(gateway, bits))
    })
    if (entry !== undefined) return entry.interface
    throw refused('EINVAL', destination, 'nothing says over which interface it leads: name it')
  }

  #interface(name: string): NetInterface {
    const found = this.#stack.interfaces.find((iface) => iface.name === name)
    if (found !== undefined) return found
    const names = this.#stack.interfaces.map((iface) => iface.name).join(', ')
    throw refused('ENODEV', name, `there is no such interface: there are ${names}`)
  }

  #readClock(): void {
    const { time, clock } = this.#stack.context
    time[0] = clock.now()
  }
}

function familyName(family: 4 | 6): 'ipv4' | 'ipv6' {
  return family === 4 ? 'ipv4' : 'ipv6'
}

function secondsUntil(end: number, now: number): number {
  return Math.max(0, end - now) / 1e9
}

function refused(code: ErrorCode, subject: string, message: string): ParakernelError {
  return new ParakernelError(code, message, { subject: JSON.stringify(subject) })
}
