import {
  CHECKSUM_BAD,
  CHECKSUM_PARTIAL,
  CHECKSUM_VERIFIED,
  CHECKSUM_WANTED,
  END_OF_PACKET,
  type NetBurst,
  SEGMENT_ANY,
  VLAN_TAGGED,
} from '@parakernel/hal'
import { type DatagramBurst, KEEP_FRAME, NO_REPLY } from '@parakernel/queue'
import { fold, pseudoHeaderSum, sumBytes } from '../checksum/internet-checksum.ts'
import * as ethernet from '../ethernet/wire.ts'
import * as ipv4 from '../ipv4/wire.ts'
import {
  DROP_OUT_INVALID,
  IP_IN_DELIVERS,
  IP_IN_RECEIVES,
  IP_OUT_REQUESTS,
  UDP_IN_DATAGRAMS,
  UDP_OUT_DATAGRAMS,
} from '../statistics/counters.ts'
import type { PortTable } from '../udp/ports.ts'
import { ServedBurst, type UdpSocket } from '../udp/socket.ts'
import * as udp from '../udp/wire.ts'
import type { ArpService } from './arp-service.ts'
import { type Link, type NetInterface, VLAN_COLUMN, VLAN_IN_BAND } from './interface.ts'
import type { Output } from './output.ts'
import type { UdpOutput } from './udp-output.ts'

/** Headers before the payload of an answer, Ethernet apart. */
const IP_UDP = ipv4.HEADER_LENGTH + udp.HEADER_LENGTH

/** Takes what the fast path leaves: anything but a plain unicast UDP datagram for a socket that serves. */
export interface SlowPath {
  /** Entry `i` of a burst begins a packet; takes over its frames and returns how many entries it had. */
  packet(burst: NetBurst, i: number, link: Link, now: number): number
}

/**
 * From a receive burst to handlers, and from their answers to a transmit burst. Budget: 300 ns of own code for an echoed
 * packet of 64 bytes, software checksum included. Nothing is allocated; headers are read once, by words at fixed offsets;
 * answers are written over the packet that they answer.
 */
export class DatagramPath {
  readonly #interface: NetInterface
  readonly #ports: PortTable
  readonly #sockets: readonly (UdpSocket | undefined)[]
  readonly #arp: ArpService
  readonly #output: Output
  readonly #udpOutput: UdpOutput
  readonly #capacity: number
  /** Sockets with datagrams in their burst, in order of arrival. */
  readonly #touched: UdpSocket[] = []
  #touchedCount = 0
  /** The word of flags that a plain packet has: one frame, no segmentation, checksum not known to be bad, tag as configured. */
  readonly #plainFlags: number
  /** The tag of our VLAN as it stands in the frame, priority bits zero. */
  readonly #tagWord: number
  /** Room at a frame's end that answers leave. */
  readonly #tailroom: number

  constructor(
    iface: NetInterface,
    ports: PortTable,
    sockets: readonly (UdpSocket | undefined)[],
    arp: ArpService,
    output: Output,
    udpOutput: UdpOutput,
    capacity: number,
  ) {
    this.#interface = iface
    this.#ports = ports
    this.#sockets = sockets
    this.#arp = arp
    this.#output = output
    this.#udpOutput = udpOutput
    this.#capacity = capacity
    this.#plainFlags = END_OF_PACKET | (iface.vlanMode === VLAN_COLUMN ? VLAN_TAGGED : 0)
    this.#tagWord = (ethernet.TYPE_VLAN << 16) | iface.vlanId
    this.#tailroom = iface.pool.window.tailroom
  }

