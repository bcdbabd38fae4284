import { formatIpv4, mapIpv4 } from '@parakernel/queue'
import { fold, pseudoHeaderSum, sumBytes } from '../checksum/internet-checksum.ts'
import { DhcpClient } from '../dhcp/client.ts'
import type { Lease } from '../dhcp/lease.ts'
import * as dhcp from '../dhcp/message.ts'
import * as ethernet from '../ethernet/wire.ts'
import { type Ipv4Address, LIMITED_BROADCAST } from '../ipv4/address.ts'
import * as ipv4 from '../ipv4/wire.ts'
import { DROP_OUT_NO_FRAME } from '../statistics/counters.ts'
import * as udp from '../udp/wire.ts'
import { isUsable, type LocalAddress } from './address-table.ts'
import type { Incoming } from './incoming.ts'
import { type NetInterface, VLAN_IN_BAND } from './interface.ts'
import type { Output } from './output.ts'
import { NO_OFFLOAD } from './path.ts'
import type { ProtocolStack } from './protocol-stack.ts'

/** What the stack lets a lease change. */
export type LeaseHolder = Pick<ProtocolStack, 'addAddress' | 'removeAddress' | 'addRoute' | 'removeRoutes'>

/** What a lease told, for whoever wants to know: resolvers, clocks. */
export interface LeaseInfo {
  readonly interface: string
  readonly address: string
  readonly server: string
  readonly dnsServers: readonly string[]
  readonly ntpServers: readonly string[]
  readonly search: readonly string[]
}

/** The DHCP client of one interface between the wire and its core: messages, the address, its routes. */
export class DhcpService {
  readonly client: DhcpClient
  readonly #interface: NetInterface
  readonly #holder: LeaseHolder
  readonly #output: Output
  readonly #metric: number
  #entry: LocalAddress | undefined
  /** The address is being probed for, and the client waits for the outcome. */
  #checking = false

  constructor(iface: NetInterface, holder: LeaseHolder, output: Output, metric: number, hostName: string | undefined) {
    this.#interface = iface
    this.#holder = holder
    this.#output = output
    this.#metric = metric
    const { mac, random, time } = iface
    this.client = new DhcpClient(
      { mac, random, hostName },
      {
        send: (message, source, server) => this.#send(message, source, server),
        check: (address) => this.#check(address),
        bound: (lease) => this.#bound(lease),
        lost: () => this.#drop(),
      },
      time[0],
    )
  }

  get lease(): LeaseInfo | undefined {
    const { lease } = this.client
    if (lease === undefined) return undefined
    return {
      interface: this.#interface.name,
      address: `${formatIpv4(lease.address)}/${lease.prefix}`,
      server: formatIpv4(lease.server),
      dnsServers: lease.dnsServers.map(formatIpv4),
      ntpServers: lease.ntpServers.map(formatIpv4),
      search: lease.search,
    }
  }

  /** Whether the UDP datagram of `length` bytes at `at` is for the client. */
  takes({ family, memory }: Incoming, at: number, length: number): boolean {
    return family === 4 && length >= udp.HEADER_LENGTH && udp.destinationPort(memory.view, at) === dhcp.CLIENT_PORT
  }

  /** A datagram that it takes. Reads it, keeps nothing. */
  receive({ memory, packet }: Incoming, at: number, length: number): void {
    const { view } = memory
    const size = udp.length(view, at)
    const sum = pseudoHeaderSum(ipv4.source(view, packet), ipv4.destination(view, packet), ipv4.PROTOCOL_UDP, size)
    const checksum = udp.checksum(view, at)
    const wrong =
      size < udp.HEADER_LENGTH ||
      size > length ||
      udp.sourcePort(view, at) !== dhcp.SERVER_PORT ||
      // None, or the sum of the pseudo-header alone from a device that never put it on a wire, or the right one.
      (checksum !== 0 && checksum !== fold(sum) && fold(sum + sumBytes(memory, at, size)) !== 0xffff)
    if (wrong) this.client.statistics.ignored++
    else this.client.receive(memory.bytes.slice(at + udp.HEADER_LENGTH, at + size), this.#interface.time[0])
    this.#interface.context.timersMoved = true
  }

  poll(now: number): void {
    if (this.#outcome() !== undefined) {
      const inUse = this.#outcome() === 'in use'
      const checked = this.#checking
      this.#checking = false
      if (inUse) this.#drop()
      if (checked) this.client.checked(inUse, now)
      else if (inUse) this.client.conflict(now)
    }
    this.client.poll(now)
  }

  nextEvent(): number {
    return this.#outcome() === undefined ? this.client.nextEvent() : 0
  }

  /** The link came back. */
  linkUp(now: number): void {
    this.client.linkUp(now)
  }

  /** Gives the address back. */
  stop(now: number): void {
    this.client.stop(now)
  }

  /** What there is to tell the client about its address. */
  #outcome(): 'free' | 'in use' | undefined {
    const entry = this.#entry
    if (entry === undefined) return undefined
    if (entry.state === 'duplicate') return 'in use'
    return this.#checking && isUsable(entry) ? 'free' : undefined
  }

