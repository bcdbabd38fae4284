import type { AttachContext, FramePool, NetQueue, OptionSpecs, SteeringRule } from '@parakernel/hal'
import type { Loop } from '@parakernel/kernel'
import type { DatagramBurst, DatagramHandler } from './datagram-burst.ts'
import type { QueueRuntime } from './queue-runtime.ts'
import type { ScatterGatherArray } from './scatter-gather.ts'
import type { StreamHandler } from './stream-burst.ts'
import type { QueueDescriptor, QueueToken, SocketAddress } from './types.ts'

/** Options of datagram sockets, of stream sockets, and of both. Times are in milliseconds. */
export interface SocketOptions {
  /** Datagrams: leave to send to a broadcast address (SO_BROADCAST). Default false. */
  broadcast: boolean
  /** IPv4 time to live, or IPv6 hop limit, of what is sent; 64. */
  ttl: number
  /** The same of what is sent to a group; 1. */
  multicastTtl: number
  /** Whether groups that this socket sends to are heard by this host's own members; true. */
  multicastLoop: boolean
  /** Datagrams: how many wait for a pop; beyond it they are dropped and counted. */
  receiveQueue: number
  /** An IPv6 socket at `::` takes IPv6 alone (IPV6_V6ONLY); false. Set before `bind`. */
  ipv6Only: boolean

  /** Streams, all of the following. Sends short segments at once: no Nagle algorithm (RFC 1122 section 4.2.3.4). Default false. */
  noDelay: boolean
  /** Asks a silent peer whether it lives (RFC 1122 section 4.2.3.6); false. */
  keepAlive: boolean
  /** Silence before the first question; 7,200,000. */
  keepAliveIdle: number
  /** Between questions; 75,000. */
  keepAliveInterval: number
  /** Unanswered questions before the connection fails with ETIMEDOUT; 9. */
  keepAliveProbes: number
  /** How long what was sent may stay unacknowledged before the connection fails with ETIMEDOUT (RFC 5482); 0: as long as the retries last. */
  userTimeout: number
  /**
   * What `close` does with what is not yet acknowledged: -1, the default, goes on in the background; 0 drops it and resets the
   * connection; more lets `asyncClose` wait so long, and then resets and fails with ETIMEDOUT.
   */
  linger: number
  /** Bytes that may wait for a pop; 0, the default: tuned to the connection within the libOS's bounds. */
  receiveBuffer: number
  /** Bytes that are pushed and not yet acknowledged; 0, the default: tuned to the connection within the libOS's bounds. */
  sendBuffer: number
  /** Bytes that are pushed and not yet sent, above which further pushes wait (TCP_NOTSENT_LOWAT); 0: no bound of its own. */
  notSentLowWater: number
  /** Largest segment that is announced and sent, at least 88; 0, the default: what the path takes. */
  maximumSegment: number
  /** `cubic` (RFC 9438), `newreno` (RFC 6582), or `none`, for links of one's own alone; the libOS's default. */
  congestionControl: 'cubic' | 'newreno' | 'none'
}

export type SocketOption = keyof SocketOptions

/** How a stream socket stands, under the names of RFC 9293 section 3.3.2. */
export type StreamState =
  | 'closed'
  | 'listen'
  | 'syn-sent'
  | 'syn-received'
  | 'established'
  | 'fin-wait-1'
  | 'fin-wait-2'
  | 'close-wait'
  | 'closing'
  | 'last-ack'
  | 'time-wait'

/** One line of a socket listing, as of `ss`. What a libOS cannot know is absent. */
export interface SocketInfo {
  readonly qd: QueueDescriptor | undefined
  readonly type: 'datagram' | 'stream'
  readonly family: 'ipv4' | 'ipv6'
  readonly local: SocketAddress
  readonly peer: SocketAddress | undefined
  readonly state: StreamState | 'bound' | 'unbound' | 'connected'
  /** Bytes (of a listener: connections; of a datagram socket: datagrams) that wait for the application. */
  readonly receiveQueue: number
  /** Bytes not yet acknowledged; of a listener: its backlog. */
  readonly sendQueue: number
  /** More, by name: `rtt` in ms, `cwnd`, `retransmits`, `congestion`, as text. */
  readonly details: Readonly<Record<string, string | number>>
}

