import type { IpWords } from '@parakernel/queue'
import * as ethernet from '../ethernet/wire.ts'
import { ALL_ROUTERS, isUnspecified, same } from '../ipv6/address.ts'
import { DROP_ND_BAD_REDIRECT, ICMP6_OUT_ROUTER_SOLICITS } from '../ipv6/counters.ts'
import { LEAST_MTU } from '../ipv6/wire.ts'
import type { Autoconfiguration } from '../ndp/autoconfiguration.ts'
import type { NeighborCache6 } from '../ndp/neighbor-cache.ts'
import type { DnsInformation } from '../ndp/options.ts'
import type { OwnAddresses } from '../ndp/own-addresses.ts'
import { PrefixList } from '../ndp/prefix-list.ts'
import { Redirects } from '../ndp/redirects.ts'
import { RouterList } from '../ndp/router-list.ts'
import { RouterSolicitation } from '../ndp/router-solicitation.ts'
import type { NeighborMessage } from '../ndp/validity.ts'
import * as nd from '../ndp/wire.ts'
import { type RouteTable, sameWords } from '../route/route-table.ts'
import type { NetInterface } from './interface.ts'
import type { Ipv6LinkSender } from './ipv6-link-sender.ts'
import type { WaitingPacket } from './neighbors.ts'

const MILLISECOND = 1e6
/** Routes that routers tell come after those of the configuration. Below it the order of `RouterList.usable` counts. */
const METRIC = 1024
const HOST_PREFIX = 128
/** MAX_ReachableTime (RFC 4861 section 6.2.1): longer times, in milliseconds, are mistakes or worse. */
const LONGEST_TIME = 3_600_000

/** What the router service needs of its surroundings. */
export interface RouterSurroundings {
  readonly routes: RouteTable<NetInterface>
  readonly addresses: OwnAddresses
  readonly autoconfiguration: Autoconfiguration
  readonly neighbors: NeighborCache6<WaitingPacket>
  /** Our link-local address, or the unspecified one while there is none. */
  linkLocal(): IpWords
  /** A router named resolvers or search domains (RFC 8106). */
  dns(information: DnsInformation): void
}

/**
 * What routers tell a host (RFC 4861 section 6.3 and 8.3): parameters of the link, prefixes, themselves, better first
 * hops. Keeps the lists, and puts what follows from them into the routing table.
 */
export class RouterService {
  readonly routers = new RouterList()
  readonly prefixes = new PrefixList()
  readonly redirects: Redirects
  readonly #interface: NetInterface
  readonly #sender: Ipv6LinkSender
  readonly #surroundings: RouterSurroundings
  readonly #solicitation: RouterSolicitation
  readonly #metric: number
  /** State of the lists, and of the routers' neighbours, that the routing table reflects. */
  #installed = ''

  constructor(iface: NetInterface, metric: number, sender: Ipv6LinkSender, surroundings: RouterSurroundings) {
    this.#interface = iface
    this.#metric = metric
    this.#sender = sender
    this.#surroundings = surroundings
    this.redirects = new Redirects(iface.random.next())
    this.#solicitation = new RouterSolicitation(iface.random)
  }

  /** Begins to ask for routers. */
  start(now: number): void {
    this.#solicitation.start(now)
  }

  /** A router advertisement of `message`, at `at`, that passed `checkMessage` (section 6.3.4). */
  advertised(view: DataView, at: number, message: NeighborMessage): void {
    const { source, options } = message
    const { neighbors, addresses, autoconfiguration, dns } = this.#surroundings
    const iface = this.#interface
    const now = iface.time[0]
    if (options.hasSource && !ethernet.isGroup(options.sourceHigh)) {
      neighbors.heard(source, options.sourceHigh, options.sourceLow, now)
    }
    neighbors.markRouter(source)
    const hopLimit = nd.currentHopLimit(view, at)
    if (hopLimit !== 0) iface.hopLimit = hopLimit
    const reachable = nd.reachableTime(view, at)
    if (reachable !== 0 && reachable <= LONGEST_TIME) neighbors.setReachableTime(reachable * MILLISECOND)
    const retransmission = nd.retransmissionTime(view, at)
    if (retransmission !== 0 && retransmission <= LONGEST_TIME) {
      neighbors.retransmission = retransmission * MILLISECOND
      addresses.retransmission = retransmission * MILLISECOND
    }
    const lifetime = nd.routerLifetime(view, at) * 1e9
    this.routers.advertised(source, lifetime, nd.preference(nd.routerFlags(view, at)), now)
    if (lifetime > 0) this.#solicitation.answered()
    if (options.mtu >= LEAST_MTU && options.mtu !== iface.mtu6) {
      iface.mtu6 = options.mtu
      iface.context.generation++
    }
    for (const prefix of options.prefixes) {
      if (prefix.onLink) this.prefixes.advertised(prefix.prefix, prefix.length, prefix.valid, now)
      autoconfiguration.prefix(prefix, source, now)
    }
    for (const { prefix, length, lifetime: life, preference } of options.routes) {
      this.routers.offered(source, prefix, length, life, preference, now)
    }
    for (const information of options.dns) dns(information)
    this.sync()
  }

