import { fold, pseudoHeaderSum, sumBytes } from '../checksum/internet-checksum.ts'
import * as ethernet from '../ethernet/wire.ts'
import { type Ipv4Address, isMulticast } from '../ipv4/address.ts'
import * as ipv4 from '../ipv4/wire.ts'
import type { PacketMemory } from '../packet-memory.ts'
import { UDP_OUT_DATAGRAMS } from '../statistics/counters.ts'
import type { UdpSocket } from '../udp/socket.ts'
import * as udp from '../udp/wire.ts'
import type { MembershipService } from './igmp-service.ts'
import type { NetInterface } from './interface.ts'
import { NO_OFFLOAD, type Output, type SendResult } from './output.ts'

/**
 * The checksum of the datagram at `at` whose header is written with a zero there, as it goes on the wire: a sum of zero is sent
 * as all ones (RFC 768).
 */
export function udpChecksum(
  memory: PacketMemory,
  at: number,
  length: number,
  source: Ipv4Address,
  destination: Ipv4Address,
): number {
  const pseudo = pseudoHeaderSum(source, destination, ipv4.PROTOCOL_UDP, length)
  return ~fold(pseudo + sumBytes(memory, at, length)) & 0xffff || 0xffff
}

/** Sends datagrams that are not answers in place: finds the way, cuts what is too long, loops groups back. */
export class UdpOutput {
  readonly #interface: NetInterface
  readonly #output: Output
  readonly #membership: MembershipService

  constructor(iface: NetInterface, output: Output, membership: MembershipService) {
    this.#interface = iface
    this.#output = output
    this.#membership = membership
  }

  /** Sends the `length` bytes at `data` in `frame`, with room for the headers before them. Takes over the frame. */
  send(
    socket: UdpSocket,
    frame: number,
    data: number,
    length: number,
    destination: Ipv4Address,
    port: number,
    token: number,
  ): SendResult {
    const iface = this.#interface
    const { memory, address } = iface
    const at = data - udp.HEADER_LENGTH
    const size = length + udp.HEADER_LENGTH
    const group = isMulticast(destination)
    const whole = size + ipv4.HEADER_LENGTH <= this.#output.mtuTo(destination)
    const offload = whole && iface.deviceComputes && destination !== address && !iface.omitChecksum
    udp.emit(memory.view, at, socket.localPort, port, size, 0)
    if (offload) {
      const pseudo = fold(pseudoHeaderSum(address, destination, ipv4.PROTOCOL_UDP, size))
      memory.view.setUint16(at + udp.CHECKSUM, pseudo)
    } else if (!iface.omitChecksum) {
      memory.view.setUint16(at + udp.CHECKSUM, udpChecksum(memory, at, size, address, destination))
    }
    iface.counters.values[UDP_OUT_DATAGRAMS]++
    if (group && socket.options.multicastLoop && whole && this.#membership.isMember(destination)) {
      this.#output.loopCopy(at, size, ipv4.PROTOCOL_UDP, destination)
    }
    const ttl = group ? socket.options.multicastTtl : socket.options.ttl
    return this.#output.send(
      frame,
      at,
      size,
      ipv4.PROTOCOL_UDP,
      destination,
      ttl,
      offload ? udp.CHECKSUM : NO_OFFLOAD,
      token,
    )
  }

  /**
   * Sends a datagram too long for one frame: its payload stands at `udp.HEADER_LENGTH` in `memory`, which holds nothing
   * else.
   */
  sendLong(
    socket: UdpSocket,
    memory: PacketMemory,
    length: number,
    destination: Ipv4Address,
    port: number,
    token: number,
  ): SendResult {
    const iface = this.#interface
    const size = length + udp.HEADER_LENGTH
    udp.emit(memory.view, 0, socket.localPort, port, size, 0)
    if (!iface.omitChecksum) {
      memory.view.setUint16(udp.CHECKSUM, udpChecksum(memory, 0, size, iface.address, destination))
    }
    iface.counters.values[UDP_OUT_DATAGRAMS]++
    const { ttl, multicastTtl } = socket.options
    const life = isMulticast(destination) ? multicastTtl : ttl
    return this.#output.sendFragments(memory, 0, size, ipv4.PROTOCOL_UDP, destination, life, token)
  }

  /** Longest payload that one frame of the pool takes beside the headers. */
  get frameRoom(): number {
    const { pool } = this.#interface
    return pool.frameSize - pool.headroom - PREFIX
  }

  /** Where a payload goes in a fresh frame, from the frame's start. */
  get payloadOffset(): number {
    return this.#interface.pool.headroom + PREFIX
  }
}

/** Headers before a payload when the frame's headroom is followed by an untagged Ethernet header; a tag fits the headroom. */
const PREFIX = ethernet.HEADER_LENGTH + ipv4.HEADER_LENGTH + udp.HEADER_LENGTH
