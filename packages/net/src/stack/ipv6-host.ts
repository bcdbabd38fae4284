import type { IpWords } from '@parakernel/queue'
import type { Ipv6Mode } from '../config.ts'
import * as icmpv6 from '../icmpv6/wire.ts'
import { isLinkLocal, same, solicitedNode, UNSPECIFIED } from '../ipv6/address.ts'
import {
  ICMP6_IN_NEIGHBOR_ADVERTISEMENTS,
  ICMP6_IN_NEIGHBOR_SOLICITS,
  ICMP6_IN_REDIRECTS,
  ICMP6_IN_ROUTER_ADVERTISEMENTS,
  ICMP6_IN_ROUTER_SOLICITS,
  ND_DUPLICATES,
} from '../ipv6/counters.ts'
import type { Ipv6Settings } from '../ipv6/settings.ts'
import { type SourceCandidate, selectSource } from '../ipv6/source-selection.ts'
import { Autoconfiguration } from '../ndp/autoconfiguration.ts'
import { type DnsInformation, NeighborOptions } from '../ndp/options.ts'
import { OwnAddress, OwnAddresses } from '../ndp/own-addresses.ts'
import { checkMessage, createNeighborMessage, MESSAGE_OK } from '../ndp/validity.ts'
import * as nd from '../ndp/wire.ts'
import type { RouteTable } from '../route/route-table.ts'
import type { AddressOrigin, AddressTable, LocalAddress } from './address-table.ts'
import type { GroupFilter } from './group-filter.ts'
import type { Incoming } from './incoming.ts'
import type { NetInterface } from './interface.ts'
import { Ipv6LinkSender } from './ipv6-link-sender.ts'
import { ListenerService } from './ipv6-listener-service.ts'
import { NeighborService } from './ipv6-neighbor-service.ts'
import { RouterService } from './ipv6-router-service.ts'
import type { WaitingPackets } from './neighbors.ts'
import type { Siblings } from './siblings.ts'

const NEVER = Number.POSITIVE_INFINITY
/** RFC 4293 calls everything autoconfigured `linklayer` but for what is random. */
const ORIGINS: Record<OwnAddress['origin'], AddressOrigin> = {
  static: 'manual',
  'link-local': 'linklayer',
  stable: 'linklayer',
  temporary: 'random',
}

/** What one interface's IPv6 is made from. */
export interface Ipv6HostSetup {
  readonly mode: Ipv6Mode
  /** Of routes that routers tell. */
  readonly metric: number
  readonly settings: Ipv6Settings
  readonly addresses: AddressTable
  readonly routes: RouteTable<NetInterface>
  readonly filter: GroupFilter
  readonly packets: WaitingPackets
  readonly siblings: Siblings | undefined
  /** Of the partitions that share the interface, this one checks addresses for duplicates. */
  readonly first: boolean
  dns(information: DnsInformation): void
  /** Whether a transport has made progress by way of a neighbour in the last `within` nanoseconds. */
  hasProgress(neighbor: IpWords, within: number): boolean
}

/** IPv6 of one interface: its addresses, and the protocols by which it comes to terms with its link. */
export class Ipv6Host {
  readonly own: OwnAddresses
  readonly neighborService: NeighborService
  readonly listener: ListenerService
  readonly router: RouterService
  readonly #interface: NetInterface
  readonly #setup: Ipv6HostSetup
  readonly #autoconfiguration: Autoconfiguration
  readonly #message = createNeighborMessage(new NeighborOptions())
  /** What the stack's table knows of each address. */
  readonly #entries = new Map<OwnAddress, LocalAddress>()
  #generation = -1
  #candidates: readonly SourceCandidate[] = []

  constructor(iface: NetInterface, setup: Ipv6HostSetup) {
    const { mode, metric, settings, filter, packets, siblings, routes, first, dns } = setup
    this.#interface = iface
    this.#setup = setup
    const sender = new Ipv6LinkSender(iface)
    const group: IpWords = new Int32Array(4)
    const { retransmission } = settings.neighbors
    const transmits = first ? settings.duplicateProbes : 0
    this.own = new OwnAddresses({ transmits }, retransmission, iface.random, {
      listen: ({ words }) => this.listener.join(solicitedNode(words, group), iface.time[0]),
      unlisten: ({ words }) => this.listener.leave(solicitedNode(words, group), iface.time[0]),
      probe: (address) => this.neighborService.probe(address),
      assigned: () => {},
      duplicate: (address, now) => this.#duplicate(address, now),
      expired: (address) => this.#autoconfiguration.expired(address),
    })
    const { temporary, temporaryValid, temporaryPreferred, secret } = settings
    this.#autoconfiguration = new Autoconfiguration(
      {
        key: { secret, interfaceName: iface.name, networkId: '' },
        enabled: mode === 'auto',
        temporary,
        temporaryValid,
        temporaryPreferred,
        checkTime: transmits * retransmission,
      },
      this.own,
      iface.random,
    )
    this.listener = new ListenerService(iface, filter, settings.listener, sender, () => this.#linkLocal())
    this.neighborService = new NeighborService(
      iface,
      settings.neighbors,
      sender,
      {
        addresses: this.own,
        sourceFor: (destination) => this.sourceFor(destination, undefined),
        hasProgress: (neighbor, within) => setup.hasProgress(neighbor, within),
        routerLost: (address, forGood) => this.router.lost(address, forGood),
      },
      packets,
      siblings,
    )
    this.router = new RouterService(iface, metric, sender, {
      routes,
      addresses: this.own,
      autoconfiguration: this.#autoconfiguration,
      neighbors: this.neighborService.neighbors,
      linkLocal: () => this.#linkLocal(),
      dns,
    })
  }