  /** Handles the packets of `rx`, handlers included, and leaves answers in `link.tx`. */
  receive(rx: NetBurst, count: number, link: Link, slow: SlowPath, now: number): void {
    const iface = this.#interface
    const { pool, memory, linkHeader, vlanMode, vlanId, address: own, trustDevice, unmarkedPartials } = iface
    const { high: ownHigh, low: ownLow } = iface.mac
    const { view } = memory
    const broadcast = iface.network.broadcast
    const ports = this.#ports.slots
    const sockets = this.#sockets
    // Without an address of our own nothing is for us, but the conflict detection still listens: -1 matches no flags.
    const plain = this.#arp.usable ? this.#plainFlags : -1
    const verified = trustDevice ? CHECKSUM_VERIFIED | CHECKSUM_PARTIAL : CHECKSUM_PARTIAL
    const arp = this.#arp
    let delivered = 0

    for (let i = 0; i < count; i++) {
      const flags = rx.flags[i]
      const frame = rx.frame[i]
      const length = rx.length[i]
      const at = pool.address(frame) + rx.offset[i]
      const packet = at + linkHeader
      // Ethernet: to us alone, on our VLAN, IPv4.
      let fast =
        (flags & (END_OF_PACKET | VLAN_TAGGED | CHECKSUM_BAD | SEGMENT_ANY)) === plain &&
        length >= linkHeader + IP_UDP &&
        view.getInt32(at) === ownHigh &&
        view.getUint16(at + 4) === ownLow &&
        view.getUint16(packet - 2) === ethernet.TYPE_IPV4
      if (fast && vlanMode !== 0) {
        fast =
          vlanMode === VLAN_IN_BAND
            ? (view.getInt32(at + 12) & 0xffff0fff) === this.#tagWord
            : (rx.vlan[i] & 0x0fff) === vlanId
      }
      if (!fast) {
        i += slow.packet(rx, i, link, now) - 1
        continue
      }
      // IPv4: no options, not a fragment, UDP, from one host to us; every check of `checkHeader` and `checkSource`.
      const word0 = view.getInt32(packet)
      const word1 = view.getInt32(packet + 4)
      const word2 = view.getInt32(packet + 8)
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
        destination !== own ||
        total > length - linkHeader ||
        size < udp.HEADER_LENGTH ||
        size > total - ipv4.HEADER_LENGTH ||
        network === 0 ||
        network === 127 ||
        network >= 224 ||
        source === broadcast ||
        source === own ||
        socket === undefined ||
        socket.handler === undefined ||
        socket.served === undefined ||
        (socket.peerPort !== 0 && (socket.peerPort !== portWord >>> 16 || socket.peerAddress !== source))
      ) {
        i += slow.packet(rx, i, link, now) - 1
        continue
      }
      const checksum = lengthWord & 0xffff
      if (checksum !== 0 && (flags & verified) === 0) {
        const pseudo = pseudoHeaderSum(source, own, ipv4.PROTOCOL_UDP, size)
        // The cheap question first: a sum over the payload costs more than all other checks.
        if (
          !(unmarkedPartials && checksum === fold(pseudo)) &&
          fold(pseudo + sumBytes(memory, datagram, size)) !== 0xffff
        ) {
          i += slow.packet(rx, i, link, now) - 1
          continue
        }
      }
      if (arp.neighbors.unresolved !== 0) {
        arp.heardTraffic(source, view.getInt32(at + 6), view.getUint16(at + 10), now)
      }
      this.#append(
        socket,
        socket.served,
        frame,
        datagram + udp.HEADER_LENGTH,
        size - udp.HEADER_LENGTH,
        source,
        portWord >>> 16,
        at,
      )
      if (socket.served.datagrams.count === this.#capacity) this.flush(link, now)
      delivered++
    }

