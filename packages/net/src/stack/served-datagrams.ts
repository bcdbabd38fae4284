import { CHECKSUM_WANTED, copyBytes } from '@parakernel/hal'
import { type DatagramBurst, type IpWords, KEEP_FRAME, NO_REPLY } from '@parakernel/queue'
import { fold, pseudoHeaderSum, sumBytes } from '../checksum/internet-checksum.ts'
import * as ethernet from '../ethernet/wire.ts'
import type { PathMtuCache } from '../ipv4/path-mtu.ts'
import * as ipv4 from '../ipv4/wire.ts'
import { isUnspecified, UNSPECIFIED } from '../ipv6/address.ts'
import { IP6_OUT_REQUESTS } from '../ipv6/counters.ts'
import type { Ipv6PathMtu } from '../ipv6/path-mtu.ts'
import * as ipv6 from '../ipv6/wire.ts'
import { DROP_OUT_INVALID, IP_OUT_REQUESTS, UDP_OUT_DATAGRAMS } from '../statistics/counters.ts'
import { ServedBurst, type UdpSocket } from '../udp/socket.ts'
import * as udp from '../udp/wire.ts'
import type { StackContext } from './context.ts'
import type { Incoming } from './incoming.ts'
import { type Link, tagWord } from './interface.ts'
import type { UdpOutput } from './udp-output.ts'

/** Headers before the payload of an answer over IPv4, Ethernet apart. */
const IP_UDP = ipv4.HEADER_LENGTH + udp.HEADER_LENGTH

/**
 * The bursts of sockets that serve: datagrams are added one by one, handlers called once a burst, and their answers written over the
 * questions. Of both families; nothing is allocated.
 */
export class ServedDatagrams {
  /** Datagrams that a burst takes. */
  readonly capacity: number
  readonly #context: StackContext
  readonly #pathMtu: PathMtuCache
  readonly #pathMtu6: Ipv6PathMtu
  readonly #udpOutput: UdpOutput
  /** Sockets with datagrams in their burst, in order of arrival. */
  readonly #touched: UdpSocket[] = []
  #touchedCount = 0
  /** Of an answer that finds its own way. */
  readonly #from: IpWords = new Int32Array(4)
  readonly #to: IpWords = new Int32Array(4)
  /** Room at a frame's end that answers leave. */
  readonly #tailroom: number

  constructor(
    context: StackContext,
    pathMtu: PathMtuCache,
    pathMtu6: Ipv6PathMtu,
    udpOutput: UdpOutput,
    capacity: number,
  ) {
    this.#context = context
    this.#pathMtu = pathMtu
    this.#pathMtu6 = pathMtu6
    this.#udpOutput = udpOutput
    this.capacity = capacity
    this.#tailroom = context.pool.window.tailroom
  }

