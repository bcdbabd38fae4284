import {
  CHECKSUM_BAD,
  CHECKSUM_PARTIAL,
  CHECKSUM_VERIFIED,
  COLUMN_SEGMENT,
  END_OF_PACKET,
  type NetBurst,
  packetEntries,
  SEGMENT_ANY,
  VLAN_TAGGED,
} from '@parakernel/hal'
import type { IpWords } from '@parakernel/queue'
import { fold, pseudoHeaderSum, sumBytes } from '../checksum/internet-checksum.ts'
import * as ethernet from '../ethernet/wire.ts'
import * as ipv4 from '../ipv4/wire.ts'
import { IP6_IN_DELIVERS, IP6_IN_RECEIVES } from '../ipv6/counters.ts'
import * as ipv6 from '../ipv6/wire.ts'
import { IP_IN_DELIVERS, IP_IN_RECEIVES } from '../statistics/counters.ts'
import { ABSENT } from '../tcp/connection-table.ts'
import { TCP_IN_SEGS } from '../tcp/counters.ts'
import { EXT_SUPER_SEGMENTS_RECEIVED } from '../tcp/input-counters.ts'
import { OPTIONS_MALFORMED, parseOptions } from '../tcp/options.ts'
import { FIN, PSH, type Segment } from '../tcp/segment.ts'
import * as tcp from '../tcp/wire.ts'
import type { AddressTable } from './address-table.ts'
import { type Link, type NetInterface, VLAN_COLUMN, VLAN_IN_BAND } from './interface.ts'
import { indexOf, KIND_CONNECTION, kindOf, type TcpContext } from './tcp-context.ts'
import type { TcpEndpoint } from './tcp-endpoint.ts'

const IP_TCP = ipv4.HEADER_LENGTH + tcp.HEADER_LENGTH
const IP6_TCP = ipv6.HEADER_LENGTH + tcp.HEADER_LENGTH

/**
 * Plain segments of connections that are open, of both families, from the receive burst straight to the connection: headers are read once by
 * words at fixed offsets, the payload stays in its frames, those of chains and super-frames too, and nothing is allocated.
 * Everything else, and everything that is wrong in any way, is left to the slow path, which finds out and counts.
 */
export class TcpFastPath {
  readonly #tcp: TcpContext
  readonly #addresses: AddressTable
  /** Addresses of the IPv6 packet at hand. */
  readonly #local: IpWords = new Int32Array(4)
  readonly #remote: IpWords = new Int32Array(4)

  constructor(context: TcpContext, addresses: AddressTable) {
    this.#tcp = context
    this.#addresses = addresses
  }

  /** Takes the packet that begins at entry `i` of a burst, and its frames; returns its entries, or 0: not for here. */
  receive(rx: NetBurst, i: number, link: Link): number {
    const iface = link.interface
    const { pool, linkHeader, mac } = iface
    const { view } = iface.memory
    const flags = rx.flags[i]
    const at = pool.address(rx.frame[i]) + rx.offset[i]
    const packet = at + linkHeader
    const length = rx.length[i]
    if (
      (flags & CHECKSUM_BAD) !== 0 ||
      length < linkHeader + IP_TCP ||
      view.getInt32(at) !== mac.high ||
      view.getUint16(at + 4) !== mac.low ||
      view.getUint16(packet - 2) !== ethernet.TYPE_IPV4 ||
      !isOfVlan(rx, i, view, at, iface)
    ) {
      return 0
    }
    const word0 = view.getInt32(packet)
    const word1 = view.getInt32(packet + 4)
    const word2 = view.getInt32(packet + 8)
    const source = view.getInt32(packet + 12)
    const destination = view.getInt32(packet + 16)
    const total = word0 & 0xffff
    let sum =
      (word0 >>> 16) +
      total +
      (word1 >>> 16) +
      (word1 & 0xffff) +
      (word2 >>> 16) +
      (word2 & 0xffff) +
      (source >>> 16) +
      (source & 0xffff) +
      (destination >>> 16) +
      (destination & 0xffff)
    sum = (sum & 0xffff) + (sum >>> 16)
    sum = (sum & 0xffff) + (sum >>> 16)
    if (
      word0 >>> 24 !== ipv4.VERSION_4_IHL_5 ||
      sum !== 0xffff ||
      (word1 & (ipv4.MORE_FRAGMENTS | ipv4.OFFSET_MASK)) !== 0 ||
      ((word2 >>> 16) & 0xff) !== ipv4.PROTOCOL_TCP ||
      !this.#isOurs(iface, source, destination)
    ) {
      return 0
    }
    // From here on an open connection is looked for: its addresses were checked when it was opened.
    const header = packet + ipv4.HEADER_LENGTH
    const value = this.#tcp.table.find4(destination, source, view.getInt32(header))
    if (value === ABSENT || kindOf(value) !== KIND_CONNECTION) return 0
    const endpoint = this.#tcp.endpoints.slots[indexOf(value)] as TcpEndpoint
    const tcpLength = total - ipv4.HEADER_LENGTH
    const pseudo = pseudoHeaderSum(source, destination, ipv4.PROTOCOL_TCP, tcpLength)
    const inEntry = length - linkHeader - ipv4.HEADER_LENGTH
    const entries = this.#take(rx, i, iface, endpoint, header, tcpLength, inEntry, pseudo, (word0 >>> 16) & 3)
    if (entries === 0) return 0
    const counters = iface.counters.values
    counters[IP_IN_RECEIVES]++
    counters[IP_IN_DELIVERS]++
    return entries
  }

