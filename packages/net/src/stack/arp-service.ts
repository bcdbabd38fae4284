import { END_OF_PACKET, type ErrorCode } from '@parakernel/hal'
import { AddressConflict } from '../arp/address-conflict.ts'
import { type Neighbor, NeighborCache, PROBE } from '../arp/neighbor-cache.ts'
import * as arp from '../arp/wire.ts'
import type { NetConfig } from '../config.ts'
import * as ethernet from '../ethernet/wire.ts'
import { type Ipv4Address, isUnicastHost } from '../ipv4/address.ts'
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
  DROP_OUT_NEIGHBOR_UNREACHABLE,
  DROP_OUT_NO_FRAME,
} from '../statistics/counters.ts'
import { type Link, type NetInterface, VLAN_IN_BAND } from './interface.ts'
import type { Siblings } from './siblings.ts'

/** A frame that is complete but for its destination MAC address. */
export interface WaitingPacket {
  readonly link: Link
  readonly frame: number
  readonly offset: number
  readonly length: number
  readonly flags: number
  readonly checksumStart: number
  readonly checksumOffset: number
  /** Of the push that it belongs to, 0 for none. */
  readonly token: number
}

/** What becomes of packets that waited. */
export interface WaitingPackets {
  /** Sends `packet` to the MAC address; takes over its frame. False when it could not. */
  send(packet: WaitingPacket, high: number, low: number): boolean
  /** `packet` went out. */
  sent(packet: WaitingPacket): void
  /** `packet` was lost; its frame is released. */
  lost(packet: WaitingPacket, code: ErrorCode): void
  /** Our address is another host's. */
  addressLost(): void
}

/** ARP between the wire and its cores: the neighbour cache and the conflict detection. */
export class ArpService {
  readonly neighbors: NeighborCache<WaitingPacket>
  readonly conflict: AddressConflict
  readonly #interface: NetInterface
  readonly #siblings: Siblings | undefined
  readonly #packets: WaitingPackets

  constructor(
    iface: NetInterface,
    config: NetConfig,
    siblings: Siblings | undefined,
    first: boolean,
    packets: WaitingPackets,
    now: number,
  ) {
    this.#interface = iface
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
    // Partitions share the address; the first one probes and announces it for all.
    const policy = {
      probe: first && config.probeAddress,
      announce: first && config.announceAddress,
      defend: config.defendAddress,
    }
    this.conflict = new AddressConflict(
      policy,
      iface.random,
      {
        probe: () => this.#broadcast(0, iface.address),
        announce: () => {
          iface.counters.values[ARP_OUT_ANNOUNCEMENTS]++
          this.#broadcast(iface.address, iface.address)
        },
        lost: () => {
          this.neighbors.clear()
          packets.addressLost()
        },
      },
      now,
    )
  }

  get usable(): boolean {
    return this.conflict.usable
  }

  /** A packet that gave way in a neighbour's queue. */
  lost(packet: WaitingPacket, code: ErrorCode): void {
    this.#packets.lost(packet, code)
  }

  /** An ARP packet of `length` bytes at `at`; reads it, keeps nothing. */
  receive(view: DataView, at: number, length: number, link: Link, now: number): void {
    const { counters, mac, address, network } = this.#interface
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

    const probesOurs = sender === 0 && operation === arp.REQUEST && target === address
    if (sender === address || (probesOurs && this.conflict.state === 'probing')) {
      counters.values[ARP_CONFLICTS]++
      this.conflict.conflict(now)
      return
    }
    if (sender !== 0) {
      if (ethernet.isGroup(high) || !isUnicastHost(sender) || sender === network.broadcast) {
        counters.drop(DROP_ARP_BAD_SENDER)
        return
      }
      // Only neighbours on our own network: an entry for anything else would never be used.
      if (((sender ^ address) & network.mask) === 0) {
        const toUs = target === address
        this.neighbors.heard(sender, high, low, toUs && operation === arp.REQUEST, toUs && operation === arp.REPLY, now)
        if (toUs) this.#siblings?.publish(sender, high, low)
      }
    }
    if (operation === arp.REQUEST && target === address && this.usable) {
      counters.values[ARP_OUT_REPLIES]++
      this.#emit(link, arp.REPLY, address, high, low, sender, high, low)
    }
  }

  /** A datagram of this on-link address came from a MAC address while somebody waits for one. */
  heardTraffic(source: Ipv4Address, high: number, low: number, now: number): void {
    const { address, network } = this.#interface
    if (((source ^ address) & network.mask) !== 0 || ethernet.isGroup(high)) return
    if (this.neighbors.learn(source, high, low, now)) this.#siblings?.publish(source, high, low)
  }

  /** What siblings learned, if we wait for anything. One load when they learned nothing. */
  askSiblings(now: number): void {
    const siblings = this.#siblings
    if (siblings === undefined || this.neighbors.unresolved === 0 || !siblings.changed()) return
    for (const neighbor of this.neighbors) {
      if (!neighbor.incomplete) continue
      const mac = siblings.find(neighbor.address)
      if (mac === undefined || !this.neighbors.learn(neighbor.address, mac.high, mac.low, now)) continue
      this.#interface.counters.values[ARP_LEARNED_FROM_SIBLINGS]++
    }
  }

  poll(now: number): void {
    this.conflict.poll(now)
    this.neighbors.poll(now)
  }

  nextEvent(): number {
    return Math.min(this.conflict.nextEvent(), this.neighbors.nextEvent())
  }

  #request(neighbor: Neighbor<WaitingPacket>): void {
    this.#interface.counters.values[ARP_OUT_REQUESTS]++
    if (neighbor.state === PROBE) {
      const { links, address } = this.#interface
      this.#emit(links[0], arp.REQUEST, address, 0, 0, neighbor.address, neighbor.high, neighbor.low)
    } else {
      this.#broadcast(this.#interface.address, neighbor.address)
    }
  }

  #resolved(neighbor: Neighbor<WaitingPacket>, waiting: readonly WaitingPacket[]): void {
    this.#interface.counters.values[ARP_RESOLVED]++
    for (const packet of waiting) {
      if (this.#packets.send(packet, neighbor.high, neighbor.low)) this.#packets.sent(packet)
      else this.#packets.lost(packet, 'ENOBUFS')
    }
  }

  #unreachable(waiting: readonly WaitingPacket[]): void {
    const { counters, pool } = this.#interface
    counters.values[ARP_FAILED]++
    for (const packet of waiting) {
      counters.drop(DROP_OUT_NEIGHBOR_UNREACHABLE)
      pool.release(packet.frame)
      this.#packets.lost(packet, 'EHOSTUNREACH')
    }
  }

  #broadcast(sender: Ipv4Address, target: Ipv4Address): void {
    const { links } = this.#interface
    this.#emit(links[0], arp.REQUEST, sender, 0, 0, target, ethernet.BROADCAST_HIGH, ethernet.BROADCAST_LOW)
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
    link.tx.push(frame, pool.headroom, linkHeader + arp.LENGTH, END_OF_PACKET, 0, 0)
  }
}
