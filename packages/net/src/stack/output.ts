import { CHECKSUM_VERIFIED, CHECKSUM_WANTED, END_OF_PACKET, NetBurst } from '@parakernel/hal'
import type { Neighbor } from '../arp/neighbor-cache.ts'
import * as ethernet from '../ethernet/wire.ts'
import { type Ipv4Address, isMulticast, LIMITED_BROADCAST } from '../ipv4/address.ts'
import type { PathMtuCache } from '../ipv4/path-mtu.ts'
import { NO_ROUTE, type RouteTable } from '../ipv4/routes.ts'
import * as ipv4 from '../ipv4/wire.ts'
import type { PacketMemory } from '../packet-memory.ts'
import {
  DROP_OUT_BACKLOG_FULL,
  DROP_OUT_NEIGHBOR_QUEUE_FULL,
  DROP_OUT_NEIGHBOR_UNREACHABLE,
  DROP_OUT_NO_FRAME,
  DROP_OUT_NO_ROUTE,
  IP_OUT_BCAST_PKTS,
  IP_OUT_FRAG_CREATES,
  IP_OUT_FRAG_FAILS,
  IP_OUT_FRAG_OKS,
  IP_OUT_FRAG_REQDS,
  IP_OUT_MCAST_PKTS,
  IP_OUT_REQUESTS,
} from '../statistics/counters.ts'
import type { ArpService, WaitingPacket } from './arp-service.ts'
import { type Link, type NetInterface, VLAN_IN_BAND } from './interface.ts'

/** `sent`: the device or the loop-back has it. `waiting`: it goes out when its neighbour answers. Else why it was dropped. */
export type SendResult = 'sent' | 'waiting' | 'ENOBUFS' | 'ENETUNREACH' | 'EHOSTUNREACH' | 'EADDRNOTAVAIL' | 'EMSGSIZE'

/** How a packet's transport checksum is finished: not at all, or by the device at this offset in the transport header. */
export const NO_OFFLOAD = -1

/** Packets to ourselves that wait for the next poll. */
const LOOPBACK = 256

/**
 * IPv4 output: finds the way, writes the headers before the payload that stands in a frame, cuts what is too long, and
 * hands frames to the device, to the neighbour cache or to the loop-back. Takes over the frame that it is given, whatever
 * the result.
 */
export class Output {
  /** Packets for our own address, read by the next poll as if they had arrived. */
  readonly loopback = new NetBurst(LOOPBACK)
  readonly #interface: NetInterface
  readonly #routes: RouteTable
  readonly #pathMtu: PathMtuCache
  readonly #arp: ArpService
  #identifier: number
  /** Whom the last packet went to: most go to the same one, and need no look-up. */
  #lastNeighbor: Neighbor<WaitingPacket> | undefined

  constructor(iface: NetInterface, routes: RouteTable, pathMtu: PathMtuCache, arp: ArpService) {
    this.#interface = iface
    this.#routes = routes
    this.#pathMtu = pathMtu
    this.#arp = arp
    this.#identifier = iface.random.next() & 0xffff
  }