  /** As `receive`, for IPv6: a packet whose header TCP follows at once. */
  receive6(rx: NetBurst, i: number, link: Link): number {
    const iface = link.interface
    const { pool, linkHeader, mac } = iface
    const { view } = iface.memory
    const at = pool.address(rx.frame[i]) + rx.offset[i]
    const packet = at + linkHeader
    const length = rx.length[i]
    if (
      (rx.flags[i] & CHECKSUM_BAD) !== 0 ||
      length < linkHeader + IP6_TCP ||
      view.getInt32(at) !== mac.high ||
      view.getUint16(at + 4) !== mac.low ||
      ipv6.version(view, packet) !== 6 ||
      !isOfVlan(rx, i, view, at, iface)
    ) {
      return 0
    }
    ipv6.readAddress(view, packet + ipv6.SOURCE, this.#remote)
    ipv6.readAddress(view, packet + ipv6.DESTINATION, this.#local)
    // Only addresses that a connection may have are found: they were checked when it was opened.
    const header = packet + ipv6.HEADER_LENGTH
    const value = this.#tcp.table.find(this.#local, this.#remote, view.getInt32(header))
    if (value === ABSENT || kindOf(value) !== KIND_CONNECTION) return 0
    const endpoint = this.#tcp.endpoints.slots[indexOf(value)] as TcpEndpoint
    // By another interface than ours go out, or for an address that is not ours any more: the slow path knows what to do.
    if (endpoint.path.interface !== iface || !endpoint.path.check()) return 0
    const tcpLength = ipv6.payloadLength(view, packet)
    const pseudo = ipv6.addressSum(this.#local, this.#remote) + ipv6.NEXT_TCP + tcpLength
    const inEntry = length - linkHeader - ipv6.HEADER_LENGTH
    const ecn = ipv6.trafficClass(view, packet) & 3
    const entries = this.#take(rx, i, iface, endpoint, header, tcpLength, inEntry, pseudo, ecn)
    if (entries === 0) return 0
    const { values } = iface.counters6
    values[IP6_IN_RECEIVES]++
    values[IP6_IN_DELIVERS]++
    return entries
  }

  /**
   * Hands the segment of `tcpLength` bytes at `header`, `inEntry` of whose bytes the first entry has, to its connection. Returns the
   * packet's entries, or 0 when something is wrong with it.
   */
  #take(
    rx: NetBurst,
    i: number,
    iface: NetInterface,
    endpoint: TcpEndpoint,
    header: number,
    tcpLength: number,
    inEntry: number,
    pseudo: number,
    ecn: number,
  ): number {
    const { pool } = iface
    const { view } = iface.memory
    const flags = rx.flags[i]
    const headerLength = tcp.headerLength(view, header)
    if (headerLength < tcp.HEADER_LENGTH || headerLength > inEntry) return 0
    const isLast = (flags & END_OF_PACKET) !== 0
    if (headerLength > tcpLength || (isLast && tcpLength > inEntry)) return 0
    const entries = isLast ? 1 : packetEntries(rx, i)
    if (!this.#isChecked(rx, i, entries, iface, header, tcpLength, inEntry, pseudo)) return 0

    const segment = this.#tcp.received
    segment.clear()
    tcp.parseHeader(view, header, segment)
    if (parseOptions(view, header + tcp.HEADER_LENGTH, header + headerLength, segment) === OPTIONS_MALFORMED) return 0
    this.#tcp.counters.values[TCP_IN_SEGS]++
    segment.ecn = ecn
    if ((flags & SEGMENT_ANY) !== 0 && (rx.columns & COLUMN_SEGMENT) !== 0) {
      segment.segmentSize = rx.segmentSize[i]
      this.#tcp.inputCounters.values[EXT_SUPER_SEGMENTS_RECEIVED]++
    }
    const payload = header + headerLength
    if (entries === 1) {
      segment.frame = rx.frame[i]
      segment.address = payload
      segment.length = tcpLength - headerLength
      endpoint.connection.process(segment, this.#tcp.now)
      if (segment.frame >= 0) pool.release(segment.frame)
    } else {
      this.#processChain(endpoint, segment, rx, i, entries, payload, inEntry - headerLength, tcpLength - headerLength)
    }
    segment.frame = -1
    this.#tcp.touch(endpoint)
    return entries
  }

  /** Each entry's bytes as a segment of their own: they follow each other in the sequence space. */
  #processChain(
    endpoint: TcpEndpoint,
    segment: Segment,
    rx: NetBurst,
    first: number,
    entries: number,
    payload: number,
    inFirst: number,
    total: number,
  ): void {
    const { pool, now } = this.#tcp
    const { sequence, flags, acknowledgment, window, segmentSize } = segment
    let done = 0
    for (let i = first; i < first + entries; i++) {
      const address = i === first ? payload : pool.address(rx.frame[i]) + rx.offset[i]
      const length = Math.min(i === first ? inFirst : rx.length[i], total - done)
      if (length <= 0 && total > 0) {
        // Headers alone in the first entry, padding in the last ones.
        pool.release(rx.frame[i])
        continue
      }
      segment.frame = rx.frame[i]
      segment.address = address
      segment.length = length
      segment.sequence = (sequence + done) | 0
      segment.acknowledgment = acknowledgment
      segment.window = window
      segment.segmentSize = segmentSize
      done += length
      segment.flags = done === total ? flags : flags & ~(FIN | PSH)
      endpoint.connection.process(segment, now)
      if (segment.frame >= 0) pool.release(segment.frame)
    }
  }

  /** From one host to an address of ours. */
  #isOurs(iface: NetInterface, source: number, destination: number): boolean {
    const network = source >>> 24
    if (network === 0 || network >= 224 || source === iface.broadcast) return false
    if (iface.loopback) return this.#addresses.isOwnIpv4(destination)
    return iface.hasAddress(destination) && network !== 127 && !this.#addresses.isOwnIpv4(source)
  }

  /** Whether the transport checksum is right: the device's word, a partial sum, or our own. */
  #isChecked(
    rx: NetBurst,
    i: number,
    entries: number,
    iface: NetInterface,
    header: number,
    length: number,
    inEntry: number,
    pseudo: number,
  ): boolean {
    const { trustDevice, unmarkedPartials, memory, pool } = iface
    const trusted = trustDevice ? CHECKSUM_VERIFIED | CHECKSUM_PARTIAL : CHECKSUM_PARTIAL
    if ((rx.flags[i] & trusted) !== 0) return true
    if (unmarkedPartials && tcp.checksum(memory.view, header) === fold(pseudo)) return true
    if (entries === 1) return fold(pseudo + sumBytes(memory, header, length)) === 0xffff
    let sum = pseudo + sumBytes(memory, header, Math.min(inEntry, length))
    let done = inEntry
    for (let entry = i + 1; entry < i + entries && done < length; entry++) {
      const bytes = Math.min(rx.length[entry], length - done)
      const part = sumBytes(memory, pool.address(rx.frame[entry]) + rx.offset[entry], bytes)
      // A part that begins at an odd place of the packet has its bytes in the other halves of the words.
      sum += (done & 1) === 0 ? part : ((part & 0xff) << 8) | (part >>> 8)
      done += bytes
    }
    return fold(sum) === 0xffff
  }
}

/** Whether entry `i` may be looked at by the fast path: one of TCP over IPv4, as far as two bytes tell. */
export function looksLikeTcp(view: DataView, packet: number): boolean {
  return view.getUint16(packet - 2) === ethernet.TYPE_IPV4 && view.getUint8(packet + 9) === ipv4.PROTOCOL_TCP
}

/** The same of TCP over IPv6. */
export function looksLikeTcp6(view: DataView, packet: number): boolean {
  const next = view.getUint8(packet + ipv6.NEXT_HEADER)
  return view.getUint16(packet - 2) === ethernet.TYPE_IPV6 && next === ipv6.NEXT_TCP
}

function isOfVlan(rx: NetBurst, i: number, view: DataView, at: number, iface: NetInterface): boolean {
  const { vlanMode, vlanId } = iface
  const tagged = (rx.flags[i] & VLAN_TAGGED) !== 0
  if (vlanMode === VLAN_COLUMN) return tagged && (rx.vlan[i] & 0x0fff) === vlanId
  if (tagged) return false
  return vlanMode !== VLAN_IN_BAND || (view.getInt32(at + 12) & 0xffff0fff) === ((ethernet.TYPE_VLAN << 16) | vlanId)
}