  /** Begins with a link-local address, and the question for routers. */
  start(now: number): void {
    this.#autoconfiguration.start(now)
    if (this.#setup.mode === 'auto') this.router.start(now)
    this.#sync()
  }

  /** Adds an address that was given to us. */
  add(words: IpWords, prefix: number, now: number): LocalAddress {
    const address = new OwnAddress(words, prefix, 'static', NEVER, NEVER, now)
    this.own.add(address, false, now)
    this.#sync()
    return this.#entries.get(address) as LocalAddress
  }

  /** Takes an address away; false when it was not there. */
  remove(entry: LocalAddress): boolean {
    const address = this.own.find(entry.words)
    if (address === undefined || this.#entries.get(address) !== entry) return false
    this.own.remove(address)
    this.#sync()
    return true
  }

  /** The source for a packet from this interface (RFC 6724 section 5); undefined while it has no address. */
  sourceFor(destination: IpWords, nextHop: IpWords | undefined): IpWords | undefined {
    return selectSource(destination, this.#candidates, nextHop)?.words
  }

  /** What is to be known of an address that is in use, for an order of destinations. */
  candidate(words: IpWords): SourceCandidate | undefined {
    return this.#candidates.find((candidate) => same(candidate.words, words))
  }

  /** The link is back: it may be another one (RFC 4861 section 6.3.7). */
  linkUp(now: number): void {
    if (this.#setup.mode === 'auto') this.router.start(now)
    this.listener.linkUp(now)
    this.#interface.context.timersMoved = true
  }

  /** A neighbour discovery message of `length` bytes at `at`, whose checksum is right. */
  receive(incoming: Incoming, at: number, length: number): void {
    const { counters6 } = this.#interface
    const { view } = incoming.memory
    const message = this.#message
    message.source.set(incoming.source)
    message.destination.set(incoming.destination)
    message.hopLimit = incoming.hopLimit
    const wrong = checkMessage(view, at, length, message)
    if (wrong !== MESSAGE_OK) {
      counters6.drop(wrong)
      return
    }
    const { values } = counters6
    switch (icmpv6.type(view, at)) {
      case icmpv6.ROUTER_SOLICITATION:
        // For routers.
        values[ICMP6_IN_ROUTER_SOLICITS]++
        break
      case icmpv6.ROUTER_ADVERTISEMENT:
        values[ICMP6_IN_ROUTER_ADVERTISEMENTS]++
        if (this.#setup.mode === 'auto') this.router.advertised(view, at, message)
        break
      case icmpv6.NEIGHBOR_SOLICITATION:
        values[ICMP6_IN_NEIGHBOR_SOLICITS]++
        this.neighborService.solicited(incoming, message)
        break
      case icmpv6.NEIGHBOR_ADVERTISEMENT:
        values[ICMP6_IN_NEIGHBOR_ADVERTISEMENTS]++
        this.neighborService.advertised(message, nd.neighborFlags(view, at))
        break
      default:
        values[ICMP6_IN_REDIRECTS]++
        this.router.redirected(message)
    }
    // What is known of routers as neighbours may have changed.
    this.router.sync()
    this.#sync()
  }

  poll(now: number): void {
    this.#autoconfiguration.poll(now)
    this.own.poll(now)
    this.neighborService.neighbors.poll(now)
    this.router.poll(now)
    this.listener.poll(now)
    this.#sync()
  }

  nextEvent(): number {
    return Math.min(
      this.#autoconfiguration.nextEvent(),
      this.own.nextEvent(),
      this.neighborService.neighbors.nextEvent(),
      this.router.nextEvent(),
      this.listener.nextEvent(),
    )
  }

  #linkLocal(): IpWords {
    return this.own.list.find(({ words, assigned }) => assigned && isLinkLocal(words))?.words ?? UNSPECIFIED
  }

  #duplicate(address: OwnAddress, now: number): void {
    this.#interface.counters6.values[ND_DUPLICATES]++
    this.#autoconfiguration.duplicate(address, now)
    const entry = this.#entries.get(address)
    if (entry !== undefined) this.#setup.packets.addressLost(entry)
  }

  /** Brings the stack's table of addresses up to date. */
  #sync(): void {
    if (this.own.generation === this.#generation) return
    this.#generation = this.own.generation
    const { addresses } = this.#setup
    for (const [address, entry] of this.#entries) {
      if (this.own.list.includes(address)) continue
      addresses.remove(entry)
      this.#entries.delete(address)
    }
    for (const address of this.own.list) {
      let entry = this.#entries.get(address)
      if (entry === undefined) {
        // An autoconfigured address says nothing about who is on the link (RFC 5942 section 4); fe80::/64 is.
        const prefix = address.origin === 'static' || address.origin === 'link-local' ? address.prefix : 128
        entry = addresses.add(this.#interface, address.words, prefix, ORIGINS[address.origin], address.stateName)
        this.#entries.set(address, entry)
      }
      entry.preferredUntil = address.preferredUntil
      entry.validUntil = address.validUntil
      addresses.setState(entry, address.stateName)
    }
    this.#candidates = this.own.list
      .filter(({ assigned }) => assigned)
      .map((address) => ({
        words: address.words,
        prefix: address.prefix,
        deprecated: address.stateName === 'deprecated',
        temporary: address.origin === 'temporary',
        router: address.router,
      }))
  }
}
