import type { FramePool } from '@parakernel/hal'
import { type DatagramBurst, type QueueToken, REPLY_HEADROOM, type ScatterGatherArray } from '@parakernel/queue'
import type { Ipv4Address } from '../ipv4/address.ts'
import { type PacketMemory, packetMemory } from '../packet-memory.ts'
import { DROP_OUT_INVALID } from '../statistics/counters.ts'
import type { UdpSocket } from '../udp/socket.ts'
import * as udp from '../udp/wire.ts'
import type { SendResult } from './output.ts'
import type { ProtocolStack } from './protocol-stack.ts'
import type { SocketTable } from './socket-table.ts'

/** The two ways in which an application sends: arrays, which are copied, and bursts of frames, which are not. */
export class DatagramSender {
  readonly #stack: ProtocolStack
  readonly #sockets: SocketTable
  readonly #pool: FramePool
  /** Where datagrams too long for a frame are gathered; made by the first. */
  #gather: PacketMemory | undefined

  constructor(stack: ProtocolStack, sockets: SocketTable) {
    this.#stack = stack
    this.#sockets = sockets
    this.#pool = stack.interface.pool
  }

  /** Copies an array, which stays the caller's, behind room for the headers. The socket is bound, the peer allowed. */
  sendArray(
    socket: UdpSocket,
    sga: ScatterGatherArray,
    length: number,
    to: Ipv4Address,
    port: number,
    token: QueueToken,
  ): SendResult {
    const { udpOutput } = this.#stack
    if (length > udp.MAX_PAYLOAD) return 'EMSGSIZE'
    if (length > udpOutput.frameRoom) {
      this.#gather ??= packetMemory(new SharedArrayBuffer(65_536))
      copySegments(sga, this.#gather.bytes, udp.HEADER_LENGTH)
      return udpOutput.sendLong(socket, this.#gather, length, to, port, token)
    }
    const frame = this.#pool.allocate()
    if (frame < 0) return 'ENOBUFS'
    const data = this.#pool.address(frame) + udpOutput.payloadOffset
    copySegments(sga, this.#pool.bytes, data)
    return udpOutput.send(socket, frame, data, length, to, port, token)
  }

  /** Sends datagrams from their frames, as long as none would be lost; returns how many were taken. */
  sendBurst(socket: UdpSocket, burst: DatagramBurst): number {
    if (!this.#sockets.ensureBound(socket)) return 0
    const { udpOutput } = this.#stack
    const { frame, address, length, peerAddress, peerPort } = burst
    let i = 0
    for (; i < burst.count; i++) {
      if (this.#backlogged(peerAddress[i])) break
      if (!this.#sendable(socket, burst, i)) {
        this.#stack.interface.counters.drop(DROP_OUT_INVALID)
        this.#pool.release(frame[i])
        continue
      }
      udpOutput.send(socket, frame[i], address[i], length[i], peerAddress[i], peerPort[i], 0)
    }
    return i
  }

  /** Whether datagram `i` of a burst lies in its frame with room for the headers, and may go where it shall. */
  #sendable(socket: UdpSocket, burst: DatagramBurst, i: number): boolean {
    const pool = this.#pool
    const offset = burst.address[i] - pool.address(burst.frame[i])
    return (
      offset >= REPLY_HEADROOM &&
      burst.length[i] >= 0 &&
      offset + burst.length[i] <= pool.frameSize &&
      burst.peerPort[i] !== 0 &&
      this.#sockets.refusesPeer(socket, burst.peerAddress[i]) === undefined
    )
  }

  /** Whether a device has so much to send, or a neighbour so much to wait for, that another packet would be lost. */
  #backlogged(to: Ipv4Address): boolean {
    if (this.#stack.output.isWaitingFull(to)) return true
    const { tx } = this.#stack.interface.linkFor(to)
    if (tx.waiting < tx.burst.capacity) return false
    tx.flush()
    return tx.waiting >= tx.burst.capacity
  }
}

function copySegments(sga: ScatterGatherArray, into: Uint8Array, at: number): void {
  const from = sga.pool.bytes
  let to = at
  for (const { address, length } of sga.segments) {
    into.set(from.subarray(address, address + length), to)
    to += length
  }
}