  /**
   * A redirect that passed `checkMessage`. It is believed from the router alone that we use for the destination
   * (section 8.1).
   */
  redirected({ source, target, redirected, options }: NeighborMessage): void {
    const { routes, neighbors } = this.#surroundings
    const now = this.#interface.time[0]
    const inUse = routes.lookup(redirected, this.#interface)?.gateway
    if (inUse === undefined || !same(inUse, source)) {
      this.#interface.counters6.drop(DROP_ND_BAD_REDIRECT)
      return
    }
    if (options.hasTarget && !ethernet.isGroup(options.targetHigh)) {
      neighbors.heard(target, options.targetHigh, options.targetLow, now)
    }
    if (!same(target, redirected)) neighbors.markRouter(target)
    this.redirects.set(redirected, target)
    this.sync()
  }

  /** A neighbour does not answer, or, for good, says that it is no router any more. */
  lost(address: IpWords, forGood: boolean): void {
    if (forGood) this.routers.remove(address)
    this.redirects.forget(address)
    this.sync()
  }

  poll(now: number): void {
    this.routers.poll(now)
    this.prefixes.poll(now)
    if (this.#solicitation.poll(now)) this.#solicit()
    this.sync()
  }

  nextEvent(): number {
    return Math.min(this.routers.nextEvent(), this.prefixes.nextEvent(), this.#solicitation.nextEvent())
  }

  /** Replaces the routes that came from routers, if anything about them has changed. */
  sync(): void {
    const { routes, neighbors } = this.#surroundings
    // One that is not known, or being asked for, is suspect (section 6.3.6).
    const isReachable = (router: IpWords) => neighbors.get(router)?.usable === true
    const reachability = this.routers.routes.map(({ router }) => Number(isReachable(router))).join('')
    const { routers, prefixes, redirects } = this
    const state = `${routers.generation} ${prefixes.generation} ${redirects.generation} ${reachability}`
    if (state === this.#installed) return
    this.#installed = state
    const iface = this.#interface
    routes.remove(({ origin, family, interface: by }) => origin === 'router' && family === 6 && by === iface)
    const add = (destination: IpWords, prefix: number, gateway: IpWords | undefined, order: number) => {
      const metric = this.#metric + METRIC + order
      routes.add({ family: 6, destination, prefix, gateway, interface: iface, metric, origin: 'router' })
    }
    for (const { prefix, length } of prefixes.list) {
      // A network of an address that was given to us is on the link anyway.
      const known = routes.routes.some(
        (route) => route.interface === iface && route.prefix === length && sameWords(route.destination, prefix),
      )
      if (!known) add(prefix, length, undefined, 0)
    }
    routers.usable(isReachable).forEach(({ prefix, length, router }, i) => {
      add(prefix, length, router, i)
    })
    for (const { destination, nextHop } of redirects.list) {
      add(destination, HOST_PREFIX, same(destination, nextHop) ? undefined : nextHop, 0)
    }
    iface.context.generation++
  }

  #solicit(): void {
    const { mac } = this.#interface
    const source = this.#surroundings.linkLocal()
    const named = !isUnspecified(source)
    const length = nd.ROUTER_SOLICITATION_LENGTH + (named ? nd.SHORT_OPTION : 0)
    const counter = ICMP6_OUT_ROUTER_SOLICITS
    this.#sender.toGroup(source, ALL_ROUTERS, nd.HOP_LIMIT, counter, length, false, (view, at) => {
      nd.emitRouterSolicitation(view, at)
      const option = at + nd.ROUTER_SOLICITATION_LENGTH
      if (named) nd.emitLinkLayer(view, option, nd.OPTION_SOURCE_LINK_LAYER, mac.high, mac.low)
    })
  }
}
