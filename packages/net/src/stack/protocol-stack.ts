import { type ErrorCode, GRANT_ATTACHED, ParakernelError } from '@parakernel/hal'
import { type IpWords, isIpv4Mapped, type LibOSContext, mapIpv4 } from '@parakernel/queue'
import type { InterfaceConfig, NetConfig } from '../config.ts'
import { macParts } from '../ethernet/mac.ts'
import { EchoRequests } from '../icmp/echo-requests.ts'
import * as icmp from '../icmp/wire.ts'
import * as icmpv6 from '../icmpv6/wire.ts'
import type { Ipv4Address } from '../ipv4/address.ts'
import { PathMtuCache } from '../ipv4/path-mtu.ts'
import { Reassembly } from '../ipv4/reassembly.ts'
import { LOOPBACK as LOOPBACK6 } from '../ipv6/address.ts'
import { type Route, RouteTable } from '../route/route-table.ts'
import { DROP_LINK_HAND_OFF_LOST } from '../statistics/counters.ts'
import { PortTable } from '../udp/ports.ts'
import type { JoinedGroup, UdpSocket } from '../udp/socket.ts'
import { type AddressOrigin, AddressTable, type LocalAddress } from './address-table.ts'
import { ArpService } from './arp-service.ts'
import { StackContext } from './context.ts'
import { DhcpService } from './dhcp-service.ts'
import { ErrorLog } from './error-log.ts'
import { FastPath } from './fast-path.ts'
import { GroupFilter } from './group-filter.ts'
import { type HandedPacket, HandOff } from './hand-off.ts'
import { IcmpInput } from './icmp-input.ts'
import { IcmpOutput } from './icmp-output.ts'
import { MembershipService } from './igmp-service.ts'
import type { Incoming } from './incoming.ts'
import { Input } from './input.ts'
import { mtuOf, type NetInterface } from './interface.ts'
import type { InterfaceServices } from './interface-services.ts'
import { createInterfaces, type InterfacePlan, interfacePlans, isUp } from './interfaces.ts'
import { Ipv6Stack } from './ipv6-stack.ts'
import type { WaitingPackets } from './neighbors.ts'
import { Output } from './output.ts'
import type { PacketErrorListeners } from './packet-error.ts'
import { PathTable } from './path-table.ts'
import { ServedDatagrams } from './served-datagrams.ts'
import { Siblings } from './siblings.ts'
import { hasProgress } from './tcp-progress.ts'
import type { TcpService } from './tcp-service.ts'
import { createTcp } from './tcp-setup.ts'
import { UdpErrors } from './udp-errors.ts'
import { UdpInput } from './udp-input.ts'
import { type Members, UdpOutput } from './udp-output.ts'

/** What the stack reports to the sockets above it. */
export interface StackEvents {
  /** A push's packet went out after it had waited. */
  pushed(token: number): void
  /** It was lost. */
  pushFailed(token: number, code: ErrorCode): void
  /** An ICMP error about a connected socket's datagram. */
  socketFailed(socket: UdpSocket, code: ErrorCode): void
  /** An interface has lost its last queue, for good: whatever waits for it alone waits in vain. */
  queuesLost(): void
}