/**
 * What every network libOS offers: Demikernel's calls with TypeScript names. Control calls return or throw a
 * `ParakernelError`; data calls (`push`, `pushTo`, `pop`, `connect`, `asyncClose`) return a token of the shared
 * `QueueRuntime` and never throw for what happens on the wire. Not re-entrant from a `DatagramHandler` or `StreamHandler`, except for
 * `sendDatagrams`, `sendStream`, `push*` and `pool`.
 */
export interface NetworkLibOS {
  readonly name: string
  readonly runtime: QueueRuntime
  readonly loop: Loop
  /** Frames for `sgaAlloc` and for replies from another frame. */
  readonly pool: FramePool
  /** The addresses of this libOS, as text: IPv4 first, then IPv6, link-local ones last. May change while it runs. */
  readonly addresses: readonly string[]

  /**
   * An IPv6 socket serves IPv4 too, as addresses `::ffff:10.0.0.1`, unless `ipv6Only` is set.
   * @throws EPROTONOSUPPORT, EAFNOSUPPORT for what this libOS does not have, EMFILE when the table is full.
   */
  socket(type: 'datagram' | 'stream', family?: 'ipv4' | 'ipv6'): QueueDescriptor
  /** `0.0.0.0` is every address of the libOS, port 0 an ephemeral port. @throws EADDRINUSE, EADDRNOTAVAIL, EINVAL if bound */
  bind(qd: QueueDescriptor, address: SocketAddress): void
  /**
   * Lets a bound stream socket take connections; again to change `backlog`, the number of connections that wait for an accept.
   * @throws EINVAL when not bound or connected, ENOTSUP for datagrams, EADDRINUSE
   */
  listen(qd: QueueDescriptor, backlog?: number): void
  /**
   * Completes as `accept` with a new descriptor, which has its listener's options. ENOTSUP for datagrams, EINVAL when not
   * listening, EBUSY while `serveStreams` takes the connections, end as `failed`.
   */
  accept(qd: QueueDescriptor): QueueToken
  /**
   * Stream sockets: opens a connection; fails with ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, ECONNRESET; EISCONN or
   * EALREADY on one that has been opened. Datagram sockets: sets the only peer; port 0 dissolves the association. Completes
   * as `connect` or `failed`.
   */
  connect(qd: QueueDescriptor, peer: SocketAddress): QueueToken
  /**
   * Ends the queue at once. Every pending token of it fails with ECANCELED. A stream's bytes that were taken are still
   * delivered, and its connection ends in the background; bytes that were never popped, or linger 0, reset it. @throws EBADF
   */
  close(qd: QueueDescriptor): void
  /**
   * As `close`, but orderly; completes as `close` when the peer has acknowledged all bytes and our end of the stream, and
   * fails with what ended the connection otherwise. Pushes that were issued before are finished; pops end with ECANCELED.
   */
  asyncClose(qd: QueueDescriptor): QueueToken
  /**
   * Ends our half of a stream after all that was pushed (FIN); the peer's half stays open. Further pushes fail with EPIPE;
   * once more does nothing.
   * @throws ENOTCONN, ENOTSUP for datagrams
   */
  halfClose(qd: QueueDescriptor): void
  /** @throws EBADF */
  getsockname(qd: QueueDescriptor): SocketAddress
  /** @throws EBADF, ENOTCONN */
  getpeername(qd: QueueDescriptor): SocketAddress
  /** @throws ENOPROTOOPT for an option that this socket does not have, EINVAL for a bad value, naming both */
  setsockopt<K extends keyof SocketOptions>(qd: QueueDescriptor, option: K, value: SocketOptions[K]): void
  getsockopt<K extends keyof SocketOptions>(qd: QueueDescriptor, option: K): SocketOptions[K]
  /** Any-source membership (IGMP). @throws EADDRINUSE when joined, EINVAL for an address that is no group. */
  joinGroup(qd: QueueDescriptor, group: string): void
  /** @throws EADDRNOTAVAIL when not joined */
  leaveGroup(qd: QueueDescriptor, group: string): void

