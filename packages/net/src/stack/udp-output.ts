import type { IpWords } from '@parakernel/queue'
import { fold, sumBytes } from '../checksum/internet-checksum.ts'
import * as ethernet from '../ethernet/wire.ts'
import * as ipv4 from '../ipv4/wire.ts'
import * as ipv6 from '../ipv6/wire.ts'
import type { PacketMemory } from '../packet-memory.ts'
import { UDP_OUT_DATAGRAMS } from '../statistics/counters.ts'
import type { UdpSocket } from '../udp/socket.ts'
import * as udp from '../udp/wire.ts'
import type { StackContext } from './context.ts'
import type { NetInterface } from './interface.ts'
import type { Output } from './output.ts'
import { HOP_MULTICAST, NO_OFFLOAD, type Path, type SendResult } from './path.ts'

/** Says which of our own interfaces have joined a group. */
export interface Members {
  isMember(iface: NetInterface, group: IpWords): boolean
}

/** Sends datagrams that are not answers in place: finds the way, cuts what is too long, loops groups back. */
export class UdpOutput {
  readonly #context: StackContext
  readonly #output: Output
  readonly #members: Members
  readonly #loopback: NetInterface

  constructor(context: StackContext, output: Output, members: Members, loopback: NetInterface) {
    this.#context = context
    this.#output = output
    this.#members = members
    this.#loopback = loopback
  }

  /** The path that a socket's datagrams to an address take. */
  pathTo(socket: UdpSocket, destination: IpWords): Path {
    return this.#output.paths.to(socket.local, destination)
  }

  /** As `pathTo`, for an IPv4 address. */
  pathToIpv4(socket: UdpSocket, destination: number): Path {
    return this.#output.paths.toIpv4(socket.boundIpv4, destination)
  }

  /** The path of an answer, from the address that was asked. */
  pathFrom(local: IpWords, destination: IpWords): Path {
    return this.#output.paths.to(local, destination)
  }

  /** Sends the `length` bytes at `data` in `frame`, with room for the headers before them. Takes over the frame. */
  send(
    socket: UdpSocket,
    path: Path,
    frame: number,
    data: number,
    length: number,
    port: number,
    token: number,
  ): SendResult {
    const { memory, counters } = this.#context
    const at = data - udp.HEADER_LENGTH
    const size = length + udp.HEADER_LENGTH
    const group = path.hop === HOP_MULTICAST
    const whole = size + path.ipHeader <= path.mtu
    const omit = path.family === 4 && path.interface.omitChecksum
    const offload = whole && path.computesChecksum && !omit
    udp.emit(memory.view, at, socket.localPort, port, size, 0)
    if (offload) memory.view.setUint16(at + udp.CHECKSUM, fold(path.pseudoSum + ipv4.PROTOCOL_UDP + size))
    else if (!omit) memory.view.setUint16(at + udp.CHECKSUM, udpChecksum(memory, at, size, path))
    counters.values[UDP_OUT_DATAGRAMS]++
    if (group && whole && socket.options.multicastLoop && this.#members.isMember(path.interface, path.remote)) {
      this.#output.loopCopy(path, this.#loopback, at, size, ipv4.PROTOCOL_UDP)
    }
    const ttl = group ? socket.options.multicastTtl : socket.options.ttl
    const sum = offload ? udp.CHECKSUM : NO_OFFLOAD
    return this.#output.send(path, frame, at, size, ipv4.PROTOCOL_UDP, ttl, 0, sum, token)
  }

  /**
   * Sends a datagram too long for one frame: its payload stands at `udp.HEADER_LENGTH` in `memory`, which holds nothing
   * else.
   */
  sendLong(
    socket: UdpSocket,
    path: Path,
    memory: PacketMemory,
    length: number,
    port: number,
    token: number,
  ): SendResult {
    const size = length + udp.HEADER_LENGTH
    udp.emit(memory.view, 0, socket.localPort, port, size, 0)
    const omit = path.family === 4 && path.interface.omitChecksum
    if (!omit) memory.view.setUint16(udp.CHECKSUM, udpChecksum(memory, 0, size, path))
    this.#context.counters.values[UDP_OUT_DATAGRAMS]++
    const { ttl, multicastTtl } = socket.options
    const life = path.hop === HOP_MULTICAST ? multicastTtl : ttl
    return this.#output.sendFragments(path, memory, 0, size, ipv4.PROTOCOL_UDP, life, 0, token)
  }

  /** Longest payload that one frame of the pool takes beside the headers. */
  get frameRoom(): number {
    const { pool } = this.#context
    return pool.frameSize - pool.headroom - PREFIX
  }

  /** Where a payload goes in a fresh frame, from the frame's start. */
  get payloadOffset(): number {
    return this.#context.pool.headroom + PREFIX
  }
}

/**
 * The checksum of the datagram at `at` whose header is written with a zero there, as it goes on the wire: a sum of zero is sent
 * as all ones (RFC 768).
 */
function udpChecksum(memory: PacketMemory, at: number, length: number, path: Path): number {
  const pseudo = path.pseudoSum + ipv4.PROTOCOL_UDP + length
  return ~fold(pseudo + sumBytes(memory, at, length)) & 0xffff || 0xffff
}

/** Headers before a payload when the frame's headroom is followed by an untagged Ethernet header; a tag fits the headroom. */
const PREFIX = ethernet.HEADER_LENGTH + ipv6.HEADER_LENGTH + udp.HEADER_LENGTH
