import { type ErrorCode, GRANT_REMOVED, type NetQueue, ParakernelError } from '@parakernel/hal'
import type { LibOSContext } from '@parakernel/queue'
import type { NetConfig } from '../config.ts'
import { macParts } from '../ethernet/mac.ts'
import { EchoRequests } from '../icmp/echo-requests.ts'
import { PathMtuCache } from '../ipv4/path-mtu.ts'
import { Reassembly } from '../ipv4/reassembly.ts'
import { hostRoutes } from '../ipv4/routes.ts'
import { PortTable } from '../udp/ports.ts'
import type { UdpSocket } from '../udp/socket.ts'
import { ArpService, type WaitingPackets } from './arp-service.ts'
import { DatagramPath } from './datagram-path.ts'
import { type ErrorListeners, IcmpInput } from './icmp-input.ts'
import { IcmpOutput } from './icmp-output.ts'
import { MembershipService } from './igmp-service.ts'
import { Input } from './input.ts'
import { mtuOf, NetInterface } from './interface.ts'
import { Output } from './output.ts'
import { Siblings } from './siblings.ts'
import { UdpInput } from './udp-input.ts'
import { UdpOutput } from './udp-output.ts'

/** What the stack reports to the sockets above it. */
export interface StackEvents {
  /** A push's packet went out after it had waited. */
  pushed(token: number): void
  /** It was lost. */
  pushFailed(token: number, code: ErrorCode): void
  /** An ICMP error about a connected socket's datagram. */
  socketFailed(socket: UdpSocket, code: ErrorCode): void
}

/** The layers of one partition's stack, wired, and what drives them: packets and time. */
export class ProtocolStack {
  readonly interface: NetInterface
  readonly sockets: (UdpSocket | undefined)[] = []
  readonly ports: PortTable
  readonly siblings: Siblings | undefined
  readonly arp: ArpService
  readonly output: Output
  readonly membership: MembershipService
  readonly udpOutput: UdpOutput
  readonly icmpOutput: IcmpOutput
  readonly echo: EchoRequests
  readonly path: DatagramPath
  readonly #input: Input
  readonly #reassembly: Reassembly
  readonly #macFixed: boolean
  readonly #epochs: Int32Array

