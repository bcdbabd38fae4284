import { CHECKSUM_BAD, CHECKSUM_PARTIAL, CHECKSUM_VERIFIED } from '@parakernel/hal'
import { type QueueRuntime, ScatterGatherArray, type Segment } from '@parakernel/queue'
import { fold, pseudoHeaderSum, sumBytes } from '../checksum/internet-checksum.ts'
import * as icmp from '../icmp/wire.ts'
import { formatIpv4, type Ipv4Address, isMulticast } from '../ipv4/address.ts'
import * as ipv4 from '../ipv4/wire.ts'
import {
  DROP_IP_NOT_MEMBER,
  DROP_IP_REASSEMBLED_TOO_LONG,
  DROP_LINK_NO_FRAME,
  DROP_UDP_BAD_CHECKSUM,
  DROP_UDP_BAD_LENGTH,
  DROP_UDP_NOT_PEER,
  DROP_UDP_OTHER_PARTITION,
  DROP_UDP_POOL_LOW,
  DROP_UDP_PORT_CLOSED,
  DROP_UDP_QUEUE_FULL,
  DROP_UDP_TRUNCATED,
  UDP_IN_DATAGRAMS,
} from '../statistics/counters.ts'
import type { PortTable } from '../udp/ports.ts'
import type { UdpSocket } from '../udp/socket.ts'
import * as udp from '../udp/wire.ts'
import type { DatagramPath } from './datagram-path.ts'
import type { IcmpOutput } from './icmp-output.ts'
import type { Incoming } from './incoming.ts'
import type { NetInterface } from './interface.ts'
import type { Siblings } from './siblings.ts'

/** UDP input for everything that the fast path does not take: sockets that pop, groups, fragments, options, bad datagrams. */
export class UdpInput {
  readonly #interface: NetInterface
  readonly #ports: PortTable
  readonly #sockets: readonly (UdpSocket | undefined)[]
  readonly #path: DatagramPath
  readonly #icmp: IcmpOutput
  readonly #runtime: QueueRuntime
  readonly #siblings: Siblings | undefined
  readonly #alone: boolean

  constructor(
    iface: NetInterface,
    ports: PortTable,
    sockets: readonly (UdpSocket | undefined)[],
    path: DatagramPath,
    icmpOutput: IcmpOutput,
    runtime: QueueRuntime,
    siblings: Siblings | undefined,
    alone: boolean,
  ) {
    this.#interface = iface
    this.#ports = ports
    this.#sockets = sockets
    this.#path = path
    this.#icmp = icmpOutput
    this.#runtime = runtime
    this.#siblings = siblings
    this.#alone = alone
  }

  /** The datagram of `length` bytes at `at`. May pass the frame on. */
  receive(incoming: Incoming, at: number, length: number): void {
    const { memory, packet } = incoming
    const { view } = memory
    const { counters } = this.#interface
    if (length < udp.HEADER_LENGTH) {
      counters.drop(DROP_UDP_TRUNCATED)
      return
    }
    const size = udp.length(view, at)
    const source = ipv4.source(view, packet)
    const destination = ipv4.destination(view, packet)
    // A super-frame's headers describe its first segment, or nothing, depending on the device: its length counts.
    const whole = incoming.segmentSize > 0 ? length : size
    if (whole < udp.HEADER_LENGTH || whole > length) {
      counters.drop(DROP_UDP_BAD_LENGTH)
      return
    }
    if (!this.#checksumRight(incoming, at, whole, source, destination)) {
      counters.drop(DROP_UDP_BAD_CHECKSUM)
      return
    }
    const port = udp.destinationPort(view, at)
    const slot = this.#ports.slots[port]
    const socket = slot === 0 ? undefined : this.#sockets[slot - 1]
    const group = isMulticast(destination) || destination !== this.#interface.address
    if (socket === undefined || (group && socket.localAddress !== 0)) {
      this.#closed(incoming, port)
      return
    }
    if (isMulticast(destination) && !socket.groups.has(destination)) {
      counters.drop(DROP_IP_NOT_MEMBER)
      return
    }
    const peerPort = udp.sourcePort(view, at)
    if (!socket.accepts(source, peerPort)) {
      counters.drop(DROP_UDP_NOT_PEER)
      this.#icmp.report(incoming, icmp.DESTINATION_UNREACHABLE, icmp.PORT_UNREACHABLE)
      return
    }
    const data = at + udp.HEADER_LENGTH
    const bytes = whole - udp.HEADER_LENGTH
    if (incoming.segmentSize === 0) {
      this.#deliver(socket, incoming, data, bytes, source, peerPort)
      return
    }
    for (let done = 0; done < bytes; done += incoming.segmentSize) {
      const piece = Math.min(incoming.segmentSize, bytes - done)
      this.#deliverCopy(socket, incoming, data + done, piece, source, peerPort)
    }
  }

