import {
  CHECKSUM_BAD,
  CHECKSUM_PARTIAL,
  CHECKSUM_VERIFIED,
  END_OF_PACKET,
  type NetBurst,
  SEGMENT_ANY,
  VLAN_TAGGED,
} from '@parakernel/hal'
import { fold, pseudoHeaderSum, sumBytes } from '../checksum/internet-checksum.ts'
import * as ethernet from '../ethernet/wire.ts'
import * as ipv4 from '../ipv4/wire.ts'
import { IP6_IN_DELIVERS, IP6_IN_RECEIVES } from '../ipv6/counters.ts'
import * as ipv6 from '../ipv6/wire.ts'
import { IP_IN_DELIVERS, IP_IN_RECEIVES, UDP_IN_DATAGRAMS } from '../statistics/counters.ts'
import type { PortTable } from '../udp/ports.ts'
import type { UdpSocket } from '../udp/socket.ts'
import * as udp from '../udp/wire.ts'
import type { AddressTable } from './address-table.ts'
import { type Link, type NetInterface, tagWord, VLAN_COLUMN, VLAN_IN_BAND, VLAN_NONE } from './interface.ts'
import type { InterfaceServices } from './interface-services.ts'
import { isPlainIpv6 } from './ipv6-fast-path.ts'
import type { ServedDatagrams } from './served-datagrams.ts'
import { looksLikeTcp, looksLikeTcp6, type TcpFastPath } from './tcp-fast-path.ts'

/** Headers of a datagram over IPv4, Ethernet apart. */
const IP_UDP = ipv4.HEADER_LENGTH + udp.HEADER_LENGTH

/** Takes what the fast path leaves: whatever is not plain, or not for a socket that serves. */
export interface SlowPath {
  /** Entry `i` of a burst begins a packet; takes over its frames and returns how many entries it had. */
  packet(burst: NetBurst, i: number, link: Link, now: number): number
}

/**
 * From a receive burst to handlers, and from their answers to a transmit burst: plain datagrams for sockets that serve, and plain
 * segments, which `TcpFastPath` takes. Budget: 300 ns of own code for an echoed datagram of 64 bytes, software checksum
 * included. Nothing is allocated; headers are read once, by words at fixed offsets; answers are written over the packet
 * that they answer.
 */
export class FastPath {
  readonly #addresses: AddressTable
  readonly #services: readonly InterfaceServices[]
  readonly #ports: PortTable
  readonly #sockets: readonly (UdpSocket | undefined)[]
  readonly #served: ServedDatagrams
  readonly #tcp: TcpFastPath
  /** Set by `#receiveIpv6`: the burst that it added to has no room left. */
  #isFull = false

  constructor(
    addresses: AddressTable,
    services: readonly InterfaceServices[],
    ports: PortTable,
    sockets: readonly (UdpSocket | undefined)[],
    served: ServedDatagrams,
    tcp: TcpFastPath,
  ) {
    this.#addresses = addresses
    this.#services = services
    this.#ports = ports
    this.#sockets = sockets
    this.#served = served
    this.#tcp = tcp
  }