  /** Whether a packet to `destination` would push another out of its neighbour's queue. */
  isWaitingFull(destination: Ipv4Address): boolean {
    const { neighbors } = this.#arp
    return neighbors.unresolved > 0 && neighbors.isFull(this.#routes.nextHop(destination))
  }

  isBroadcast(destination: Ipv4Address): boolean {
    return destination === LIMITED_BROADCAST || destination === this.#interface.network.broadcast
  }

  /** No path is known to be narrower than the link. */
  get allPathsFull(): boolean {
    return this.#pathMtu.size === 0
  }

  /** The longest packet that goes to `destination` whole. */
  mtuTo(destination: Ipv4Address): number {
    const { mtu, time } = this.#interface
    return this.#pathMtu.size === 0 ? mtu : this.#pathMtu.get(destination, mtu, time[0])
  }

  /**
   * Sends the payload of `length` bytes at `payload`, in `frame`.
   * @param offload where in the payload the device stores the checksum, or `NO_OFFLOAD`
   * @param token of the push that this is, 0 for none
   */
  send(
    frame: number,
    payload: number,
    length: number,
    protocol: number,
    destination: Ipv4Address,
    ttl: number,
    offload: number,
    token: number,
  ): SendResult {
    const iface = this.#interface
    if (length + ipv4.HEADER_LENGTH > this.mtuTo(destination)) {
      const result = this.sendFragments(iface.memory, payload, length, protocol, destination, ttl, token)
      iface.pool.release(frame)
      return result
    }
    iface.counters.values[IP_OUT_REQUESTS]++
    return this.#sendWhole(frame, payload, length, 0, ipv4.DONT_FRAGMENT, protocol, destination, ttl, offload, token)
  }

  /**
   * Cuts a payload that stands anywhere into fragments (RFC 791 section 2.3), each in a frame of its own. Its transport
   * checksum is complete.
   */
  sendFragments(
    memory: PacketMemory,
    payload: number,
    length: number,
    protocol: number,
    destination: Ipv4Address,
    ttl: number,
    token: number,
  ): SendResult {
    const { pool, memory: frames, counters } = this.#interface
    const { values } = counters
    values[IP_OUT_REQUESTS]++
    const step = (this.mtuTo(destination) - ipv4.HEADER_LENGTH) & ~7
    const pieces = Math.ceil(length / step)
    values[IP_OUT_FRAG_REQDS]++
    // All or nothing: fragments without their siblings only cost the receiver memory.
    if (pool.available - pool.deviceReserve < pieces) {
      values[IP_OUT_FRAG_FAILS]++
      counters.drop(DROP_OUT_NO_FRAME)
      return 'ENOBUFS'
    }
    this.#identifier = (this.#identifier + 1) & 0xffff
    const identifier = this.#identifier
    let result: SendResult = 'sent'
    for (let at = 0; at < length; at += step) {
      const size = Math.min(step, length - at)
      const frame = pool.allocate()
      const into = pool.address(frame) + pool.headroom + ethernet.HEADER_LENGTH + ipv4.HEADER_LENGTH
      frames.bytes.set(memory.bytes.subarray(payload + at, payload + at + size), into)
      const last = at + size === length
      const field = (at >>> 3) | (last ? 0 : ipv4.MORE_FRAGMENTS)
      // The push is complete when its last fragment is out.
      const owner = last ? token : 0
      result = this.#sendWhole(frame, into, size, identifier, field, protocol, destination, ttl, NO_OFFLOAD, owner)
      if (result !== 'sent' && result !== 'waiting') {
        values[IP_OUT_FRAG_FAILS]++
        return result
      }
      values[IP_OUT_FRAG_CREATES]++
    }
    values[IP_OUT_FRAG_OKS]++
    return result
  }

  /** Sends a payload back to the MAC address that a packet came from: no route and no ARP is needed for an answer. */
  answer(
    link: Link,
    frame: number,
    payload: number,
    length: number,
    protocol: number,
    destination: Ipv4Address,
    high: number,
    low: number,
  ): SendResult {
    const iface = this.#interface
    if (length + ipv4.HEADER_LENGTH > this.mtuTo(destination)) {
      return this.send(frame, payload, length, protocol, destination, 64, NO_OFFLOAD, 0)
    }
    iface.counters.values[IP_OUT_REQUESTS]++
    const packet = payload - ipv4.HEADER_LENGTH
    const total = length + ipv4.HEADER_LENGTH
    ipv4.emit(iface.memory.view, packet, total, 0, ipv4.DONT_FRAGMENT, 64, protocol, iface.address, destination)
    return this.#transmit(link, frame, packet, total, high, low, NO_OFFLOAD)
  }

  /** Sends a finished IP packet (or an ARP packet's frame) to a MAC address. */
  transmitWaiting(packet: WaitingPacket, high: number, low: number): boolean {
    const { view } = this.#interface.memory
    ethernet.setDestination(view, this.#interface.pool.address(packet.frame) + packet.offset, high, low)
    return packet.link.tx.push(
      packet.frame,
      packet.offset,
      packet.length,
      packet.flags,
      packet.checksumStart,
      packet.checksumOffset,
    )
  }

  /** Writes the Ethernet header before what stands at `at`; returns the header's address. */
  writeLinkHeader(at: number, high: number, low: number, type: number): number {
    const iface = this.#interface
    const { view } = iface.memory
    const start = at - iface.linkHeader
    ethernet.setDestination(view, start, high, low)
    ethernet.setSource(view, start, iface.mac.high, iface.mac.low)
    if (iface.vlanMode === VLAN_IN_BAND) ethernet.setTag(view, start, iface.vlanId, type)
    else ethernet.setType(view, start, type)
    return start
  }

  #sendWhole(
    frame: number,
    payload: number,
    length: number,
    identifier: number,
    fragmentField: number,
    protocol: number,
    destination: Ipv4Address,
    ttl: number,
    offload: number,
    token: number,
  ): SendResult {
    const iface = this.#interface
    const packet = payload - ipv4.HEADER_LENGTH
    const total = length + ipv4.HEADER_LENGTH
    ipv4.emit(iface.memory.view, packet, total, identifier, fragmentField, ttl, protocol, iface.address, destination)
    if (destination === iface.address) return this.#loop(frame, packet, total)
    const link = iface.linkFor(destination)
    if (isMulticast(destination)) {
      iface.counters.values[IP_OUT_MCAST_PKTS]++
      const low = ethernet.multicastLow(destination)
      return this.#transmit(link, frame, packet, total, ethernet.multicastHigh(destination), low, offload)
    }
    if (this.isBroadcast(destination)) {
      iface.counters.values[IP_OUT_BCAST_PKTS]++
      return this.#transmit(link, frame, packet, total, ethernet.BROADCAST_HIGH, ethernet.BROADCAST_LOW, offload)
    }
    return this.#sendUnicast(link, frame, packet, total, destination, offload, token)
  }

  #sendUnicast(
    link: Link,
    frame: number,
    packet: number,
    total: number,
    destination: Ipv4Address,
    offload: number,
    token: number,
  ): SendResult {
    const iface = this.#interface
    const nextHop = this.#routes.nextHop(destination)
    if (nextHop === NO_ROUTE) return this.#drop(frame, DROP_OUT_NO_ROUTE, 'ENETUNREACH')
    if (!this.#arp.usable) return this.#drop(frame, DROP_OUT_NO_ROUTE, 'EADDRNOTAVAIL')
    let neighbor = this.#lastNeighbor
    if (neighbor === undefined || neighbor.address !== nextHop || !neighbor.isFresh(iface.time)) {
      neighbor = this.#arp.neighbors.use(nextHop, iface.time[0])
      iface.timersMoved = true
      this.#lastNeighbor = neighbor
    }
    if (neighbor.usable) return this.#transmit(link, frame, packet, total, neighbor.high, neighbor.low, offload)
    if (!neighbor.incomplete) return this.#drop(frame, DROP_OUT_NEIGHBOR_UNREACHABLE, 'EHOSTUNREACH')
    const start = this.writeLinkHeader(packet, 0, 0, ethernet.TYPE_IPV4)
    const displaced = this.#arp.neighbors.wait(neighbor, {
      link,
      frame,
      offset: start - iface.pool.address(frame),
      length: total + iface.linkHeader,
      flags: offload === NO_OFFLOAD ? END_OF_PACKET : END_OF_PACKET | CHECKSUM_WANTED,
      checksumStart: iface.linkHeader + ipv4.HEADER_LENGTH,
      checksumOffset: offload,
      token,
    })
    if (displaced !== undefined) {
      iface.counters.drop(DROP_OUT_NEIGHBOR_QUEUE_FULL)
      iface.pool.release(displaced.frame)
      this.#arp.lost(displaced, 'ENOBUFS')
    }
    return 'waiting'
  }

  #transmit(
    link: Link,
    frame: number,
    packet: number,
    total: number,
    high: number,
    low: number,
    offload: number,
  ): SendResult {
    const iface = this.#interface
    const start = this.writeLinkHeader(packet, high, low, ethernet.TYPE_IPV4)
    const taken = link.tx.push(
      frame,
      start - iface.pool.address(frame),
      total + iface.linkHeader,
      offload === NO_OFFLOAD ? END_OF_PACKET : END_OF_PACKET | CHECKSUM_WANTED,
      iface.linkHeader + ipv4.HEADER_LENGTH,
      offload,
    )
    return taken ? 'sent' : 'ENOBUFS'
  }

  /** To ourselves: the packet is as good as verified. */
  #loop(frame: number, packet: number, total: number): SendResult {
    const iface = this.#interface
    const { loopback } = this
    if (loopback.count === loopback.capacity) return this.#drop(frame, DROP_OUT_BACKLOG_FULL, 'ENOBUFS')
    const start = this.writeLinkHeader(packet, iface.mac.high, iface.mac.low, ethernet.TYPE_IPV4)
    const i = loopback.count
    loopback.push(frame, start - iface.pool.address(frame), total + iface.linkHeader)
    loopback.flags[i] |= CHECKSUM_VERIFIED
    return 'sent'
  }

  /** A copy of a payload to ourselves, for groups that our own sockets have joined. */
  loopCopy(payload: number, length: number, protocol: number, destination: Ipv4Address): void {
    const { pool, memory, address, counters } = this.#interface
    const frame = pool.allocate()
    if (frame < 0) {
      counters.drop(DROP_OUT_NO_FRAME)
      return
    }
    const into = pool.address(frame) + pool.headroom + ethernet.HEADER_LENGTH + ipv4.HEADER_LENGTH
    memory.bytes.set(memory.bytes.subarray(payload, payload + length), into)
    const packet = into - ipv4.HEADER_LENGTH
    const total = length + ipv4.HEADER_LENGTH
    ipv4.emit(memory.view, packet, total, 0, ipv4.DONT_FRAGMENT, 1, protocol, address, destination)
    this.#loop(frame, packet, total)
  }

  #drop(frame: number, reason: number, result: SendResult): SendResult {
    this.#interface.counters.drop(reason)
    this.#interface.pool.release(frame)
    return result
  }
}
