import type { IpWords } from '@parakernel/queue'
import type { NetConfig } from '../config.ts'
import type { EchoRequests } from '../icmp/echo-requests.ts'
import { LOOPBACK } from '../ipv6/address.ts'
import { Ipv6PathMtu } from '../ipv6/path-mtu.ts'
import { Ipv6Reassembly } from '../ipv6/reassembly.ts'
import type { SourceCandidate } from '../ipv6/source-selection.ts'
import { LEAST_MTU } from '../ipv6/wire.ts'
import { DnsList } from '../ndp/dns-list.ts'
import type { RouteTable } from '../route/route-table.ts'
import type { AddressTable } from './address-table.ts'
import type { StackContext } from './context.ts'
import type { GroupFilter } from './group-filter.ts'
import type { Incoming, TransportInput } from './incoming.ts'
import type { NetInterface } from './interface.ts'
import type { InterfaceServices } from './interface-services.ts'
import type { InterfacePlan } from './interfaces.ts'
import { Ipv6Host } from './ipv6-host.ts'
import { Icmpv6Input } from './ipv6-icmp-input.ts'
import { Icmpv6Output } from './ipv6-icmp-output.ts'
import { Ipv6Input } from './ipv6-input.ts'
import type { WaitingPackets } from './neighbors.ts'
import type { Output } from './output.ts'
import type { PacketErrorListeners } from './packet-error.ts'
import type { Siblings } from './siblings.ts'

/** What the layers above IPv6 lend it. */
export interface Ipv6Uppers {
  readonly output: Output
  readonly echo: EchoRequests
  readonly listeners: PacketErrorListeners
  readonly udp: TransportInput
  readonly tcp: TransportInput | undefined
  /** Whether a connection has made progress by way of a neighbour in the last `within` nanoseconds. */
  hasProgress(iface: NetInterface, neighbor: IpWords, within: number): boolean
}

/** IPv6 of a partition's stack: what its interfaces share, and what drives them. */
export class Ipv6Stack {
  readonly pathMtu: Ipv6PathMtu
  /** What routers say about DNS (RFC 8106). */
  readonly dns = new DnsList()
  readonly #context: StackContext
  readonly #config: NetConfig
  readonly #addresses: AddressTable
  readonly #routes: RouteTable<NetInterface>
  readonly #reassembly: Ipv6Reassembly
  readonly #hosts: Ipv6Host[] = []
  /** By index of the interface. */
  readonly #byInterface: (Ipv6Host | undefined)[] = []
  #input: Ipv6Input | undefined
  #icmpOutput: Icmpv6Output | undefined
  #hasProgress: Ipv6Uppers['hasProgress'] = () => false

  constructor(context: StackContext, config: NetConfig, addresses: AddressTable, routes: RouteTable<NetInterface>) {
    this.#context = context
    this.#config = config
    this.#addresses = addresses
    this.#routes = routes
    this.pathMtu = new Ipv6PathMtu(context.random.next())
    this.#reassembly = new Ipv6Reassembly(config.ipv6.reassembly)
  }

  /** Whether any interface speaks it. */
  get isSpoken(): boolean {
    return this.#hosts.length > 0
  }

  /**
   * IPv6 of one interface; undefined where it is not spoken, which includes links too narrow for it (RFC 8200 section
   * 5).
   */
  createHost(
    iface: NetInterface,
    { config: { ipv6: mode, metric } }: InterfacePlan,
    filter: GroupFilter,
    packets: WaitingPackets,
    siblings: Siblings | undefined,
    first: boolean,
    alone: boolean,
  ): Ipv6Host | undefined {
    if (mode === 'off' || iface.mtu < LEAST_MTU) return undefined
    const { listener } = this.#config.ipv6
    // Of several partitions each may be the one that hears no queries.
    const refreshInterval = alone ? Number.POSITIVE_INFINITY : listener.refreshInterval
    const host = new Ipv6Host(iface, {
      ...{ mode, metric, filter, packets, siblings, first },
      settings: { ...this.#config.ipv6, listener: { ...listener, refreshInterval } },
      addresses: this.#addresses,
      routes: this.#routes,
      hasProgress: (neighbor, within) => this.#hasProgress(iface, neighbor, within),
      dns: (information) => this.dns.told(information, this.#context.time[0]),
    })
    iface.neighborDiscovery = host.neighborService
    this.#hosts.push(host)
    this.#byInterface[iface.index] = host
    return host
  }

  /** Connects it with the layers above. */
  connect(
    services: readonly InterfaceServices[],
    { output, echo, listeners, udp, tcp, hasProgress }: Ipv6Uppers,
  ): void {
    const { icmpRate, icmpBurst } = this.#config
    const context = this.#context
    const addresses = this.#addresses
    const icmpOutput = new Icmpv6Output(context, output, icmpRate, icmpBurst)
    const { pathMtu } = this
    const icmpInput = new Icmpv6Input(context, addresses, services, output, icmpOutput, echo, pathMtu, listeners)
    const reassembly = this.#reassembly
    this.#input = new Ipv6Input(context, { addresses, services, reassembly, icmpInput, icmpOutput, udp, tcp })
    this.#icmpOutput = icmpOutput
    this.#hasProgress = hasProgress
  }

  /** Takes the interfaces into use. */
  start(now: number): void {
    for (const host of this.#hosts) host.start(now)
  }

  /** The packet whose header begins at `incoming.packet`. */
  receive(incoming: Incoming): void {
    this.#input?.receive(incoming)
  }

  get icmpOutput(): Icmpv6Output | undefined {
    return this.#icmpOutput
  }

  /** The source for a packet that leaves by an interface (RFC 6724 section 5). */
  sourceFor(iface: NetInterface, destination: IpWords, nextHop: IpWords): IpWords | undefined {
    if (iface.loopback) return LOOPBACK
    return this.#byInterface[iface.index]?.sourceFor(destination, nextHop)
  }

  /** What is to be known of an address of ours for an order of destinations (RFC 6724 section 6). */
  candidate(iface: NetInterface, words: IpWords): SourceCandidate | undefined {
    return this.#byInterface[iface.index]?.candidate(words)
  }

  poll(now: number): void {
    for (const host of this.#hosts) host.poll(now)
    this.#input?.expireFragments(now)
    const { generation } = this.pathMtu
    this.pathMtu.poll(now)
    if (generation !== this.pathMtu.generation) this.#context.generation++
  }

  nextEvent(): number {
    let next = Math.min(this.#reassembly.nextEvent(), this.pathMtu.nextEvent())
    for (const host of this.#hosts) next = Math.min(next, host.nextEvent())
    return next
  }

  /** What other partitions learned, if we wait for anything. */
  askSiblings(now: number): void {
    for (const { neighborService } of this.#hosts) neighborService.askSiblings(now)
  }

  /** Gives back the frames that wait for neighbours. */
  clear(): void {
    for (const { neighborService } of this.#hosts) neighborService.neighbors.clear()
  }
}