  /**
   * Adds a datagram, which a socket with a handler takes, to that socket's burst. For the slow path; makes room if need be.
   * @param question address of the Ethernet header that it came with, or -1
   */
  append(
    socket: UdpSocket,
    incoming: Incoming,
    frame: number,
    question: number,
    data: number,
    length: number,
    port: number,
  ): void {
    const served = socket.served ?? this.burstFor(socket)
    const { interface: iface, family, source, destination, group, link } = incoming
    const mtu = family === 4 ? iface.mtu : iface.mtu - (ipv6.HEADER_LENGTH - ipv4.HEADER_LENGTH)
    const j = served.datagrams.count
    // An answer to what was said to a group comes from ourselves, and of IPv6 by the path that knows our address: none is noted.
    const local = !group ? destination[3] : family === 4 ? iface.address : 0
    const known = family === 6 && group ? -1 : question
    this.add(socket, served, mtu, frame, data, length, source[3], local, port, known)
    if (family === 6) {
      copyUpper(source, served.datagrams.peerUpper, j)
      copyUpper(group ? UNSPECIFIED : destination, served.localUpper, j)
    }
    if (served.datagrams.count === this.capacity) this.flush(link, this.#context.time[0])
  }

  /** The burst of a socket that starts to serve. */
  burstFor(socket: UdpSocket): ServedBurst {
    socket.served ??= new ServedBurst(this.capacity)
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
        for (let j = 0; j < served.datagrams.count; j++) this.#context.pool.release(served.datagrams.frame[j])
      }
      served.datagrams.count = 0
    }
    this.#touchedCount = 0
  }

  /**
   * Adds a datagram to the burst of its socket, for the fast path. Of IPv6 the caller writes the upper words of both addresses.
   * @param mtu what the path of an answer takes at most
   * @param ethernetAt address of the Ethernet header that it came with, or -1
   */
  add(
    socket: UdpSocket,
    served: ServedBurst,
    mtu: number,
    frame: number,
    data: number,
    length: number,
    source: number,
    destination: number,
    port: number,
    ethernetAt: number,
  ): void {
    const { pool } = this.#context
    const burst = served.datagrams
    const j = burst.count
    if (j === 0) this.#touched[this.#touchedCount++] = socket
    burst.count = j + 1
    served.ethernet[j] = ethernetAt
    served.local[j] = destination
    burst.frame[j] = frame
    burst.address[j] = data
    burst.length[j] = length
    burst.peerAddress[j] = source
    if (socket.family === 6) {
      copyMapped(burst.peerUpper, j)
      copyMapped(served.localUpper, j)
    }
    burst.peerPort[j] = port
    burst.localPort[j] = socket.localPort
    const room = pool.address(frame) + pool.frameSize - this.#tailroom - data
    burst.room[j] = Math.min(room, mtu - IP_UDP)
    burst.reply[j] = NO_REPLY
    burst.replyFrame[j] = -1
  }

  /** Turns the answers of a burst into packets. An answer goes to the MAC address that the question came from. */
  #answer(socket: UdpSocket, served: ServedBurst, link: Link): void {
    const iface = link.interface
    const { pool, memory, linkHeader } = iface
    const tagged = tagWord(iface.vlanId)
    const { view } = memory
    const { high: ownHigh, low: ownLow } = iface.mac
    const burst: DatagramBurst = served.datagrams
    const offload = iface.deviceComputes
    const ttl = socket.options.ttl
    const longest = iface.mtu
    const longest6 = Math.min(longest, iface.mtu6)
    const plainPath = this.#pathMtu.size === 0
    const plainPath6 = this.#pathMtu6.size === 0
    const count = burst.count
    const dual = socket.family === 6
    let sent = 0
    let sent6 = 0
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
      const own = served.local[j]
      const high = question < 0 ? 0 : view.getInt32(question + ethernet.SOURCE)
      const low = question < 0 ? 0 : view.getUint16(question + ethernet.SOURCE + 4)
      const other = burst.replyFrame[j]
      if (other >= 0) {
        data = burst.replyAddress[j]
        if (other !== frame) pool.release(frame)
        frame = other
      }
      const six = dual && isIpv6(burst.peerUpper, j)
      const ipHeader = six ? ipv6.HEADER_LENGTH : ipv4.HEADER_LENGTH
      const datagram = data - udp.HEADER_LENGTH
      const packet = datagram - ipHeader
      const start = packet - linkHeader
      const offset = start - pool.address(frame)
      const size = length + udp.HEADER_LENGTH
      const total = size + ipHeader
      if (offset < 0 || offset + linkHeader + total > pool.frameSize || length > udp.MAX_PAYLOAD) {
        iface.counters.drop(DROP_OUT_INVALID)
        pool.release(frame)
        continue
      }
      if (
        question < 0 ||
        total > (six ? longest6 : longest) ||
        !(six ? plainPath6 : plainPath) ||
        pool.count(frame) !== 1
      ) {
        this.#answerSlowly(socket, served, j, frame, data, length)
        continue
      }
      view.setInt32(start, high)
      view.setUint16(start + 4, low)
      view.setInt32(start + 6, ownHigh)
      view.setUint16(start + 10, ownLow)
      if (linkHeader !== ethernet.HEADER_LENGTH) view.setInt32(start + 12, tagged)
      let pseudo: number
      if (six) {
        view.setUint16(packet - 2, ethernet.TYPE_IPV6)
        pseudo = emitIpv6(view, packet, size, ttl, served, j)
        sent6++
      } else {
        view.setUint16(packet - 2, ethernet.TYPE_IPV4)
        ipv4.emit(view, packet, 0, total, 0, ipv4.DONT_FRAGMENT, ttl, ipv4.PROTOCOL_UDP, own, peer)
        pseudo = pseudoHeaderSum(own, peer, ipv4.PROTOCOL_UDP, size)
      }
      if (offload) {
        udp.emit(view, datagram, socket.localPort, burst.peerPort[j], size, fold(pseudo))
      } else {
        udp.emit(view, datagram, socket.localPort, burst.peerPort[j], size, 0)
        if (six || !iface.omitChecksum) {
          const checksum = ~fold(pseudo + sumBytes(memory, datagram, size)) & 0xffff
          view.setUint16(datagram + udp.CHECKSUM, checksum === 0 ? 0xffff : checksum)
        }
      }
      sent++
      link.tx.push(
        frame,
        offset,
        total + linkHeader,
        offload ? CHECKSUM_WANTED : 0,
        linkHeader + ipHeader,
        udp.CHECKSUM,
      )
    }
    const counters = iface.counters.values
    counters[UDP_OUT_DATAGRAMS] += sent
    counters[IP_OUT_REQUESTS] += sent - sent6
    if (sent6 > 0) iface.counters6.values[IP6_OUT_REQUESTS] += sent6
  }

  /** An answer that is long, shared with a reader, or to a peer whose MAC address did not come with the question. */
  #answerSlowly(socket: UdpSocket, served: ServedBurst, j: number, frame: number, data: number, length: number): void {
    const { pool, memory, counters } = this.#context
    const { peerAddress, peerPort, peerUpper } = served.datagrams
    const port = peerPort[j]
    setWords(this.#from, socket.family, served.localUpper, served.local, j)
    setWords(this.#to, socket.family, peerUpper, peerAddress, j)
    const any = isUnspecified(this.#from)
    const path = any ? this.#udpOutput.pathTo(socket, this.#to) : this.#udpOutput.pathFrom(this.#from, this.#to)
    if (pool.count(frame) === 1) {
      this.#udpOutput.send(socket, path, frame, data, length, port, 0)
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
    copyBytes(memory.bytes, data, length, memory.bytes, into)
    pool.release(frame)
    this.#udpOutput.send(socket, path, copy, into, length, port, 0)
  }
}

/** Whether entry `j` of a socket of IPv6 is not about an IPv4 address. */
function isIpv6(upper: Int32Array, j: number): boolean {
  const at = 3 * j
  return upper[at + 2] !== 0xffff || (upper[at] | upper[at + 1]) !== 0
}

/** Writes the IPv6 header of answer `j`; the sum of its addresses, protocol and length. */
function emitIpv6(view: DataView, at: number, size: number, hops: number, served: ServedBurst, j: number): number {
  const { localUpper, local, datagrams } = served
  const { peerUpper, peerAddress } = datagrams
  view.setInt32(at, 0x6000_0000)
  view.setInt32(at + 4, (size << 16) | (ipv6.NEXT_UDP << 8) | hops)
  for (let word = 0; word < 3; word++) {
    view.setInt32(at + ipv6.SOURCE + 4 * word, localUpper[3 * j + word])
    view.setInt32(at + ipv6.DESTINATION + 4 * word, peerUpper[3 * j + word])
  }
  view.setInt32(at + ipv6.SOURCE + 12, local[j])
  view.setInt32(at + ipv6.DESTINATION + 12, peerAddress[j])
  return ipv6.addressSumAt(view, at) + ipv6.NEXT_UDP + size
}

function setWords(into: IpWords, family: 4 | 6, upper: Int32Array, last: Int32Array, j: number): void {
  for (let word = 0; word < 3; word++) into[word] = family === 6 ? upper[3 * j + word] : word === 2 ? 0xffff : 0
  into[3] = last[j]
}

function copyMapped(into: Int32Array, j: number): void {
  into[3 * j] = 0
  into[3 * j + 1] = 0
  into[3 * j + 2] = 0xffff
}

/** The first three words of an address, as entry `j`. */
function copyUpper(words: IpWords, into: Int32Array, j: number): void {
  for (let word = 0; word < 3; word++) into[3 * j + word] = words[word]
}
