import type { ErrorCode } from '@parakernel/hal'
import {
  DatagramBurst,
  type DatagramHandler,
  type QueueDescriptor,
  type QueueToken,
  type ScatterGatherArray,
  type SocketAddress,
  type SocketOptions,
} from '@parakernel/queue'
import type { Ipv4Address } from '../ipv4/address.ts'
import { Fifo } from './fifo.ts'

/** A datagram that waits for a pop. */
export interface ReceivedDatagram {
  readonly sga: ScatterGatherArray
  readonly source: SocketAddress
}

export const DEFAULT_SOCKET_OPTIONS: Readonly<SocketOptions> = {
  broadcast: false,
  ttl: 64,
  multicastTtl: 1,
  multicastLoop: true,
  receiveQueue: 256,
}

/** A datagram burst with what the answers need to know beside it. */
export class ServedBurst {
  readonly datagrams: DatagramBurst
  /**
   * Address of the Ethernet header that each datagram came with, or -1 when an answer must find its own way: reassembled
   * datagrams, and those from ourselves.
   */
  readonly ethernet: Int32Array

  constructor(capacity: number) {
    this.datagrams = new DatagramBurst(capacity)
    this.ethernet = new Int32Array(capacity)
  }
}

/** A UDP socket: state, and no I/O. Every field is set once here, so that all sockets have one shape. */
export class UdpSocket {
  readonly qd: QueueDescriptor
  /** Index in the table that the fast path uses. */
  readonly slot: number
  /** 0: every address. */
  localAddress: Ipv4Address = 0
  /** 0: not bound. */
  localPort = 0
  peerAddress: Ipv4Address = 0
  /** 0: not connected. */
  peerPort = 0
  readonly options: SocketOptions
  readonly groups = new Set<Ipv4Address>()
  readonly pops = new Fifo<QueueToken>()
  readonly received = new Fifo<ReceivedDatagram>()
  handler: DatagramHandler | undefined = undefined
  served: ServedBurst | undefined = undefined
  /** An error that an ICMP message brought and no call has reported yet (RFC 1122 section 4.1.3.3). */
  pendingError: ErrorCode | undefined = undefined

  constructor(qd: QueueDescriptor, slot: number, receiveQueue: number) {
    this.qd = qd
    this.slot = slot
    this.options = { ...DEFAULT_SOCKET_OPTIONS, receiveQueue }
  }

  get isConnected(): boolean {
    return this.peerPort !== 0
  }

  /** Whether datagrams from this end point are for it. */
  accepts(address: Ipv4Address, port: number): boolean {
    return this.peerPort === 0 || (this.peerPort === port && this.peerAddress === address)
  }
}