  /**
   * Sends to the connected peer. An array that was freed, or is of another pool, fails with EINVAL. A datagram longer than the path takes fails with EMSGSIZE. A stream takes any length, in the
   * order of the calls; it completes when all bytes have room in the send buffer, which is how backpressure shows.
   * The libOS may read the frames until the peer has acknowledged them: it keeps references, and who wants to write a frame
   * looks whether its count is one again, or takes a fresh one. Fails with EPIPE after `halfClose`, with ENOTCONN, and with
   * what ended the connection: ECONNRESET, ETIMEDOUT.
   */
  push(qd: QueueDescriptor, sga: ScatterGatherArray): QueueToken
  pushTo(qd: QueueDescriptor, sga: ScatterGatherArray, peer: SocketAddress): QueueToken
  /**
   * The next datagram; or the bytes of a stream that are there, at least one and, if `limit` is given, at most so many. An
   * empty array is the end of the stream, and stays so; a reset fails this and every later call with ECONNRESET. The window
   * that a peer may fill opens as arrays are popped. EBUSY while `serveStreams` takes the bytes. @throws EINVAL for a limit below 1
   */
  pop(qd: QueueDescriptor, limit?: number): QueueToken

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

  /**
   * The fast face of streams, on a listening socket before its first connection, or on a connected one: connections and
   * their bytes go to `handler` in bursts, not to `accept` and `pop`. Nothing is copied or allocated on the way.
   * @throws ENOTCONN for a socket that is neither
   */
  serveStreams(qd: QueueDescriptor, handler: StreamHandler | undefined): void
  /**
   * Sends `length` bytes at `address` in `frame` of `pool` on a stream, for handlers: all of it is taken, with the frame's
   * reference, and true returned; or false, nothing taken, when the send buffer is full (the handler hears
   * `STREAM_WRITABLE` when there is room) or the stream cannot send any more.
   * @throws EINVAL for bytes that lie in no frame of `pool` that is held
   */
  sendStream(qd: QueueDescriptor, frame: number, address: number, length: number): boolean
  /** Offers again what a handler put off with `STREAM_LATER`; in the next round. */
  resumeStream(qd: QueueDescriptor): void

  /** Open sockets and, of streams, connections that live on after their `close`: for a listing as of `ss`. */
  sockets(): readonly SocketInfo[]
  /** Counters under their MIB names (RFC 1213, 4022, 4113, 4293), by group. */
  statistics(): Readonly<Record<string, Readonly<Record<string, number>>>>

  /** Closes every socket and leaves the loop; frames go back to the pool. Idempotent. */
  shutdown(): Promise<void>
}

export interface LibOSContext extends AttachContext {
  readonly loop: Loop
  readonly runtime: QueueRuntime
  /** The partition's queues, empty for a libOS that needs no device. */
  readonly queues: readonly NetQueue[]
  /**
   * Further interfaces, each over queues of another device, which attach with the same `pool`. Only for a libOS whose factory has
   * `interfaceOptions`.
   */
  readonly interfaces?: readonly LibOSInterface[]
  /** This partition and how many there are: for choices that must differ (ephemeral ports) or agree. */
  readonly partition: number
  readonly partitions: number
}

/** An interface beyond the first one, whose queues are `LibOSContext.queues`. */
export interface LibOSInterface {
  /** In listings and in scoped addresses, as in `fe80::1%net1`. */
  readonly name: string
  /** This partition's queues of its device. */
  readonly queues: readonly NetQueue[]
  /** Its address and the like, by the factory's `interfaceOptions`. */
  readonly options: Readonly<Record<string, unknown>>
}

/** What a network libOS's package exports under the name `libos`. */
export interface NetworkLibOSFactory<Options = unknown> {
  readonly kind: 'net-libos'
  readonly name: string
  readonly options: OptionSpecs
  /** Options of each further interface; absent for a libOS that has one interface. */
  readonly interfaceOptions?: OptionSpecs
  /** Whether it stands on device queues (a backend must be configured) or on the host's sockets. */
  readonly needsBackend: boolean
  /**
   * Called once, by the control plane, before the partitions start: the options that all of them get. Where several share an
   * address, these may hold memory by which they tell each other what only one of them hears.
   * @param wakes the wake word of each partition, by its number (`FrameWindow.wake`)
   */
  share?(options: Options, partitions: number, wakes?: readonly SharedArrayBuffer[]): Options
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
