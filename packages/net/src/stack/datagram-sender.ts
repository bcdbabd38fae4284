import type { FramePool } from '@parakernel/hal'
import { copyBytes } from '@parakernel/hal'
import {
  type DatagramBurst,
  type IpWords,
  type QueueToken,
  REPLY_HEADROOM,
  type ScatterGatherArray,
} from '@parakernel/queue'
import { type PacketMemory, packetMemory } from '../packet-memory.ts'
import { DROP_OUT_INVALID } from '../statistics/counters.ts'
import type { UdpSocket } from '../udp/socket.ts'
import * as udp from '../udp/wire.ts'
import type { Path, SendResult } from './path.ts'
import type { ProtocolStack } from './protocol-stack.ts'
import type { SocketTable } from './socket-table.ts'

/** The two ways in which an application sends: arrays, which are copied, and bursts of frames, which are not. */
export class DatagramSender {
  readonly #stack: ProtocolStack
  readonly #sockets: SocketTable
  readonly #pool: FramePool
  /** Where datagrams too long for a frame are gathered; made by the first. */
  #gather: PacketMemory | undefined
  readonly #peer: IpWords = new Int32Array(4)

  constructor(stack: ProtocolStack, sockets: SocketTable) {
    this.#stack = stack
    this.#sockets = sockets
    this.#pool = stack.context.pool
  }

  /** Copies an array, which stays the caller's, behind room for the headers. The socket is bound, the peer allowed. */
  sendArray(
    socket: UdpSocket,
    sga: ScatterGatherArray,
    length: number,
    to: IpWords,
    port: number,
    token: QueueToken,
  ): SendResult {
    const { udpOutput } = this.#stack
    const path = udpOutput.pathTo(socket, to)
    if (length > (path.family === 4 ? udp.MAX_PAYLOAD : udp.MAX_PAYLOAD6)) return 'EMSGSIZE'
    if (length > udpOutput.frameRoom) {
      this.#gather ??= packetMemory(new SharedArrayBuffer(65_536))
      copySegments(sga, this.#gather.bytes, udp.HEADER_LENGTH)
      return udpOutput.sendLong(socket, path, this.#gather, length, port, token)
    }
    const frame = this.#pool.allocate()
    if (frame < 0) return 'ENOBUFS'
    const data = this.#pool.address(frame) + udpOutput.payloadOffset
    copySegments(sga, this.#pool.bytes, data)
    return udpOutput.send(socket, path, frame, data, length, port, token)
  }

  /** Sends datagrams from their frames, as long as none would be lost; returns how many were taken. */
  sendBurst(socket: UdpSocket, burst: DatagramBurst): number {
    if (!this.#sockets.ensureBound(socket)) return 0
    const { udpOutput } = this.#stack
    const { frame, address, length, peerPort } = burst
    let i = 0
    for (; i < burst.count; i++) {
      const path = this.#pathTo(socket, burst, i)
      if (path.backlogged) break
      if (!this.#sendable(socket, burst, i, path)) {
        this.#stack.context.counters.drop(DROP_OUT_INVALID)
        this.#pool.release(frame[i])
        continue
      }
      udpOutput.send(socket, path, frame[i], address[i], length[i], peerPort[i], 0)
    }
    return i
  }

  #pathTo(socket: UdpSocket, { peerAddress, peerUpper }: DatagramBurst, i: number): Path {
    const { udpOutput } = this.#stack
    if (socket.family === 4) return udpOutput.pathToIpv4(socket, peerAddress[i])
    const peer = this.#peer
    for (let word = 0; word < 3; word++) peer[word] = peerUpper[3 * i + word]
    peer[3] = peerAddress[i]
    return udpOutput.pathTo(socket, peer)
  }

  /** Whether datagram `i` of a burst lies in its frame with room for the headers, and may go where it shall. */
  #sendable(socket: UdpSocket, burst: DatagramBurst, i: number, path: Path): boolean {
    const pool = this.#pool
    const offset = burst.address[i] - pool.address(burst.frame[i])
    const refused =
      path.family === 4
        ? this.#sockets.refusesIpv4(socket, path.remoteIpv4)
        : this.#sockets.refusesPeer(socket, path.remote)
    return (
      offset >= REPLY_HEADROOM &&
      burst.length[i] >= 0 &&
      offset + burst.length[i] <= pool.frameSize &&
      burst.peerPort[i] !== 0 &&
      refused === undefined
    )
  }
}

function copySegments(sga: ScatterGatherArray, into: Uint8Array, at: number): void {
  const from = sga.pool.bytes
  let to = at
  for (const { address, length } of sga.segments) {
    copyBytes(from, address, length, into, to)
    to += length
  }
}