  #checksumRight(incoming: Incoming, at: number, size: number, source: Ipv4Address, destination: Ipv4Address): boolean {
    const { memory, flags } = incoming
    const { trustDevice, unmarkedPartials } = this.#interface
    const checksum = udp.checksum(memory.view, at)
    if (checksum === 0) return true
    if ((flags & CHECKSUM_PARTIAL) !== 0 || (trustDevice && (flags & CHECKSUM_VERIFIED) !== 0)) return true
    if (trustDevice && (flags & CHECKSUM_BAD) !== 0) return false
    const pseudo = fold(pseudoHeaderSum(source, destination, ipv4.PROTOCOL_UDP, size))
    if (fold(pseudo + sumBytes(memory, at, size)) === 0xffff) return true
    // Partial: the field holds the pseudo-header's sum and no more. Reassembled datagrams never are.
    return unmarkedPartials && incoming.ethernet >= 0 && checksum === pseudo
  }

  /** No socket here. Unless another partition has one, the sender is told (RFC 1122 section 4.1.3.1). */
  #closed(incoming: Incoming, port: number): void {
    const { counters } = this.#interface
    const elsewhere = this.#siblings === undefined ? !this.#alone : this.#siblings.hasPort(port)
    counters.drop(elsewhere ? DROP_UDP_OTHER_PARTITION : DROP_UDP_PORT_CLOSED)
    if (!elsewhere) this.#icmp.report(incoming, icmp.DESTINATION_UNREACHABLE, icmp.PORT_UNREACHABLE)
  }

  /** In its own frame, if it has one. */
  #deliver(
    socket: UdpSocket,
    incoming: Incoming,
    data: number,
    bytes: number,
    source: Ipv4Address,
    port: number,
  ): void {
    const { frame } = incoming
    if (frame < 0) {
      this.#deliverCopy(socket, incoming, data, bytes, source, port)
      return
    }
    if (!this.#mayDeliver(socket)) return
    this.#interface.counters.values[UDP_IN_DATAGRAMS]++
    incoming.frame = -1
    if (socket.handler !== undefined) {
      const question = incoming.loopback ? -1 : incoming.ethernet
      this.#path.append(socket, frame, data, bytes, source, port, question, incoming.link, incoming.now)
    } else {
      this.#enqueue(socket, [{ frame, address: data, length: bytes }], source, port)
    }
  }

  /** In fresh frames: one for a handler, as many as it takes for a pop. */
  #deliverCopy(
    socket: UdpSocket,
    incoming: Incoming,
    data: number,
    bytes: number,
    source: Ipv4Address,
    port: number,
  ): void {
    const { pool, memory, counters } = this.#interface
    if (!this.#mayDeliver(socket)) return
    const offset = pool.headroom + ipv4.HEADER_LENGTH + udp.HEADER_LENGTH + 14
    const room = pool.frameSize - offset - pool.window.tailroom
    if (socket.handler !== undefined && bytes > room) {
      counters.drop(DROP_IP_REASSEMBLED_TOO_LONG)
      return
    }
    const pieces = Math.max(1, Math.ceil(bytes / room))
    if (pool.available - pool.deviceReserve < pieces) {
      counters.drop(DROP_LINK_NO_FRAME)
      return
    }
    const segments: Segment[] = []
    for (let i = 0; i < pieces; i++) {
      const frame = pool.allocate()
      const address = pool.address(frame) + offset
      const length = Math.min(room, bytes - i * room)
      const from = data + i * room
      memory.bytes.set(incoming.memory.bytes.subarray(from, from + length), address)
      segments.push({ frame, address, length })
    }
    counters.values[UDP_IN_DATAGRAMS]++
    if (socket.handler !== undefined) {
      const { frame, address } = segments[0]
      // A copy has no Ethernet header, so that an answer has to find its own way.
      this.#path.append(socket, frame, address, bytes, source, port, -1, incoming.link, incoming.now)
    } else {
      this.#enqueue(socket, segments, source, port)
    }
  }

  #mayDeliver(socket: UdpSocket): boolean {
    const { pool, counters } = this.#interface
    if (socket.handler !== undefined) return true
    // What pops hold is gone for the devices: at the watermark the application must free before it gets more.
    if (pool.belowWatermark) {
      counters.drop(DROP_UDP_POOL_LOW)
      return false
    }
    if (socket.pops.size === 0 && socket.received.size >= socket.options.receiveQueue) {
      counters.drop(DROP_UDP_QUEUE_FULL)
      return false
    }
    return true
  }

  #enqueue(socket: UdpSocket, segments: Segment[], address: Ipv4Address, port: number): void {
    const sga = new ScatterGatherArray(this.#interface.pool, segments)
    const source = { address: formatIpv4(address), port }
    const token = socket.pops.shift()
    if (token === undefined) socket.received.push({ sga, source })
    else this.#runtime.completePop(token, sga, source)
  }
}