  /** Handles the packets of `rx`, handlers included, and leaves answers in `link.tx`. */
  receive(rx: NetBurst, count: number, link: Link, slow: SlowPath, now: number): void {
    const iface = link.interface
    const { pool, memory, linkHeader, vlanMode, vlanId, address: own, trustDevice, unmarkedPartials, loopback } = iface
    const { high: ownHigh, low: ownLow } = iface.mac
    const { view } = memory
    const broadcast = iface.broadcast
    const addresses = this.#addresses
    // One address on one interface is the case that costs two comparisons and no call.
    const several = loopback || addresses.usableIpv4 > 2
    const ports = this.#ports.slots
    const sockets = this.#sockets
    const served = this.#served
    // Without an address of our own nothing over IPv4 is for us: -1 matches no flags.
    const plain = plainFlags(vlanMode)
    const plain4 = own === 0 ? -1 : plain
    const tagged = tagWord(vlanId)
    const verified = trustDevice ? CHECKSUM_VERIFIED | CHECKSUM_PARTIAL : CHECKSUM_PARTIAL
    const { arp } = this.#services[iface.index]
    const listens = arp !== undefined && arp.neighbors.unresolved !== 0
    let delivered = 0

    for (let i = 0; i < count; i++) {
      const flags = rx.flags[i]
      const frame = rx.frame[i]
      const length = rx.length[i]
      const at = pool.address(frame) + rx.offset[i]
      const packet = at + linkHeader
      // Ethernet: to us alone, on our VLAN, IPv4.
      let fast =
        (flags & (END_OF_PACKET | VLAN_TAGGED | CHECKSUM_BAD | SEGMENT_ANY)) === plain4 &&
        length >= linkHeader + IP_UDP &&
        view.getInt32(at) === ownHigh &&
        view.getUint16(at + 4) === ownLow &&
        view.getUint16(packet - 2) === ethernet.TYPE_IPV4
      if (fast && vlanMode !== 0) {
        fast =
          vlanMode === VLAN_IN_BAND
            ? (view.getInt32(at + 12) & 0xffff0fff) === tagged
            : (rx.vlan[i] & 0x0fff) === vlanId
      }
      if (!fast) {
        // Segments may be chains and super-frames.
        if (length >= linkHeader + ipv4.HEADER_LENGTH && looksLikeTcp(view, packet)) {
          const entries = this.#tcp.receive(rx, i, link)
          if (entries > 0) {
            i += entries - 1
            continue
          }
        } else if (length >= linkHeader + ipv6.HEADER_LENGTH && looksLikeTcp6(view, packet)) {
          const entries = this.#tcp.receive6(rx, i, link)
          if (entries > 0) {
            i += entries - 1
            continue
          }
        }
        const taken =
          (flags & (END_OF_PACKET | VLAN_TAGGED | CHECKSUM_BAD | SEGMENT_ANY)) === plain &&
          this.#receiveIpv6(iface, frame, at, length, (flags & verified) !== 0)
        if (!taken) i += slow.packet(rx, i, link, now) - 1
        else if (this.#isFull) served.flush(link, now)
        continue
      }
      const word2 = view.getInt32(packet + 8)
      if (((word2 >>> 16) & 0xff) === ipv4.PROTOCOL_TCP) {
        if (this.#tcp.receive(rx, i, link) === 0) i += slow.packet(rx, i, link, now) - 1
        else if (listens) {
          arp.heardTraffic(view.getInt32(packet + 12), view.getInt32(at + 6), view.getUint16(at + 10), now)
        }
        continue
      }
      // IPv4: no options, not a fragment, UDP, from one host to us; every check of `checkHeader` and `checkSource`.
      const word0 = view.getInt32(packet)
      const word1 = view.getInt32(packet + 4)
      const source = view.getInt32(packet + 12)
      const destination = view.getInt32(packet + 16)
      const total = word0 & 0xffff
      const network = source >>> 24
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
      // UDP.
      const datagram = packet + ipv4.HEADER_LENGTH
      const portWord = view.getInt32(datagram)
      const lengthWord = view.getInt32(datagram + 4)
      const size = lengthWord >>> 16
      const slot = ports[portWord & 0xffff]
      const socket = slot === 0 ? undefined : sockets[slot - 1]
      if (
        word0 >>> 24 !== ipv4.VERSION_4_IHL_5 ||
        sum !== 0xffff ||
        (word1 & (ipv4.MORE_FRAGMENTS | ipv4.OFFSET_MASK)) !== 0 ||
        ((word2 >>> 16) & 0xff) !== ipv4.PROTOCOL_UDP ||
        (destination !== own && !(several && isOwn(addresses, iface, destination))) ||
        total > length - linkHeader ||
        size < udp.HEADER_LENGTH ||
        size > total - ipv4.HEADER_LENGTH ||
        network === 0 ||
        network >= 224 ||
        source === broadcast ||
        (!loopback && (network === 127 || source === own || (several && addresses.isOwnIpv4(source)))) ||
        socket === undefined ||
        (socket.boundIpv4 !== 0 && socket.boundIpv4 !== destination) ||
        socket.handler === undefined ||
        socket.served === undefined ||
        (socket.peerPort !== 0 && (socket.peerPort !== portWord >>> 16 || socket.peerIpv4 !== source))
      ) {
        i += slow.packet(rx, i, link, now) - 1
        continue
      }
      const checksum = lengthWord & 0xffff
      if (checksum !== 0 && (flags & verified) === 0) {
        const pseudo = pseudoHeaderSum(source, destination, ipv4.PROTOCOL_UDP, size)
        // The cheap question first: a sum over the payload costs more than all other checks.
        if (
          !(unmarkedPartials && checksum === fold(pseudo)) &&
          fold(pseudo + sumBytes(memory, datagram, size)) !== 0xffff
        ) {
          i += slow.packet(rx, i, link, now) - 1
          continue
        }
      }
      if (listens) {
        arp.heardTraffic(source, view.getInt32(at + 6), view.getUint16(at + 10), now)
      }
      served.add(
        socket,
        socket.served,
        iface.mtu,
        frame,
        datagram + udp.HEADER_LENGTH,
        size - udp.HEADER_LENGTH,
        source,
        destination,
        portWord >>> 16,
        at,
      )
      if (socket.served.datagrams.count === served.capacity) served.flush(link, now)
      delivered++
    }

    const counters = iface.counters.values
    counters[IP_IN_RECEIVES] += delivered
    counters[IP_IN_DELIVERS] += delivered
    counters[UDP_IN_DATAGRAMS] += delivered
    served.flush(link, now)
  }

  /**
   * A plain datagram over IPv6, for a socket that serves; false for anything else.
   * @param checked the device has seen to the checksum
   */
  #receiveIpv6(iface: NetInterface, frame: number, at: number, length: number, checked: boolean): boolean {
    const { memory, mac, linkHeader, loopback, vlanMode, unmarkedPartials } = iface
    const { view } = memory
    const packet = at + linkHeader
    if (
      length < linkHeader + ipv6.HEADER_LENGTH + udp.HEADER_LENGTH ||
      view.getInt32(at) !== mac.high ||
      view.getUint16(at + 4) !== mac.low ||
      view.getUint16(packet - 2) !== ethernet.TYPE_IPV6 ||
      vlanMode !== VLAN_NONE ||
      loopback ||
      !isPlainIpv6(view, packet, length - linkHeader, ipv6.NEXT_UDP, iface)
    ) {
      return false
    }
    const datagram = packet + ipv6.HEADER_LENGTH
    const portWord = view.getInt32(datagram)
    const lengthWord = view.getInt32(datagram + 4)
    const size = lengthWord >>> 16
    const checksum = lengthWord & 0xffff
    const slot = this.#ports.slots6[portWord & 0xffff]
    const socket = slot === 0 ? undefined : this.#sockets[slot - 1]
    if (
      size < udp.HEADER_LENGTH ||
      size > ipv6.payloadLength(view, packet) ||
      checksum === 0 ||
      socket === undefined ||
      socket.handler === undefined ||
      socket.served === undefined ||
      (socket.local !== undefined && !ipv6.isAddressAt(view, packet + ipv6.DESTINATION, socket.local)) ||
      (socket.peer !== undefined &&
        (socket.peerPort !== portWord >>> 16 || !ipv6.isAddressAt(view, packet + ipv6.SOURCE, socket.peer)))
    ) {
      return false
    }
    if (!checked) {
      const pseudo = ipv6.addressSumAt(view, packet) + ipv6.NEXT_UDP + size
      const partial = unmarkedPartials && checksum === fold(pseudo)
      if (!partial && fold(pseudo + sumBytes(memory, datagram, size)) !== 0xffff) return false
    }
    const { served } = socket
    const j = served.datagrams.count
    const data = datagram + udp.HEADER_LENGTH
    const mtu = iface.mtu - (ipv6.HEADER_LENGTH - ipv4.HEADER_LENGTH)
    const source = view.getInt32(packet + ipv6.SOURCE + 12)
    const destination = view.getInt32(packet + ipv6.DESTINATION + 12)
    this.#served.add(
      socket,
      served,
      mtu,
      frame,
      data,
      size - udp.HEADER_LENGTH,
      source,
      destination,
      portWord >>> 16,
      at,
    )
    const { peerUpper } = served.datagrams
    for (let word = 0; word < 3; word++) {
      peerUpper[3 * j + word] = view.getInt32(packet + ipv6.SOURCE + 4 * word)
      served.localUpper[3 * j + word] = view.getInt32(packet + ipv6.DESTINATION + 4 * word)
    }
    const { values } = iface.counters6
    values[IP6_IN_RECEIVES]++
    values[IP6_IN_DELIVERS]++
    iface.counters.values[UDP_IN_DATAGRAMS]++
    this.#isFull = served.datagrams.count === this.#served.capacity
    return true
  }
}

/** The word of flags that a plain packet has: one frame, no segmentation, checksum not known to be bad, tag as configured. */
function plainFlags(vlanMode: number): number {
  return END_OF_PACKET | (vlanMode === VLAN_COLUMN ? VLAN_TAGGED : 0)
}

function isOwn(addresses: AddressTable, iface: NetInterface, destination: number): boolean {
  return iface.loopback ? addresses.isOwnIpv4(destination) : iface.hasAddress(destination)
}
