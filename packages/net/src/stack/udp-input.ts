import { CHECKSUM_BAD, CHECKSUM_PARTIAL, CHECKSUM_VERIFIED, copyBytes } from '@parakernel/hal'
import { type IpWords, isIpv6Multicast, type QueueRuntime, ScatterGatherArray, type Segment } from '@parakernel/queue'
import { fold, sumBytes } from '../checksum/internet-checksum.ts'
import { isMulticast } from '../ipv4/address.ts'
import * as ipv4 from '../ipv4/wire.ts'
import * as ipv6 from '../ipv6/wire.ts'
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
  UDP_COPIED_OUT,
  UDP_IN_DATAGRAMS,
} from '../statistics/counters.ts'
import { SharedFrame } from '../tcp/buffer/shared-frame.ts'
import type { UdpSocket } from '../udp/socket.ts'
import * as udp from '../udp/wire.ts'
import type { StackContext } from './context.ts'
import type { Incoming, TransportInput } from './incoming.ts'
import type { ServedDatagrams } from './served-datagrams.ts'
import type { Siblings } from './siblings.ts'
import { formatAddress, nextOf } from './socket-table.ts'

/**
 * UDP input of both families for everything that the fast path does not take: sockets that pop, groups, fragments, options, bad
 * datagrams.
 */
export class UdpInput implements TransportInput {
  readonly #context: StackContext
  readonly #socketAt: (family: 4 | 6, port: number) => UdpSocket | undefined
  readonly #served: ServedDatagrams
  readonly #unreachable: (incoming: Incoming) => void
  readonly #runtime: QueueRuntime
  readonly #siblings: Siblings | undefined
  readonly #alone: boolean
  /** For short datagrams while frames are few: one that an application hoards keeps its bytes, and not a frame of the receive ring. */
  readonly #shared: SharedFrame
  readonly #copyOutAt: number

  /**
   * @param socketAt the first socket of a port among those that take a family
   * @param unreachable tells the sender of a packet that nobody listens (RFC 1122 section 4.1.3.1, RFC 4443 section 3.1)
   */
  constructor(
    context: StackContext,
    socketAt: (family: 4 | 6, port: number) => UdpSocket | undefined,
    served: ServedDatagrams,
    unreachable: (incoming: Incoming) => void,
    runtime: QueueRuntime,
    siblings: Siblings | undefined,
    alone: boolean,
  ) {
    this.#context = context
    this.#socketAt = socketAt
    this.#served = served
    this.#unreachable = unreachable
    this.#runtime = runtime
    this.#siblings = siblings
    this.#alone = alone
    const { pool } = context
    this.#shared = new SharedFrame(pool)
    this.#copyOutAt = pool.deviceReserve + ((pool.frameCount - pool.deviceReserve) >>> 2)
  }

  /** Lets go of its frame. */
  clear(): void {
    this.#shared.clear()
  }

  /** The datagram of `length` bytes at `at`. May pass the frame on. */
  receive(incoming: Incoming, at: number, length: number): void {
    const { memory, family, source, destination, group } = incoming
    const { view } = memory
    const { counters } = this.#context
    if (length < udp.HEADER_LENGTH) {
      counters.drop(DROP_UDP_TRUNCATED)
      return
    }
    const size = udp.length(view, at)
    // A super-frame's headers describe its first segment, or nothing, depending on the device: its length counts.
    const whole = incoming.segmentSize > 0 ? length : size
    if (whole < udp.HEADER_LENGTH || whole > length) {
      counters.drop(DROP_UDP_BAD_LENGTH)
      return
    }
    if (!this.#checksumRight(incoming, at, whole)) {
      counters.drop(DROP_UDP_BAD_CHECKSUM)
      return
    }
    const port = udp.destinationPort(view, at)
    const peerPort = udp.sourcePort(view, at)
    let socket = this.#socketAt(family, port)
    while (socket !== undefined && !socket.hears(family, destination, group)) socket = nextOf(socket, family)
    if (socket === undefined) {
      this.#closed(incoming, port)
      return
    }
    if (group && isGroup(family, destination) && !socket.hasJoined(destination)) {
      counters.drop(DROP_IP_NOT_MEMBER)
      return
    }
    if (!socket.accepts(source, peerPort)) {
      counters.drop(DROP_UDP_NOT_PEER)
      this.#unreachable(incoming)
      return
    }
    const data = at + udp.HEADER_LENGTH
    const bytes = whole - udp.HEADER_LENGTH
    if (incoming.segmentSize === 0) {
      this.#deliver(socket, incoming, data, bytes, peerPort)
      return
    }
    for (let done = 0; done < bytes; done += incoming.segmentSize) {
      const piece = Math.min(incoming.segmentSize, bytes - done)
      this.#deliverCopy(socket, incoming, data + done, piece, peerPort)
    }
  }