  /** Takes the address into use as the interface takes any: at once, or after it was probed for (RFC 5227). */
  #check(address: Ipv4Address): void {
    this.#drop()
    const prefix = this.client.offered?.prefix ?? 32
    this.#entry = this.#holder.addAddress(this.#interface, mapIpv4(address), prefix, 'dhcp')
    this.#checking = true
  }

  #bound({ routes }: Lease): void {
    this.#removeRoutes()
    for (const { destination, prefix, gateway } of routes) {
      this.#holder.addRoute({
        ...{ family: 4, destination: mapIpv4(destination), prefix, interface: this.#interface, metric: this.#metric },
        gateway: gateway === 0 ? undefined : mapIpv4(gateway),
        origin: 'dhcp',
      })
    }
  }

  #drop(): void {
    this.#removeRoutes()
    if (this.#entry !== undefined) this.#holder.removeAddress(this.#entry)
    this.#entry = undefined
    this.#checking = false
  }

  #removeRoutes(): void {
    this.#holder.removeRoutes((route) => route.origin === 'dhcp' && route.interface === this.#interface)
  }

  /** To a server by its address, or to all before there is one that we know (RFC 2131 section 4.1). */
  #send(message: Uint8Array, source: Ipv4Address, server: Ipv4Address | undefined): void {
    const { pool, counters, memory } = this.#interface
    // As ARP: without it there is no network at all.
    const frame = pool.allocateForDevice()
    if (frame < 0) {
      counters.drop(DROP_OUT_NO_FRAME)
      return
    }
    const at = pool.address(frame) + pool.headroom + PREFIX
    const datagram = at - udp.HEADER_LENGTH
    const size = message.length + udp.HEADER_LENGTH
    const destination = server ?? LIMITED_BROADCAST
    memory.bytes.set(message, at)
    udp.emit(memory.view, datagram, dhcp.CLIENT_PORT, dhcp.SERVER_PORT, size, 0)
    const sum = pseudoHeaderSum(source, destination, ipv4.PROTOCOL_UDP, size) + sumBytes(memory, datagram, size)
    memory.view.setUint16(datagram + udp.CHECKSUM, ~fold(sum) & 0xffff || 0xffff)
    if (server === undefined) this.#broadcast(frame, datagram, size, source)
    else {
      const path = this.#output.paths.toIpv4(source, server)
      this.#output.send(path, frame, datagram, size, ipv4.PROTOCOL_UDP, 0, 0, NO_OFFLOAD, 0)
    }
  }

  /** By hand: a packet from 0.0.0.0 has no path. */
  #broadcast(frame: number, datagram: number, size: number, source: Ipv4Address): void {
    const { pool, memory, mac, linkHeader, vlanMode, vlanId, link } = this.#interface
    const { view } = memory
    const packet = datagram - ipv4.HEADER_LENGTH
    const total = size + ipv4.HEADER_LENGTH
    ipv4.emit(view, packet, 0, total, 0, ipv4.DONT_FRAGMENT, 64, ipv4.PROTOCOL_UDP, source, LIMITED_BROADCAST)
    const start = packet - linkHeader
    ethernet.setDestination(view, start, ethernet.BROADCAST_HIGH, ethernet.BROADCAST_LOW)
    ethernet.setSource(view, start, mac.high, mac.low)
    if (vlanMode === VLAN_IN_BAND) ethernet.setTag(view, start, vlanId, ethernet.TYPE_IPV4)
    else ethernet.setType(view, start, ethernet.TYPE_IPV4)
    link.tx.push(frame, start - pool.address(frame), total + linkHeader, 0, 0, 0)
  }
}

/** Room before a message: every header, and a tag. */
const PREFIX = ethernet.HEADER_LENGTH + ethernet.TAG_LENGTH + ipv4.HEADER_LENGTH + udp.HEADER_LENGTH