/** The layers of one partition's stack, wired, and what drives them: packets and time. */
export class ProtocolStack {
  readonly context: StackContext
  /** Those of devices, and the loopback interface as the last one. */
  readonly interfaces: readonly NetInterface[]
  readonly loopback: NetInterface
  readonly services: readonly InterfaceServices[]
  readonly routes: RouteTable<NetInterface>
  readonly addresses: AddressTable
  readonly sockets: (UdpSocket | undefined)[] = []
  readonly ports: PortTable
  readonly siblings: Siblings | undefined
  readonly output: Output
  readonly udpOutput: UdpOutput
  readonly tcp: TcpService
  readonly icmpOutput: IcmpOutput
  readonly echo: EchoRequests
  readonly served: ServedDatagrams
  readonly ipv6: Ipv6Stack
  /** ICMP errors that wait for their sockets to ask. */
  readonly errors: ErrorLog
  readonly #fastPath: FastPath
  readonly #input: Input
  readonly #handOff: HandOff | undefined
  readonly #takeOver = (packet: HandedPacket) => {
    const now = this.context.time[0]
    this.#input.handedOver(packet, now)
    this.served.flush(this.interfaces[packet.interface].link, now)
  }
  readonly #reassembly: Reassembly
  readonly #udpInput: UdpInput
  readonly #pathMtu = new PathMtuCache()
  /** Some interface has lost its queues for good, and why. */
  lost: ErrorCode | undefined = undefined
  readonly #plans: readonly InterfacePlan[]
  readonly #events: StackEvents
  /** By interface and queue. */
  readonly #epochs: readonly Int32Array[]

  constructor(config: NetConfig, libos: LibOSContext, events: StackEvents) {
    const { pool, clock, runtime, partition, partitions } = libos
    const now = clock.now()
    const alone = partitions <= 1
    const context = new StackContext(pool, config.random, clock)
    context.time[0] = now
    this.context = context
    this.#events = events
    const plans = interfacePlans(config, libos)
    this.#plans = plans
    this.interfaces = createInterfaces(context, config, plans)
    this.loopback = this.interfaces[plans.length]
    this.siblings = config.siblings === undefined ? undefined : new Siblings(config.siblings)
    this.#handOff =
      alone || config.handOff === undefined ? undefined : new HandOff(config.handOff, partition, libos.host)
    this.ports = new PortTable(config.ephemeral, { partition, partitions: Math.max(partitions, 1) }, config.random)
    this.routes = new RouteTable()
    this.addresses = new AddressTable(context, this.routes)
    const ipv6 = new Ipv6Stack(context, config, this.addresses, this.routes)
    this.ipv6 = ipv6
    const paths = new PathTable(context, {
      interfaces: this.interfaces,
      loopback: this.loopback,
      addresses: this.addresses,
      routes: this.routes,
      pathMtu: this.#pathMtu,
      pathMtu6: ipv6.pathMtu,
      selectSource: (iface, destination, nextHop) => ipv6.sourceFor(iface, destination, nextHop),
    })
    const packets: WaitingPackets = {
      sent: ({ token }) => {
        if (token !== 0) events.pushed(token)
      },
      lost: ({ token, link }, code) => {
        if (token !== 0) events.pushFailed(token, link.interface.lost ?? code)
      },
      addressLost: () => this.echo.clear('the address is in use by another host'),
    }
    this.services = this.interfaces.map((iface): InterfaceServices => {
      const dhcp = undefined
      const none = { arp: undefined, membership: undefined, filter: undefined, ipv6: undefined }
      if (iface.loopback) return { interface: iface, ...none, dhcp }
      const arp = new ArpService(iface, this.addresses, config, this.siblings, partition === 0, packets)
      iface.arp = arp
      const filter = new GroupFilter(iface)
      const membership = new MembershipService(iface, filter, config, alone)
      const host = ipv6.createHost(iface, plans[iface.index], filter, packets, this.siblings, partition === 0, alone)
      return { interface: iface, arp, membership, filter, ipv6: host, dhcp }
    })
    this.output = new Output(context, paths)
    this.udpOutput = new UdpOutput(context, this.output, this.#members(), this.loopback)
    this.icmpOutput = new IcmpOutput(context, this.output, config.icmpRate, config.icmpBurst)
    // Partitions choose apart: an echo reply that comes to the wrong one must not look like its own.
    const random = config.random.next() & 0x7fff
    this.echo = new EchoRequests(random - (random % Math.max(partitions, 1)) + partition)
    this.errors = new ErrorLog(context.counters)
    this.tcp = createTcp(
      context,
      config,
      this.errors,
      this.output,
      this.addresses,
      this.siblings,
      partition,
      partitions,
      plans[0].queues[0].capabilities,
    )
    const find = (family: 4 | 6, port: number) => this.socketAt(family, port)
    const udpErrors = new UdpErrors(this.errors, find, (socket, code) => events.socketFailed(socket, code))
    const listeners: PacketErrorListeners = {
      udp: (error) => udpErrors.report(error),
      tcp: (error) => this.tcp.errors.report(error),
    }
    const icmpInput = new IcmpInput(context, this.addresses, this.output, this.echo, this.#pathMtu, listeners)
    const { ports, sockets, icmpOutput, siblings, addresses, services, udpOutput } = this
    this.served = new ServedDatagrams(context, this.#pathMtu, ipv6.pathMtu, udpOutput, config.burst)
    this.#fastPath = new FastPath(addresses, services, ports, sockets, this.served, this.tcp.fastPath)
    this.#reassembly = new Reassembly(config.reassembly)
    const unreachable = (incoming: Incoming) => {
      if (incoming.family === 4) icmpOutput.report(incoming, icmp.DESTINATION_UNREACHABLE, icmp.PORT_UNREACHABLE)
      else ipv6.icmpOutput?.report(incoming, icmpv6.DESTINATION_UNREACHABLE, icmpv6.PORT_UNREACHABLE)
    }
    this.#udpInput = new UdpInput(context, find, this.served, unreachable, runtime, siblings, alone)
    ipv6.connect(services, {
      output: this.output,
      echo: this.echo,
      listeners,
      udp: this.#udpInput,
      tcp: this.tcp.input,
      hasProgress: (iface, neighbor, within) => hasProgress(this.tcp.context, iface, neighbor, within),
    })
    this.#input = new Input(context, this.interfaces[0], {
      addresses,
      handOff: this.#handOff,
      services,
      reassembly: this.#reassembly,
      icmpInput,
      icmpOutput,
      udp: this.#udpInput,
      tcp: this.tcp.input,
      ipv6: ipv6.isSpoken ? ipv6 : undefined,
    })
    this.#epochs = this.interfaces.map(({ links }) => Int32Array.from(links, ({ queue }) => queue.control.epoch))
    this.addAddress(this.loopback, mapIpv4(LOCALHOST), 8, 'manual')
    if (ipv6.isSpoken) this.addAddress(this.loopback, LOOPBACK6, 128, 'manual')
    ipv6.start(now)
    for (const [index, { config: own }] of plans.entries()) {
      this.#configure(this.interfaces[index], own)
      if (own.dhcp) this.#startDhcp(this.interfaces[index], own, alone)
    }
  }

  /** Adds an address to an interface, and takes it into use as the protocol of its family asks. */
  addAddress(iface: NetInterface, words: IpWords, prefix: number, origin: AddressOrigin): LocalAddress {
    const { arp, ipv6 } = this.services[iface.index]
    if (!isIpv4Mapped(words)) {
      if (ipv6 !== undefined) return ipv6.add(words, prefix, this.context.time[0])
      if (iface.loopback) return this.addresses.add(iface, words, prefix, origin)
      throw new ParakernelError('EAFNOSUPPORT', 'does not speak IPv6', {
        subject: `interface ${iface.name}`,
        remedy: 'Let its option ipv6 be auto or static; its MTU must be 1280 at least',
      })
    }
    const entry = this.addresses.add(iface, words, prefix, origin, arp?.initialState ?? 'preferred')
    arp?.claim(entry, this.context.time[0])
    return entry
  }

  /** Takes an address away at once: what is sent from it fails, and what is sent to it is not ours. */
  removeAddress(entry: LocalAddress): boolean {
    const { arp, ipv6 } = this.services[entry.interface.index]
    if (entry.family === 6 && ipv6 !== undefined) return ipv6.remove(entry)
    arp?.abandon(entry)
    return this.addresses.remove(entry)
  }

  addRoute(route: Route<NetInterface>): void {
    this.routes.add(route)
    this.context.generation++
  }

  /** Removes the routes that `which` names; their number. */
  removeRoutes(which: (route: Route<NetInterface>) => boolean): number {
    const removed = this.routes.remove(which)
    if (removed > 0) this.context.generation++
    return removed
  }

  /** Whether an IPv4 address is a broadcast on any interface. */
  isBroadcast(destination: Ipv4Address): boolean {
    for (const iface of this.interfaces) if (iface.isBroadcast(destination)) return true
    return false
  }

  /** The first socket of a port among those that take a family. */
  socketAt(family: 4 | 6, port: number): UdpSocket | undefined {
    const slot = (family === 4 ? this.ports.slots : this.ports.slots6)[port]
    return slot === 0 ? undefined : this.sockets[slot - 1]
  }

  /**
   * Why nothing will ever come for a local address again, if that is so: the interface that has it has lost its queues for good. For
   * all addresses, every interface of a device has; what we say to ourselves does not count.
   */
  lossOf(local: IpWords | undefined): ErrorCode | undefined {
    if (this.lost === undefined) return undefined
    if (local !== undefined) return this.addresses.ownerOf(local)?.lost
    let lost: ErrorCode | undefined
    for (const iface of this.interfaces) {
      if (iface.loopback) continue
      if (iface.lost === undefined) return undefined
      lost = iface.lost
    }
    return lost
  }

  /** Joins a group on the interface that its packets are sent by; the interface's index. */
  joinGroup(group: IpWords, now: number): number {
    const { index } = this.output.pathTo(undefined, group).interface
    const { membership, ipv6 } = this.services[index]
    if (isIpv4Mapped(group)) membership?.join(group[3], now)
    else ipv6?.listener.join(group, now)
    return index
  }

  leaveGroup({ group, interface: index }: JoinedGroup, now: number): void {
    const { membership, ipv6 } = this.services[index]
    if (isIpv4Mapped(group)) membership?.leave(group[3], now)
    else ipv6?.listener.leave(group, now)
  }

  /** One round: what arrived, what is due, what is to go out. Returns the number of packets. */
  poll(now: number): number {
    this.context.time[0] = now
    let work = 0
    const { interfaces } = this
    // The loopback interface comes first: what is sent to ourselves meanwhile has its turn in the next round.
    for (let n = interfaces.length - 1; n >= 0; n--) {
      const { links } = interfaces[n]
      const epochs = this.#epochs[n]
      for (let i = 0; i < links.length; i++) {
        const link = links[i]
        if (link.queue.control.epoch !== epochs[i]) this.#controlEvent(n, i)
        const count = link.queue.receive(link.rx)
        if (count > 0) this.#fastPath.receive(link.rx, count, link, this.#input, now)
        work += count
      }
    }
    if (this.#handOff?.hasNews === true) work += this.#takeOthers(this.#handOff)
    this.tcp.run(now)
    work += this.#transmit()
    for (const { arp } of this.services) arp?.askSiblings(now)
    this.ipv6.askSiblings(now)
    return work
  }

  /** Does what time has made due. */
  pollTimers(now: number): void {
    this.context.time[0] = now
    for (const { arp, membership, dhcp } of this.services) {
      arp?.poll(now)
      membership?.poll(now)
      dhcp?.poll(now)
    }
    this.tcp.pollTimers()
    this.#input.expireFragments(now)
    this.ipv6.poll(now)
    this.echo.poll(now)
    if (this.#pathMtu.poll(now)) this.context.generation++
    this.flush()
  }

  /** When `pollTimers` has something to do. */
  nextTimer(): number {
    let next = Math.min(this.#reassembly.nextEvent(), this.echo.nextEvent(), this.#pathMtu.nextEvent())
    next = Math.min(next, this.ipv6.nextEvent(), this.tcp.nextTimer())
    for (const { arp, membership, dhcp } of this.services) {
      if (arp !== undefined) next = Math.min(next, arp.nextEvent())
      if (membership !== undefined) next = Math.min(next, membership.nextEvent())
      if (dhcp !== undefined) next = Math.min(next, dhcp.nextEvent())
    }
    return next
  }

  /** Lets TCP send what it has, and offers to the devices what waits for them. */
  flush(): void {
    this.tcp.run(this.context.time[0])
    this.#transmit()
  }

  /** Whether packets wait for a device or for ourselves, or a device has something to say. */
  get hasWork(): boolean {
    if (this.loopback.link.queue.arm() || this.tcp.hasWork || this.#handOff?.hasNews === true) return true
    for (const [n, { links }] of this.interfaces.entries()) {
      const epochs = this.#epochs[n]
      for (const [i, { tx, queue }] of links.entries()) {
        if (tx.waiting > 0 || queue.control.epoch !== epochs[i]) return true
      }
    }
    return false
  }

  /** Gives back every frame that the stack holds. */
  clear(): void {
    // First, while its resets can still go out.
    this.tcp.clear()
    this.#udpInput.clear()
    for (const { arp, dhcp } of this.services) {
      dhcp?.stop(this.context.time[0])
      arp?.neighbors.clear()
    }
    this.ipv6.clear()
    this.echo.clear('the libOS was shut down')
    for (const { links } of this.interfaces) {
      for (const { tx } of links) {
        tx.flush()
        tx.clear()
      }
    }
    this.loopback.link.queue.detach()
  }

  /** What other partitions have received for all. */
  #takeOthers(handOff: HandOff): number {
    const { lost } = handOff
    const taken = handOff.take(this.#takeOver)
    for (let i = lost; i < handOff.lost; i++) this.context.counters.drop(DROP_LINK_HAND_OFF_LOST)
    return taken
  }

  #transmit(): number {
    let work = 0
    const { interfaces } = this
    for (let n = 0; n < interfaces.length; n++) {
      const { links } = interfaces[n]
      for (let i = 0; i < links.length; i++) work += links[i].tx.flush()
    }
    return work
  }

  /** Gives an interface what its configuration names. */
  #configure(iface: NetInterface, { addresses, routes }: InterfaceConfig): void {
    for (const { words, prefix } of addresses) {
      if (isIpv4Mapped(words) || this.services[iface.index].ipv6 !== undefined) {
        this.addAddress(iface, words, prefix, 'manual')
      }
    }
    for (const { destination, prefix, gateway, metric } of routes) {
      const family = isIpv4Mapped(destination) ? 4 : 6
      this.addRoute({ family, destination, prefix, gateway, interface: iface, metric, origin: 'static' })
    }
  }

  /** @throws ENOTSUP for several partitions: an answer reaches one of them, and the others would not know their address */
  #startDhcp(iface: NetInterface, { metric, hostName }: InterfaceConfig, alone: boolean): void {
    if (!alone) {
      throw new ParakernelError('ENOTSUP', 'cannot be had by several partitions', {
        subject: `interface ${iface.name}: address dhcp`,
        remedy: 'Give it a fixed address, or run one partition',
      })
    }
    this.services[iface.index].dhcp = new DhcpService(iface, this, this.output, metric, hostName)
  }

  /** Which interfaces have joined which groups. */
  #members(): Members {
    return {
      isMember: ({ index }, group) => {
        const { membership, ipv6 } = this.services[index]
        if (isIpv4Mapped(group)) return membership?.isMember(group[3]) === true
        return ipv6?.listener.isMember(group) === true
      },
    }
  }

  #controlEvent(index: number, link: number): void {
    const iface = this.interfaces[index]
    const { queue, tx } = iface.links[link]
    this.#epochs[index][link] = queue.control.epoch
    iface.mtu = mtuOf(iface, iface.links[0].queue)
    if (this.#plans[index]?.config.mac === undefined) iface.mac = macParts(queue.control.mac)
    const wasUp = iface.up
    iface.up = iface.loopback || isUp(iface)
    if (iface.up && !wasUp) {
      const { dhcp, ipv6 } = this.services[index]
      dhcp?.linkUp(this.context.time[0])
      ipv6?.linkUp(this.context.time[0])
    }
    if (queue.control.state !== GRANT_ATTACHED) tx.end()
    const wasLost = iface.lost !== undefined
    iface.findUsable()
    this.context.generation++
    if (iface.lost !== undefined && !wasLost) this.#queuesLost(iface)
  }

  /** The abort of an interface: what waits for it fails, and its frames go back. What came before stays to be read. */
  #queuesLost(iface: NetInterface): void {
    this.lost = iface.lost
    const { arp, ipv6 } = this.services[iface.index]
    arp?.neighbors.clear()
    ipv6?.neighborService.neighbors.clear()
    this.tcp.abortAll(iface, iface.lost as ErrorCode)
    if (this.lossOf(undefined) !== undefined) this.echo.clear('the device queue was taken away')
    this.#events.queuesLost()
  }
}

const LOCALHOST = 0x7f00_0001
