import type { AttachContext, FramePool, NetQueue, OptionSpecs, SteeringRule } from '@parakernel/hal'
import type { Loop } from '@parakernel/kernel'
import type { DatagramBurst, DatagramHandler } from './datagram-burst.ts'
import type { QueueRuntime } from './queue-runtime.ts'
import type { ScatterGatherArray } from './scatter-gather.ts'
import type { QueueDescriptor, QueueToken, SocketAddress } from './types.ts'

export interface SocketOptions {
  /** Leave to send to a broadcast address (SO_BROADCAST). Default false. */
  broadcast: boolean
  /** IPv4 time to live of what is sent; 64. */
  ttl: number
  /** Time to live of what is sent to a group; 1. */
  multicastTtl: number
  /** Whether groups that this socket sends to are heard by this host's own members; true. */
  multicastLoop: boolean
  /** Datagrams (or bytes, of a stream) that wait for a pop; beyond it they are dropped and counted. */
  receiveQueue: number
}

/**
 * What every network libOS offers: Demikernel's calls with TypeScript names. Control calls return or throw a
 * `ParakernelError`; data calls (`push`, `pushTo`, `pop`, `connect`, `asyncClose`) return a token of the shared
 * `QueueRuntime` and never throw for what happens on the wire. Not re-entrant from a `DatagramHandler`, except for
 * `sendDatagrams`, `push*` and `pool`.
 */
export interface NetworkLibOS {
  readonly name: string
  readonly runtime: QueueRuntime
  readonly loop: Loop
  /** Frames for `sgaAlloc` and for replies from another frame. */
  readonly pool: FramePool
  /** The addresses that this libOS answers to, as text. */
  readonly addresses: readonly string[]

  /** @throws EPROTONOSUPPORT, EAFNOSUPPORT for what this libOS does not have, EMFILE when the table is full. */
  socket(type: 'datagram' | 'stream', family?: 'ipv4' | 'ipv6'): QueueDescriptor
  /** `0.0.0.0` is every address of the libOS, port 0 an ephemeral port. @throws EADDRINUSE, EADDRNOTAVAIL, EINVAL if bound */
  bind(qd: QueueDescriptor, address: SocketAddress): void
  /** Datagram sockets: sets the only peer; port 0 dissolves the association. Completes as `connect` or `failed`. */
  connect(qd: QueueDescriptor, peer: SocketAddress): QueueToken
  /** Ends the queue at once. Every pending token of it fails with ECANCELED. @throws EBADF */
  close(qd: QueueDescriptor): void
  /** As `close`, but orderly; completes as `close`. */
  asyncClose(qd: QueueDescriptor): QueueToken
  /** @throws EBADF */
  getsockname(qd: QueueDescriptor): SocketAddress
  /** @throws EBADF, ENOTCONN */
  getpeername(qd: QueueDescriptor): SocketAddress
  setsockopt<K extends keyof SocketOptions>(qd: QueueDescriptor, option: K, value: SocketOptions[K]): void
  getsockopt<K extends keyof SocketOptions>(qd: QueueDescriptor, option: K): SocketOptions[K]
  /** Any-source membership (IGMP). @throws EADDRINUSE when joined, EINVAL for an address that is no group. */
  joinGroup(qd: QueueDescriptor, group: string): void
  /** @throws EADDRNOTAVAIL when not joined */
  leaveGroup(qd: QueueDescriptor, group: string): void

  /** Sends to the connected peer. A datagram longer than the path takes fails with EMSGSIZE. */
  push(qd: QueueDescriptor, sga: ScatterGatherArray): QueueToken
  pushTo(qd: QueueDescriptor, sga: ScatterGatherArray, peer: SocketAddress): QueueToken
  pop(qd: QueueDescriptor): QueueToken

  /** Room for `length` bytes to send, in as many segments as it takes. @throws ENOBUFS when the pool has not enough frames. */
  sgaAlloc(length: number): ScatterGatherArray

  /**
   * The fast face: from now on, datagrams for `qd` go to `handler` in bursts and not to `pop`. `undefined` ends it.
   * Zero copy from the received frame to the handler, and from there to the reply.
   */
  serveDatagrams(qd: QueueDescriptor, handler: DatagramHandler | undefined): void
  /**
   * Sends `burst.count` datagrams from frames of `pool`: `frame`, `address` (at least `REPLY_HEADROOM` bytes into the
   * frame), `length`, `peerAddress`, `peerPort`. Returns how many were taken, from the first on; their references are the
   * libOS's. Fewer means that the device is full, or that frames wait for address resolution.
   */
  sendDatagrams(qd: QueueDescriptor, burst: DatagramBurst): number

  /** Counters under their MIB names (RFC 1213, 4113, 4293), by group. */
  statistics(): Readonly<Record<string, Readonly<Record<string, number>>>>

  /** Closes every socket and leaves the loop; frames go back to the pool. Idempotent. */
  shutdown(): Promise<void>
}

export interface LibOSContext extends AttachContext {
  readonly loop: Loop
  readonly runtime: QueueRuntime
  /** The partition's queues, empty for a libOS that needs no device. */
  readonly queues: readonly NetQueue[]
  /** This partition and how many there are: for choices that must differ (ephemeral ports) or agree. */
  readonly partition: number
  readonly partitions: number
}

/** What a network libOS's package exports under the name `libos`. */
export interface NetworkLibOSFactory<Options = unknown> {
  readonly kind: 'net-libos'
  readonly name: string
  readonly options: OptionSpecs
  /** Whether it stands on device queues (a backend must be configured) or on the host's sockets. */
  readonly needsBackend: boolean
  /**
   * Called once, by the control plane, before the partitions start: the options that all of them get. Where several share an
   * address, these may hold memory by which they tell each other what only one of them hears.
   */
  share?(options: Options, partitions: number): Options
  /**
   * The rules that bring answers to the partition that asked, where partition `i` holds queue `i`; for a device with the
   * capability `steering`. @throws EINVAL for bad options
   */
  steeringRules?(options: Options, partitions: number): readonly SteeringRule[]
  create(options: Options, context: LibOSContext): Promise<NetworkLibOS>
}

/** Names of network libOSes with the types of their options; packages add to it by declaration merging. */
// biome-ignore lint/suspicious/noEmptyInterface: open for declaration merging
export interface NetworkLibOSOptions {}