  constructor(config: NetConfig, context: LibOSContext, events: StackEvents) {
    const { queues, pool, clock, runtime, partition, partitions } = context
    checkQueues(queues)
    const now = clock.now()
    const alone = partitions <= 1
    const mac = config.mac ?? queues[0].control.mac
    this.#macFixed = config.mac !== undefined
    const iface = new NetInterface(config, pool, queues, macParts(mac), clock)
    this.interface = iface
    this.siblings = config.siblings === undefined ? undefined : new Siblings(config.siblings)
    this.ports = new PortTable(config.ephemeral, { partition, partitions: Math.max(partitions, 1) }, config.random)
    const pathMtu = new PathMtuCache()
    const packets: WaitingPackets = {
      send: (packet, high, low) => this.output.transmitWaiting(packet, high, low),
      sent: ({ token }) => {
        if (token !== 0) events.pushed(token)
      },
      lost: ({ token }, code) => {
        if (token !== 0) events.pushFailed(token, code)
      },
      addressLost: () => this.echo.clear('the address is in use by another host'),
    }
    this.arp = new ArpService(iface, config, this.siblings, partition === 0, packets, now)
    this.output = new Output(iface, hostRoutes(config.network, config.gateway), pathMtu, this.arp)
    this.membership = new MembershipService(iface, config, alone)
    this.udpOutput = new UdpOutput(iface, this.output, this.membership)
    this.icmpOutput = new IcmpOutput(iface, this.output, config.icmpRate, config.icmpBurst)
    // Partitions choose apart: an echo reply that comes to the wrong one must not look like its own.
    const random = config.random.next() & 0x7fff
    this.echo = new EchoRequests(random - (random % Math.max(partitions, 1)) + partition)
    const listeners: ErrorListeners = {
      socketAt: (port) => {
        const slot = this.ports.slots[port]
        return slot === 0 ? undefined : this.sockets[slot - 1]
      },
      failed: (socket, code) => events.socketFailed(socket, code),
    }
    const icmpInput = new IcmpInput(iface, this.output, this.echo, pathMtu, listeners)
    this.path = new DatagramPath(iface, this.ports, this.sockets, this.arp, this.output, this.udpOutput, config.burst)
    const { ports, sockets, path, icmpOutput, siblings } = this
    const udpInput = new UdpInput(iface, ports, sockets, path, icmpOutput, runtime, siblings, alone)
    this.#reassembly = new Reassembly(config.reassembly)
    this.#input = new Input(iface, {
      arp: this.arp,
      output: this.output,
      membership: this.membership,
      reassembly: this.#reassembly,
      icmpInput,
      icmpOutput,
      udpInput,
    })
    this.#epochs = Int32Array.from(queues, (queue) => queue.control.epoch)
  }

  /** One round: what arrived, what is due, what is to go out. Returns the number of packets. */
  poll(now: number): number {
    const { links, time } = this.interface
    time[0] = now
    let work = this.#receiveLoopback(now)
    for (let i = 0; i < links.length; i++) {
      const link = links[i]
      if (link.queue.control.epoch !== this.#epochs[i]) this.#controlEvent(i)
      const count = link.queue.receive(link.rx)
      if (count > 0) this.path.receive(link.rx, count, link, this.#input, now)
      work += count + link.tx.flush()
    }
    this.arp.askSiblings(now)
    return work
  }

  /** Does what time has made due. */
  pollTimers(now: number): void {
    this.interface.time[0] = now
    this.arp.poll(now)
    this.#input.expireFragments(now)
    this.membership.poll(now)
    this.echo.poll(now)
    this.flush()
  }

  /** When `pollTimers` has something to do. */
  nextTimer(): number {
    return Math.min(
      this.arp.nextEvent(),
      this.#reassembly.nextEvent(),
      this.membership.nextEvent(),
      this.echo.nextEvent(),
    )
  }

  /** Offers to the devices what waits for them. */
  flush(): void {
    for (const { tx } of this.interface.links) tx.flush()
  }

  /** Whether packets wait for a device or for ourselves. */
  get hasWork(): boolean {
    if (this.output.loopback.count > 0) return true
    for (const { tx } of this.interface.links) if (tx.waiting > 0) return true
    return false
  }

  /** Gives back every frame that the stack holds. */
  clear(): void {
    this.arp.neighbors.clear()
    this.echo.clear('the libOS was shut down')
    const { loopback } = this.output
    const { pool, links } = this.interface
    for (let i = 0; i < loopback.count; i++) pool.release(loopback.frame[i])
    loopback.count = 0
    for (const { tx } of links) {
      tx.flush()
      tx.clear()
    }
  }

  /** Packets to ourselves; those that are sent meanwhile have their turn in the next round. */
  #receiveLoopback(now: number): number {
    const { loopback } = this.output
    const count = loopback.count
    if (count === 0) return 0
    this.path.receive(loopback, count, this.interface.links[0], this.#input, now)
    const left = loopback.count - count
    for (let i = 0; i < left; i++) loopback.copyEntry(i, loopback, count + i)
    loopback.count = left
    return count
  }

  #controlEvent(index: number): void {
    const iface = this.interface
    const { queue, tx } = iface.links[index]
    this.#epochs[index] = queue.control.epoch
    iface.mtu = mtuOf(iface.links[0].queue, iface.linkHeader)
    if (!this.#macFixed) iface.mac = macParts(queue.control.mac)
    if (queue.control.state === GRANT_REMOVED) tx.clear()
  }
}

/** @throws EINVAL without queues, ENOTSUP for a device that this stack cannot use */
function checkQueues(queues: readonly NetQueue[]): void {
  if (queues.length === 0) {
    throw new ParakernelError('EINVAL', 'no device queue was given', {
      subject: 'libOS net',
      remedy: 'Configure a network backend with at least one queue for this partition',
    })
  }
  for (const { grant, capabilities } of queues) {
    if (capabilities.transmitAlignment > 1) {
      throw new ParakernelError('ENOTSUP', 'transmits only aligned data, and answers stand where they arrived', {
        subject: `${grant.device} queue ${grant.queue}`,
        remedy: 'Use a device whose capability transmitAlignment is 1',
      })
    }
  }
}
