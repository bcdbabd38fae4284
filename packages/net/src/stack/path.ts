import { CHECKSUM_WANTED, SEGMENT_TCP4, SEGMENT_TCP6 } from '@parakernel/hal'
import type { IpWords } from '@parakernel/queue'
import * as ethernet from '../ethernet/wire.ts'
import * as ipv4 from '../ipv4/wire.ts'
import { IP6_OUT_MCAST_PKTS, IP6_OUT_REQUESTS } from '../ipv6/counters.ts'
import * as ipv6 from '../ipv6/wire.ts'
import {
  DROP_OUT_INVALID,
  DROP_OUT_NEIGHBOR_UNREACHABLE,
  DROP_OUT_NO_ROUTE,
  IP_OUT_BCAST_PKTS,
  IP_OUT_MCAST_PKTS,
  IP_OUT_REQUESTS,
} from '../statistics/counters.ts'
import { IF_OUT_BROADCAST_PKTS, IF_OUT_MULTICAST_PKTS } from '../statistics/interface-statistics.ts'
import { dropOutgoing } from '../statistics/out-drops.ts'
import { type Link, type NetInterface, VLAN_IN_BAND } from './interface.ts'
import { copySlices, type LinkNeighbor, NO_SLICES } from './neighbors.ts'
import type { PathTable } from './path-table.ts'
import type { Slices } from './transmit-queue.ts'

/** `sent`: the device has it, or will. `waiting`: it goes out when its neighbour answers. Else why it was dropped. */
export type SendResult =
  | 'sent'
  | 'waiting'
  | 'ENOBUFS'
  | 'ENETUNREACH'
  | 'EHOSTUNREACH'
  | 'EADDRNOTAVAIL'
  | 'EMSGSIZE'
  | 'EINVAL'

/** How a packet's transport checksum is finished: not at all, or by the device at this offset in the transport header. */
export const NO_OFFLOAD = -1

/** TTL and hop limit of what has none of its own. */
export const DEFAULT_HOP_LIMIT = 64

/** Ways to the next hop's MAC address. */
export const HOP_NEIGHBOR = 0
export const HOP_MULTICAST = 1
export const HOP_BROADCAST = 2
export const HOP_LOOPBACK = 3

/**
 * The way from an address of ours to a destination: an entry of the destination cache (RFC 4861 section 5.1), for both families. It
 * remembers what would otherwise be looked up for every packet: interface, source, next hop and its MAC address, MTU, sums.
 *
 * A path is kept for as long as its owner likes. What it says is true after `check`, which costs a comparison when nothing
 * has changed; `send` and `sendChain` check by themselves. Fields are the `PathTable`'s to write.
 */
export class Path {
  readonly #table: PathTable
  readonly family: 4 | 6
  /** The destination; IPv4 as `::ffff:a.b.c.d`. */
  readonly remote: IpWords
  /** Our address. One that was not given is chosen when the path is first worked out, and the same ever after. */
  readonly local: IpWords
  /** The last words of both: all of an IPv4 address. */
  readonly remoteIpv4: number
  localIpv4: number
  /** A source was given: the packet leaves by its interface, or not at all. */
  readonly fixed: boolean
  /** It goes by `interface`, whatever the routes say. */
  pinned = false
  interface: NetInterface
  link: Link
  /** Of the stack's context, when the fields below were worked out. 0: never. */
  generation = 0
  /** Why nothing can be sent now. */
  failure: 'ENETUNREACH' | 'EADDRNOTAVAIL' | 'EINVAL' | undefined = undefined
  /** Longest IP packet. */
  mtu = 0
  /** From a fresh frame's start to where the transport header goes: the device's headroom, link and IP header. */
  headroom = 0
  /** Bytes of IP header. */
  ipHeader = 0
  /** The device sums: the transport stores the folded pseudo-header sum, and asks by `checksumOffset`. */
  computesChecksum = false
  /** Longest transport packet, header included, of a super-frame that the device cuts for TCP; 0: it cuts none. */
  superPacket = 0
  /** Most entries of a packet. */
  maxChain = 1
  /** Sum of both addresses for a pseudo-header, not folded: add protocol and length. */
  pseudoSum = 0
  /** To ourselves. The packet crosses no wire: nothing needs a checksum, and nothing is gained by cutting. */
  loopback = false
  /** One of `HOP_*`. */
  hop = HOP_NEIGHBOR
  /** The neighbour to send to, if `hop` is `HOP_NEIGHBOR`. */
  nextHop: IpWords
  /** MAC address of a next hop that needs no resolution. */
  high = 0
  low = 0
  #neighbor: LinkNeighbor | undefined = undefined
  /** Next path of the same bucket of the table. */
  next: Path | undefined = undefined