    const counters = iface.counters.values
    counters[IP_IN_RECEIVES] += delivered
    counters[IP_IN_DELIVERS] += delivered
    counters[UDP_IN_DATAGRAMS] += delivered
    this.flush(link, now)
  }

  /** Adds a datagram, which a socket with a handler takes, to that socket's burst. For the slow path; makes room if need be. */
  append(
    socket: UdpSocket,
    frame: number,
    data: number,
    length: number,
    source: number,
    port: number,
    ethernetAt: number,
    link: Link,
    now: number,
  ): void {
    const served = socket.served ?? this.burstFor(socket)
    this.#append(socket, served, frame, data, length, source, port, ethernetAt)
    if (served.datagrams.count === this.#capacity) this.flush(link, now)
  }

  /** The burst of a socket that starts to serve. */
  burstFor(socket: UdpSocket): ServedBurst {
    socket.served ??= new ServedBurst(this.#capacity)
    return socket.served
  }

  /** Calls the handlers of all sockets that have datagrams, once each, and turns their answers into packets. */
  flush(link: Link, now: number): void {
    for (let t = 0; t < this.#touchedCount; t++) {
      const socket = this.#touched[t]
      const served = socket.served
      if (served === undefined) continue
      if (socket.handler !== undefined) {
        socket.handler(served.datagrams, now)
        this.#answer(socket, served, link)
      } else {
        // Closed, or no longer served, by another socket's handler.
        for (let j = 0; j < served.datagrams.count; j++) this.#interface.pool.release(served.datagrams.frame[j])
      }
      served.datagrams.count = 0
    }
    this.#touchedCount = 0
  }

  #append(
    socket: UdpSocket,
    served: ServedBurst,
    frame: number,
    data: number,
    length: number,
    source: number,
    port: number,
    ethernetAt: number,
  ): void {
    const { pool, mtu } = this.#interface
    const burst = served.datagrams
    const j = burst.count
    if (j === 0) this.#touched[this.#touchedCount++] = socket
    burst.count = j + 1
    served.ethernet[j] = ethernetAt
    burst.frame[j] = frame
    burst.address[j] = data
    burst.length[j] = length
    burst.peerAddress[j] = source
    burst.peerPort[j] = port
    burst.localPort[j] = socket.localPort
    const room = pool.address(frame) + pool.frameSize - this.#tailroom - data
    burst.room[j] = Math.min(room, mtu - IP_UDP)
    burst.reply[j] = NO_REPLY
    burst.replyFrame[j] = -1
  }

  /** Turns the answers of a burst into packets. An answer goes to the MAC address that the question came from. */
  #answer(socket: UdpSocket, served: ServedBurst, link: Link): void {
    const iface = this.#interface
    const { pool, memory, linkHeader, address: own } = iface
    const { view } = memory
    const { high: ownHigh, low: ownLow } = iface.mac
    const burst: DatagramBurst = served.datagrams
    const offload = iface.deviceComputes
    const ttl = socket.options.ttl
    const longest = iface.mtu - IP_UDP
    const plainPath = this.#output.allPathsFull
    const count = burst.count
    let sent = 0
    for (let j = 0; j < count; j++) {
      const length = burst.reply[j]
      if (length < 0) {
        if (length !== KEEP_FRAME) pool.release(burst.frame[j])
        continue
      }
      let frame = burst.frame[j]
      let data = burst.address[j]
      const question = served.ethernet[j]
      const peer = burst.peerAddress[j]
      const high = question < 0 ? 0 : view.getInt32(question + ethernet.SOURCE)
      const low = question < 0 ? 0 : view.getUint16(question + ethernet.SOURCE + 4)
      const other = burst.replyFrame[j]
      if (other >= 0) {
        data = burst.replyAddress[j]
        if (other !== frame) pool.release(frame)
        frame = other
      }
      const packet = data - IP_UDP
      const start = packet - linkHeader
      const offset = start - pool.address(frame)
      if (offset < 0 || offset + linkHeader + IP_UDP + length > pool.frameSize || length > udp.MAX_PAYLOAD) {
        iface.counters.drop(DROP_OUT_INVALID)
        pool.release(frame)
        continue
      }
      if (question < 0 || length > longest || !plainPath || peer === own || pool.count(frame) !== 1) {
        this.#answerSlowly(socket, frame, data, length, peer, burst.peerPort[j])
        continue
      }
      const size = length + udp.HEADER_LENGTH
      view.setInt32(start, high)
      view.setUint16(start + 4, low)
      view.setInt32(start + 6, ownHigh)
      view.setUint16(start + 10, ownLow)
      if (linkHeader !== ethernet.HEADER_LENGTH) view.setInt32(start + 12, this.#tagWord)
      view.setUint16(packet - 2, ethernet.TYPE_IPV4)
      ipv4.emit(view, packet, size + ipv4.HEADER_LENGTH, 0, ipv4.DONT_FRAGMENT, ttl, ipv4.PROTOCOL_UDP, own, peer)
      const datagram = packet + ipv4.HEADER_LENGTH
      const pseudo = pseudoHeaderSum(own, peer, ipv4.PROTOCOL_UDP, size)
      if (offload) {
        udp.emit(view, datagram, socket.localPort, burst.peerPort[j], size, fold(pseudo))
      } else {
        udp.emit(view, datagram, socket.localPort, burst.peerPort[j], size, 0)
        if (!iface.omitChecksum) {
          const checksum = ~fold(pseudo + sumBytes(memory, datagram, size)) & 0xffff
          view.setUint16(datagram + udp.CHECKSUM, checksum === 0 ? 0xffff : checksum)
        }
      }
      sent++
      link.tx.push(
        frame,
        offset,
        size + ipv4.HEADER_LENGTH + linkHeader,
        offload ? CHECKSUM_WANTED : 0,
        linkHeader + ipv4.HEADER_LENGTH,
        udp.CHECKSUM,
      )
    }
    const counters = iface.counters.values
    counters[UDP_OUT_DATAGRAMS] += sent
    counters[IP_OUT_REQUESTS] += sent
  }

  /** An answer that is long, shared with a reader, or to a peer whose MAC address did not come with the question. */
  #answerSlowly(socket: UdpSocket, frame: number, data: number, length: number, peer: number, port: number): void {
    const { pool, memory, counters } = this.#interface
    if (pool.count(frame) === 1) {
      this.#udpOutput.send(socket, frame, data, length, peer, port, 0)
      return
    }
    const copy = pool.allocate()
    if (copy < 0 || length > this.#udpOutput.frameRoom) {
      if (copy >= 0) pool.release(copy)
      counters.drop(DROP_OUT_INVALID)
      pool.release(frame)
      return
    }
    const into = pool.address(copy) + this.#udpOutput.payloadOffset
    memory.bytes.set(memory.bytes.subarray(data, data + length), into)
    pool.release(frame)
    this.#udpOutput.send(socket, copy, into, length, peer, port, 0)
  }
}