  #checksumRight(incoming: Incoming, at: number, size: number): boolean {
    const { memory, flags, family, source, destination } = incoming
    const { trustDevice, unmarkedPartials } = incoming.interface
    const checksum = udp.checksum(memory.view, at)
    // IPv6 has no header checksum that would stand in for it (RFC 8200 section 8.1).
    if (checksum === 0) return family === 4
    if ((flags & CHECKSUM_PARTIAL) !== 0 || (trustDevice && (flags & CHECKSUM_VERIFIED) !== 0)) return true
    if (trustDevice && (flags & CHECKSUM_BAD) !== 0) return false
    // The mapped form of an IPv4 address adds nothing to a sum.
    const pseudo = fold(ipv6.addressSum(source, destination) + ipv4.PROTOCOL_UDP + size)
    if (fold(pseudo + sumBytes(memory, at, size)) === 0xffff) return true
    // Partial: the field holds the pseudo-header's sum and no more. Reassembled datagrams never are.
    return unmarkedPartials && incoming.ethernet >= 0 && checksum === pseudo
  }

  /** No socket here. Unless another partition has one, the sender is told. */
  #closed(incoming: Incoming, port: number): void {
    const { counters } = this.#context
    const elsewhere = this.#siblings === undefined ? !this.#alone : this.#siblings.hasPort(port)
    counters.drop(elsewhere ? DROP_UDP_OTHER_PARTITION : DROP_UDP_PORT_CLOSED)
    if (!elsewhere) this.#unreachable(incoming)
  }

  /** In its own frame, if it has one. */
  #deliver(socket: UdpSocket, incoming: Incoming, data: number, bytes: number, port: number): void {
    const { frame } = incoming
    if (frame < 0) {
      this.#deliverCopy(socket, incoming, data, bytes, port)
      return
    }
    if (!this.#mayDeliver(socket)) return
    const { counters, pool } = this.#context
    counters.values[UDP_IN_DATAGRAMS]++
    if (socket.handler === undefined && pool.available <= this.#copyOutAt && this.#copyOut(data, bytes)) {
      counters.values[UDP_COPIED_OUT]++
      const { frame: shared, address } = this.#shared
      this.#enqueue(socket, [{ frame: shared, address, length: bytes }], incoming.source, port)
      return
    }
    incoming.frame = -1
    if (socket.handler !== undefined) {
      this.#served.append(socket, incoming, frame, incoming.ethernet, data, bytes, port)
    } else {
      this.#enqueue(socket, [{ frame, address: data, length: bytes }], incoming.source, port)
    }
  }

  /** To the shared frame, if the datagram is short beside its own; false when there is no frame for it. */
  #copyOut(data: number, bytes: number): boolean {
    return bytes <= this.#context.pool.frameSize >>> 2 && this.#shared.copy(data, bytes)
  }

  /** In fresh frames: one for a handler, as many as it takes for a pop. */
  #deliverCopy(socket: UdpSocket, incoming: Incoming, data: number, bytes: number, port: number): void {
    const { pool, memory, counters } = this.#context
    if (!this.#mayDeliver(socket)) return
    const offset = pool.headroom + ipv6.HEADER_LENGTH + udp.HEADER_LENGTH + 18
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
      copyBytes(incoming.memory.bytes, from, length, memory.bytes, address)
      segments.push({ frame, address, length })
    }
    counters.values[UDP_IN_DATAGRAMS]++
    if (socket.handler !== undefined) {
      const { frame, address } = segments[0]
      // A copy has no Ethernet header, so that an answer has to find its own way.
      this.#served.append(socket, incoming, frame, -1, address, bytes, port)
    } else {
      this.#enqueue(socket, segments, incoming.source, port)
    }
  }

  #mayDeliver(socket: UdpSocket): boolean {
    const { pool, counters } = this.#context
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

  #enqueue(socket: UdpSocket, segments: Segment[], address: IpWords, port: number): void {
    const sga = new ScatterGatherArray(this.#context.pool, segments)
    const source = { address: formatAddress(address, socket.family), port }
    const token = socket.pops.shift()
    if (token === undefined) socket.received.push({ sga, source })
    else this.#runtime.completePop(token, sga, source)
  }
}

function isGroup(family: 4 | 6, destination: IpWords): boolean {
  return family === 4 ? isMulticast(destination[3]) : isIpv6Multicast(destination)
}