  constructor(table: PathTable, family: 4 | 6, local: IpWords | undefined, remote: IpWords, iface: NetInterface) {
    this.#table = table
    this.family = family
    this.remote = remote.slice()
    this.local = local === undefined ? new Int32Array(4) : local.slice()
    this.remoteIpv4 = remote[3]
    this.localIpv4 = this.local[3]
    this.fixed = local !== undefined
    this.nextHop = this.remote
    this.interface = iface
    this.link = iface.link
  }

  /** Brings every field up to date; false when nothing can be sent, and `failure` says why. */
  check(): boolean {
    if (this.generation !== this.interface.context.generation) {
      this.#neighbor = undefined
      this.#table.resolve(this)
    }
    return this.failure === undefined
  }

  /** Entries that the device's transmit queue takes before it refuses. */
  get room(): number {
    return this.link.tx.room
  }

  /** Whether another packet would be lost for want of room, at the device or in the queue for an unknown neighbour. */
  get backlogged(): boolean {
    if (!this.check()) return false
    if (this.link.tx.room === 0) {
      this.link.tx.flush()
      if (this.link.tx.room === 0) return true
    }
    const neighbor = this.#neighbor
    return neighbor?.incomplete === true && this.interface.resolver(this.family).isFull(this)
  }

  /**
   * Sends a transport packet of `length` bytes at `at` in `frame`, with room for the headers before it. Takes over the frame's
   * reference, whatever the result.
   * @param hopLimit 0 for the default
   * @param trafficClass TOS or traffic class, ECN included
   * @param checksumOffset where in the transport header the device stores the checksum, or `NO_OFFLOAD`
   * @param token of the push that this is, 0 for none
   */
  send(
    frame: number,
    at: number,
    length: number,
    protocol: number,
    hopLimit: number,
    trafficClass: number,
    checksumOffset: number,
    token: number,
  ): SendResult {
    if (!this.check()) return this.#refuse(frame, DROP_OUT_NO_ROUTE, this.failure as SendResult)
    if (length + this.ipHeader > this.mtu) return this.#refuse(frame, DROP_OUT_INVALID, 'EMSGSIZE')
    this.#countRequest()
    return this.transmit(
      frame,
      at,
      length,
      0,
      ipv4.DONT_FRAGMENT,
      protocol,
      hopLimit,
      trafficClass,
      checksumOffset,
      token,
    )
  }

  /**
   * As `send`, for a packet whose payload is in `rest`, a reference of each of whose frames is passed on, behind the `headerBytes`
   * of transport header at `at`; or one that the device shall cut into segments of `segmentSize` payload bytes, if that
   * is not 0. Then `headerBytes` is the header that every segment repeats, which `inFrame - headerBytes` of payload may follow at
   * once. The whole may be as long as `superPacket`, else as `mtu` allows.
   */
  sendChain(
    frame: number,
    at: number,
    inFrame: number,
    headerBytes: number,
    rest: Slices,
    protocol: number,
    hopLimit: number,
    trafficClass: number,
    checksumOffset: number,
    segmentSize: number,
  ): SendResult {
    let length = inFrame
    for (let i = 0; i < rest.count; i++) length += rest.length[i]
    if (!this.check()) return this.#refuseChain(frame, rest, DROP_OUT_NO_ROUTE, this.failure as SendResult)
    const fits = segmentSize > 0 ? length <= this.superPacket : length + this.ipHeader <= this.mtu
    if (!fits || rest.count >= this.maxChain) return this.#refuseChain(frame, rest, DROP_OUT_INVALID, 'EMSGSIZE')
    const { interface: iface, link, ipHeader } = this
    this.#countRequest()
    const packet = at - ipHeader
    this.#writeHeader(packet, length, 0, ipv4.DONT_FRAGMENT, protocol, hopLimit, trafficClass)
    const kind = segmentSize === 0 ? 0 : this.family === 4 ? SEGMENT_TCP4 : SEGMENT_TCP6
    const flags = (checksumOffset === NO_OFFLOAD ? 0 : CHECKSUM_WANTED) | kind
    const checksumStart = iface.linkHeader + ipHeader
    const headers = checksumStart + headerBytes
    const entry = inFrame + checksumStart
    const known = this.#findHop()
    const start = this.#writeLinkHeader(packet)
    const offset = start - iface.pool.address(frame)
    if (known) {
      const sum = checksumOffset
      const taken = link.tx.pushChain(frame, offset, entry, rest, flags, checksumStart, sum, segmentSize, headers)
      return taken ? 'sent' : 'ENOBUFS'
    }
    const neighbor = this.#neighbor
    if (neighbor?.incomplete !== true) {
      return this.#refuseChain(frame, rest, DROP_OUT_NEIGHBOR_UNREACHABLE, 'EHOSTUNREACH')
    }
    iface.resolver(this.family).wait(this, {
      ...{ link, frame, offset, length: entry, rest: copySlices(rest), flags, checksumStart, checksumOffset },
      ...{ segmentSize, headerLength: headers, token: 0 },
    })
    return 'waiting'
  }

