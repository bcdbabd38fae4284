import { mapIpv4 } from '@parakernel/queue'
import { AddressConflict, type ConflictEffects, type ConflictPolicy } from '../arp/address-conflict.ts'
import { type Neighbor, NeighborCache, PROBE, REACHABLE, STALE } from '../arp/neighbor-cache.ts'
import * as arp from '../arp/wire.ts'
import type { NetConfig } from '../config.ts'
import { macText } from '../ethernet/mac.ts'
import * as ethernet from '../ethernet/wire.ts'
import { formatIpv4, type Ipv4Address, isUnicastHost } from '../ipv4/address.ts'
import {
  ARP_CONFLICTS,
  ARP_EVICTED,
  ARP_FAILED,
  ARP_IN_REPLIES,
  ARP_IN_REQUESTS,
  ARP_LEARNED_FROM_SIBLINGS,
  ARP_OUT_ANNOUNCEMENTS,
  ARP_OUT_REPLIES,
  ARP_OUT_REQUESTS,
  ARP_RESOLVED,
  DROP_ARP_BAD_SENDER,
  DROP_ARP_MALFORMED,
  DROP_OUT_NEIGHBOR_QUEUE_FULL,
  DROP_OUT_NEIGHBOR_UNREACHABLE,
  DROP_OUT_NO_FRAME,
} from '../statistics/counters.ts'
import { IF_OUT_BROADCAST_PKTS } from '../statistics/interface-statistics.ts'
import type { AddressState, AddressTable, LocalAddress } from './address-table.ts'
import { type Link, type NetInterface, VLAN_IN_BAND } from './interface.ts'
import {
  type LinkNeighbor,
  type NeighborInfo,
  type NeighborResolver,
  releaseWaiting,
  sendWaiting,
  type WaitingPacket,
  type WaitingPackets,
} from './neighbors.ts'
import type { Path } from './path.ts'
import type { Siblings } from './siblings.ts'

/** By the numbers of `neighbor-cache.ts`. */
const STATES = ['incomplete', 'reachable', 'stale', 'probe', 'failed'] as const

/** ARP of one interface between the wire and its cores: the neighbour cache, and a conflict detection for each address. */
export class ArpService implements NeighborResolver {
  readonly neighbors: NeighborCache<WaitingPacket>
  readonly #interface: NetInterface
  readonly #addresses: AddressTable
  readonly #siblings: Siblings | undefined
  /** What the siblings had published when they were last asked. */
  #seen = 0
  readonly #packets: WaitingPackets
  readonly #policy: ConflictPolicy
  readonly #claims = new Map<LocalAddress, AddressConflict>()

