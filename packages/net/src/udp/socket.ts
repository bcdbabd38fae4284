import type { ErrorCode } from '@parakernel/hal'
import {
  DatagramBurst,
  type DatagramHandler,
  type IpWords,
  isIpv4Mapped,
  type QueueDescriptor,
  type QueueToken,
  type ScatterGatherArray,
  type SocketAddress,
  type SocketOptions,
} from '@parakernel/queue'
import { sameWords } from '../route/route-table.ts'
import { Fifo } from './fifo.ts'
import { SERVES_IPV4, SERVES_IPV6 } from './ports.ts'

/** A datagram that waits for a pop. */
export interface ReceivedDatagram {
  readonly sga: ScatterGatherArray
  readonly source: SocketAddress
}

/** Those of `SocketOptions` that a datagram socket has. */
export type DatagramOptions = Pick<
  SocketOptions,
  'broadcast' | 'ttl' | 'multicastTtl' | 'multicastLoop' | 'receiveQueue' | 'ipv6Only'
>

export const DEFAULT_SOCKET_OPTIONS: Readonly<DatagramOptions> = {
  broadcast: false,
  ttl: 64,
  multicastTtl: 1,
  multicastLoop: true,
  receiveQueue: 256,
  ipv6Only: false,
}

/** A datagram burst with what the answers need to know beside it. */
export class ServedBurst {
  readonly datagrams: DatagramBurst
  /**
   * Address of the Ethernet header that each datagram came with, or -1 when an answer must find its own way: reassembled
   * datagrams, and copies.
   */
  readonly ethernet: Int32Array
  /** Address of ours that each answer is sent from: of IPv4, and of IPv6 the last word. */
  readonly local: Int32Array
  /** Of sockets of IPv6: the first three words of that address, as in `DatagramBurst.peerUpper`. */
  readonly localUpper: Int32Array

  constructor(capacity: number) {
    this.datagrams = new DatagramBurst(capacity)
    this.ethernet = new Int32Array(capacity)
    this.local = new Int32Array(capacity)
    this.localUpper = new Int32Array(3 * capacity)
  }
}

/** Of `boundIpv4` and `peerIpv4`: no IPv4 address at all. No datagram comes to or from it: it is limited broadcast. */
const NOT_IPV4 = -1

/** A group that a socket has joined, on one interface. */
export interface JoinedGroup {
  readonly group: IpWords
  /** Index of the interface. */
  readonly interface: number
}

/** A UDP socket: state, and no I/O. Every field is set once here, so that all sockets have one shape. */
export class UdpSocket {
  readonly qd: QueueDescriptor
  /** Index in the table that the fast path uses. */
  readonly slot: number
  /** A socket of IPv6 serves IPv4 too, as `::ffff:a.b.c.d`, unless its option `ipv6Only` is set. */
  readonly family: 4 | 6
  /** The address that it is bound to; undefined: every address. */
  local: IpWords | undefined = undefined
  /** 0: not bound. */
  localPort = 0
  /** The only peer, if it is connected. */
  peer: IpWords | undefined = undefined
  /** 0: not connected. */
  peerPort = 0
  /** The IPv4 address that it is bound to, as the fast path compares it: 0 for all, `NOT_IPV4` for none. */
  boundIpv4 = 0
  /** The same of the peer; 0 when it is not connected. */
  peerIpv4 = 0
  /** The next sockets of the same port, bound to other addresses: among those that take IPv4, and those that take IPv6. */
  next4: UdpSocket | undefined = undefined
  next6: UdpSocket | undefined = undefined
  readonly options: DatagramOptions
  readonly groups: JoinedGroup[] = []
  readonly pops = new Fifo<QueueToken>()
  readonly received = new Fifo<ReceivedDatagram>()
  handler: DatagramHandler | undefined = undefined
  served: ServedBurst | undefined = undefined
  /** An error that an ICMP message brought and no call has reported yet (RFC 1122 section 4.1.3.3). */
  pendingError: ErrorCode | undefined = undefined

  constructor(qd: QueueDescriptor, slot: number, family: 4 | 6, receiveQueue: number) {
    this.qd = qd
    this.slot = slot
    this.family = family
    this.options = { ...DEFAULT_SOCKET_OPTIONS, receiveQueue }
  }

  get isConnected(): boolean {
    return this.peerPort !== 0
  }

  /** Whether it takes datagrams of a family. */
  takes(family: 4 | 6): boolean {
    return family === this.family || (family === 4 && !this.options.ipv6Only)
  }

  /** The families that it takes, as the table of ports counts them. */
  get serves(): number {
    return (this.takes(4) ? SERVES_IPV4 : 0) | (this.family === 6 ? SERVES_IPV6 : 0)
  }

  /** Binds it: from now on its family is settled too. @param local undefined for every address */
  bindTo(local: IpWords | undefined, port: number): void {
    this.local = local
    this.localPort = port
    if (!this.takes(4) || (local !== undefined && !isIpv4Mapped(local))) this.boundIpv4 = NOT_IPV4
    else this.boundIpv4 = local === undefined ? 0 : local[3]
  }

  connectTo(peer: IpWords, port: number): void {
    this.peer = peer
    this.peerPort = port
    this.peerIpv4 = isIpv4Mapped(peer) ? peer[3] : NOT_IPV4
  }

  disconnect(): void {
    this.peer = undefined
    this.peerPort = 0
    this.peerIpv4 = 0
  }

  /** Whether datagrams from this end point are for it. */
  accepts(address: IpWords, port: number): boolean {
    return this.peer === undefined || (this.peerPort === port && sameWords(this.peer, address))
  }

  /** Whether it is bound to an address, or to all of a family. Groups and broadcasts are heard by the latter alone. */
  hears(family: 4 | 6, destination: IpWords, group: boolean): boolean {
    if (!this.takes(family)) return false
    return this.local === undefined || (!group && sameWords(this.local, destination))
  }

  hasJoined(group: IpWords): boolean {
    for (const joined of this.groups) if (sameWords(joined.group, group)) return true
    return false
  }
}