  /**
   * What `send` does after its checks: for a packet that fits, or one fragment. The path was checked just now.
   * @param fragmentField of IPv4, flags and offset as on the wire
   */
  transmit(
    frame: number,
    at: number,
    length: number,
    identifier: number,
    fragmentField: number,
    protocol: number,
    hopLimit: number,
    trafficClass: number,
    checksumOffset: number,
    token: number,
  ): SendResult {
    const { interface: iface, link, ipHeader } = this
    const packet = at - ipHeader
    if (this.hop === HOP_MULTICAST || this.hop === HOP_BROADCAST) this.#countGroup()
    this.#writeHeader(packet, length, identifier, fragmentField, protocol, hopLimit, trafficClass)
    const known = this.#findHop()
    const start = this.#writeLinkHeader(packet)
    const offset = start - iface.pool.address(frame)
    const flags = checksumOffset === NO_OFFLOAD ? 0 : CHECKSUM_WANTED
    const checksumStart = iface.linkHeader + ipHeader
    const whole = length + checksumStart
    if (known) return link.tx.push(frame, offset, whole, flags, checksumStart, checksumOffset) ? 'sent' : 'ENOBUFS'
    if (this.#neighbor?.incomplete !== true) {
      return this.#refuse(frame, DROP_OUT_NEIGHBOR_UNREACHABLE, 'EHOSTUNREACH')
    }
    iface.resolver(this.family).wait(this, {
      ...{ link, frame, offset, length: whole, rest: NO_SLICES, flags, checksumStart, checksumOffset },
      ...{ segmentSize: 0, headerLength: 0, token },
    })
    return 'waiting'
  }

  /** Sees to it that `high` and `low` are the next hop's; false when they are not known. */
  #findHop(): boolean {
    if (this.hop !== HOP_NEIGHBOR) return true
    const { interface: iface } = this
    let neighbor = this.#neighbor
    if (neighbor === undefined || !neighbor.isFresh(iface.time)) {
      neighbor = iface.resolver(this.family).lookUp(this)
      this.#neighbor = neighbor
      iface.context.timersMoved = true
    }
    this.high = neighbor.high
    this.low = neighbor.low
    return neighbor.usable
  }

  #countRequest(): void {
    if (this.family === 4) this.interface.counters.values[IP_OUT_REQUESTS]++
    else this.interface.counters6.values[IP6_OUT_REQUESTS]++
  }

  #countGroup(): void {
    const { counters, counters6, interfaceCounters } = this.interface
    interfaceCounters.values[this.hop === HOP_MULTICAST ? IF_OUT_MULTICAST_PKTS : IF_OUT_BROADCAST_PKTS]++
    if (this.family === 6) counters6.values[IP6_OUT_MCAST_PKTS]++
    else counters.values[this.hop === HOP_MULTICAST ? IP_OUT_MCAST_PKTS : IP_OUT_BCAST_PKTS]++
  }

  #writeHeader(
    packet: number,
    length: number,
    identifier: number,
    fragmentField: number,
    protocol: number,
    hopLimit: number,
    trafficClass: number,
  ): void {
    const { view } = this.interface.memory
    if (this.family === 4) {
      const limit = hopLimit === 0 ? DEFAULT_HOP_LIMIT : hopLimit
      const total = length + ipv4.HEADER_LENGTH
      const { localIpv4: from, remoteIpv4: to } = this
      ipv4.emit(view, packet, trafficClass, total, identifier, fragmentField, limit, protocol, from, to)
    } else {
      const limit = hopLimit === 0 ? this.interface.hopLimit : hopLimit
      ipv6.emit(view, packet, trafficClass, 0, length, protocol, limit, this.local, this.remote)
    }
  }

  #writeLinkHeader(packet: number): number {
    const type = this.family === 4 ? ethernet.TYPE_IPV4 : ethernet.TYPE_IPV6
    return writeLinkHeader(this.interface, packet, this.high, this.low, type)
  }

  #refuse(frame: number, reason: number, result: SendResult): SendResult {
    dropOutgoing(this.interface, this.family, reason)
    this.interface.pool.release(frame)
    return result
  }

  #refuseChain(frame: number, rest: Slices, reason: number, result: SendResult): SendResult {
    for (let i = 0; i < rest.count; i++) this.interface.pool.release(rest.frame[i])
    return this.#refuse(frame, reason, result)
  }
}

/** Writes the Ethernet header before what stands at `at`; returns the header's address. */
export function writeLinkHeader(iface: NetInterface, at: number, high: number, low: number, type: number): number {
  const { view } = iface.memory
  const start = at - iface.linkHeader
  ethernet.setDestination(view, start, high, low)
  ethernet.setSource(view, start, iface.mac.high, iface.mac.low)
  if (iface.vlanMode === VLAN_IN_BAND) ethernet.setTag(view, start, iface.vlanId, type)
  else ethernet.setType(view, start, type)
  return start
}