  /** @param first of the partitions that share the addresses: it probes and announces them for all */
  constructor(
    iface: NetInterface,
    addresses: AddressTable,
    config: NetConfig,
    siblings: Siblings | undefined,
    first: boolean,
    packets: WaitingPackets,
  ) {
    this.#interface = iface
    this.#addresses = addresses
    this.#siblings = siblings
    this.#packets = packets
    this.neighbors = new NeighborCache<WaitingPacket>(config.neighbors, {
      request: (neighbor) => this.#request(neighbor),
      resolved: (neighbor, waiting) => this.#resolved(neighbor, waiting),
      unreachable: (_neighbor, waiting) => this.#unreachable(waiting),
      evicted: () => {
        iface.counters.values[ARP_EVICTED]++
      },
    })
    this.#policy = {
      probe: first && config.probeAddress,
      announce: first && config.announceAddress,
      defend: config.defendAddress,
    }
  }

  /** What state an address begins in here. */
  get initialState(): AddressState {
    return this.#policy.probe ? 'tentative' : 'preferred'
  }

  /** Takes an address of this interface into use, and defends it from now on (RFC 5227). */
  claim(entry: LocalAddress, now: number): void {
    const address = entry.words[3]
    const { counters, random } = this.#interface
    const effects: ConflictEffects = {
      probe: () => this.#broadcast(0, address),
      announce: () => {
        counters.values[ARP_OUT_ANNOUNCEMENTS]++
        this.#broadcast(address, address)
      },
      lost: () => {
        this.#addresses.setState(entry, 'duplicate')
        if (this.#interface.address === 0) this.neighbors.clear()
        this.#packets.addressLost(entry)
      },
    }
    this.#claims.set(entry, new AddressConflict(this.#policy, random, effects, now))
    this.#interface.context.timersMoved = true
  }

  /** Gives an address up without a word. */
  abandon(entry: LocalAddress): void {
    this.#claims.delete(entry)
  }

  lookUp({ nextHop }: Path): LinkNeighbor {
    return this.neighbors.use(nextHop[3], this.#interface.time[0])
  }

  wait({ nextHop }: Path, packet: WaitingPacket): void {
    const displaced = this.neighbors.wait(this.neighbors.use(nextHop[3], this.#interface.time[0]), packet)
    if (displaced === undefined) return
    this.#interface.counters.drop(DROP_OUT_NEIGHBOR_QUEUE_FULL)
    releaseWaiting(displaced)
    this.#packets.lost(displaced, 'ENOBUFS')
  }

  *list(): Iterable<NeighborInfo> {
    for (const { address, state, high, low } of this.neighbors) {
      const known = state === REACHABLE || state === STALE || state === PROBE
      const mac = known ? macText({ high, low }) : undefined
      yield { interface: this.#interface.name, address: formatIpv4(address), mac, state: STATES[state], router: false }
    }
  }

  isFull({ nextHop }: Path): boolean {
    return this.neighbors.unresolved > 0 && this.neighbors.isFull(nextHop[3])
  }

  /** An ARP packet of `length` bytes at `at`; reads it, keeps nothing. */
  receive(view: DataView, at: number, length: number, link: Link, now: number): void {
    const { counters, mac } = this.#interface
    const operation = length >= arp.LENGTH ? arp.opcode(view, at) : 0
    if (!arp.isIpv4OverEthernet(view, at, length) || (operation !== arp.REQUEST && operation !== arp.REPLY)) {
      counters.drop(DROP_ARP_MALFORMED)
      return
    }
    const high = arp.senderHigh(view, at)
    const low = arp.senderLow(view, at)
    const sender = arp.senderAddress(view, at)
    const target = arp.targetAddress(view, at)
    // Our own announcement, come back over a switch or a bond.
    if (high === mac.high && low === mac.low) return
    counters.values[operation === arp.REQUEST ? ARP_IN_REQUESTS : ARP_IN_REPLIES]++

    const probed = sender === 0 && operation === arp.REQUEST ? this.#claimOf(target) : undefined
    const contested = this.#claimOf(sender) ?? (probed?.state === 'probing' ? probed : undefined)
    if (contested !== undefined) {
      counters.values[ARP_CONFLICTS]++
      contested.conflict(now)
      return
    }
    const toUs = this.#interface.hasAddress(target)
    if (sender !== 0) {
      if (ethernet.isGroup(high) || !isUnicastHost(sender) || this.#interface.isBroadcast(sender)) {
        counters.drop(DROP_ARP_BAD_SENDER)
        return
      }
      // Only neighbours on our own networks, or whom a route made us ask for: other entries would never be used.
      if (this.#interface.networkOf(sender) !== undefined || this.neighbors.get(sender) !== undefined) {
        const own = toUs || this.#claimOf(target) !== undefined
        this.neighbors.heard(sender, high, low, own && operation === arp.REQUEST, own && operation === arp.REPLY, now)
        if (own) this.#siblings?.publish(mapIpv4(sender), high, low)
      }
    }
    if (operation === arp.REQUEST && toUs) {
      counters.values[ARP_OUT_REPLIES]++
      this.#emit(link, arp.REPLY, target, high, low, sender, high, low)
    }
  }

  /** A datagram of this on-link address came from a MAC address while somebody waits for one. */
  heardTraffic(source: Ipv4Address, high: number, low: number, now: number): void {
    if (this.#interface.networkOf(source) === undefined || ethernet.isGroup(high)) return
    if (this.neighbors.learn(source, high, low, now)) this.#siblings?.publish(mapIpv4(source), high, low)
  }

  /** What siblings learned, if we wait for anything. One load when they learned nothing. */
  askSiblings(now: number): void {
    const siblings = this.#siblings
    if (siblings === undefined || this.neighbors.unresolved === 0 || siblings.sequence === this.#seen) return
    this.#seen = siblings.sequence
    for (const neighbor of this.neighbors) {
      if (!neighbor.incomplete) continue
      const mac = siblings.find(mapIpv4(neighbor.address))
      if (mac === undefined || !this.neighbors.learn(neighbor.address, mac.high, mac.low, now)) continue
      this.#interface.counters.values[ARP_LEARNED_FROM_SIBLINGS]++
    }
  }

  poll(now: number): void {
    for (const [entry, claim] of this.#claims) {
      claim.poll(now)
      if (claim.usable && entry.state === 'tentative') this.#addresses.setState(entry, 'preferred')
    }
    this.neighbors.poll(now)
  }

  nextEvent(): number {
    let next = this.neighbors.nextEvent()
    for (const claim of this.#claims.values()) next = Math.min(next, claim.nextEvent())
    return next
  }

  #claimOf(address: Ipv4Address): AddressConflict | undefined {
    for (const [entry, claim] of this.#claims) if (entry.words[3] === address) return claim
    return undefined
  }

  #request(neighbor: Neighbor<WaitingPacket>): void {
    this.#interface.counters.values[ARP_OUT_REQUESTS]++
    const source = this.#addresses.sourceIpv4(this.#interface, neighbor.address)
    if (neighbor.state === PROBE) {
      const [link] = this.#interface.links
      this.#emit(link, arp.REQUEST, source, 0, 0, neighbor.address, neighbor.high, neighbor.low)
    } else {
      this.#broadcast(source, neighbor.address)
    }
  }

  #resolved(neighbor: Neighbor<WaitingPacket>, waiting: readonly WaitingPacket[]): void {
    this.#interface.counters.values[ARP_RESOLVED]++
    for (const packet of waiting) {
      if (sendWaiting(packet, neighbor.high, neighbor.low)) this.#packets.sent(packet)
      else this.#packets.lost(packet, 'ENOBUFS')
    }
  }

  #unreachable(waiting: readonly WaitingPacket[]): void {
    const { counters } = this.#interface
    counters.values[ARP_FAILED]++
    for (const packet of waiting) {
      counters.drop(DROP_OUT_NEIGHBOR_UNREACHABLE)
      releaseWaiting(packet)
      this.#packets.lost(packet, 'EHOSTUNREACH')
    }
  }

  #broadcast(sender: Ipv4Address, target: Ipv4Address): void {
    const { link } = this.#interface
    this.#emit(link, arp.REQUEST, sender, 0, 0, target, ethernet.BROADCAST_HIGH, ethernet.BROADCAST_LOW)
  }

  #emit(
    link: Link,
    operation: number,
    sender: Ipv4Address,
    targetHigh: number,
    targetLow: number,
    target: Ipv4Address,
    toHigh: number,
    toLow: number,
  ): void {
    const { pool, counters, memory, mac, linkHeader, vlanMode, vlanId } = this.#interface
    // ARP may take from the devices' reserve: without it nothing that waits would ever leave.
    const frame = pool.allocateForDevice()
    if (frame < 0) {
      counters.drop(DROP_OUT_NO_FRAME)
      return
    }
    const { view } = memory
    const start = pool.address(frame) + pool.headroom
    ethernet.setDestination(view, start, toHigh, toLow)
    ethernet.setSource(view, start, mac.high, mac.low)
    if (vlanMode === VLAN_IN_BAND) ethernet.setTag(view, start, vlanId, ethernet.TYPE_ARP)
    else ethernet.setType(view, start, ethernet.TYPE_ARP)
    arp.emit(view, start + linkHeader, operation, mac.high, mac.low, sender, targetHigh, targetLow, target)
    if (toHigh === ethernet.BROADCAST_HIGH) this.#interface.interfaceCounters.values[IF_OUT_BROADCAST_PKTS]++
    link.tx.push(frame, pool.headroom, linkHeader + arp.LENGTH, 0, 0, 0)
  }
}
