import type { ErrorCode } from '@parakernel/hal'
import type { TimerId } from '@parakernel/kernel'
import type { IpWords, QueueDescriptor, QueueToken, Segment, SocketOptions } from '@parakernel/queue'
import type { TcpSettings } from '../tcp/settings.ts'
import { Fifo } from '../udp/fifo.ts'
import type { StreamService } from './stream-serving.ts'
import type { TcpEndpoint } from './tcp-endpoint.ts'
import type { Listener } from './tcp-listeners.ts'

/** A pop that waits for bytes. */
export interface WaitingPop {
  readonly token: QueueToken
  readonly limit: number
}

/** A push that waits for room: what is left of its array, with references of its own. */
export interface WaitingPush {
  /** Undefined when it was cancelled after a part of it had gone: the rest follows, and nobody hears of it. */
  token: QueueToken | undefined
  readonly segments: readonly Segment[]
  readonly bytes: number
  /** Segment that goes next. */
  index: number
}

/** Tokens of a socket that wait. Made by the first that does: most sockets that are served never need it. */
export class Waiting {
  readonly pops = new Fifo<WaitingPop>()
  readonly pushes = new Fifo<WaitingPush>()
  readonly accepts = new Fifo<QueueToken>()
  connect: QueueToken | undefined = undefined
  close: QueueToken | undefined = undefined
  /** Ends an `asyncClose` with a time to linger; 0 for none. */
  lingerTimer: TimerId = 0

  /** Nothing waits but a connect. */
  get isEmpty(): boolean {
    return this.pops.size + this.pushes.size + this.accepts.size === 0 && this.close === undefined
  }
}

const HOLDS_PORT = 1 << 0
const IS_CONNECTED = 1 << 1
const IS_FINISHED = 1 << 2
const IS_CLOSING = 1 << 3
const HAS_DISCARDED = 1 << 4
const IS_STARVED = 1 << 5

/**
 * A stream socket: state, and no I/O. Every field is set once here, so that all sockets have one shape; there may be many, so
 * what is true or false shares a word, and options and settings are shared with the listener until they are changed.
 */
export class StreamSocket {
  readonly qd: QueueDescriptor
  readonly family: 4 | 6
  options: SocketOptions
  /** What the options mean to TCP. */
  settings: TcpSettings
  /** Undefined: not bound to one address. */
  localAddress: IpWords | undefined = undefined
  /** 0: not bound. */
  localPort = 0
  listener: Listener | undefined = undefined
  endpoint: TcpEndpoint | undefined = undefined
  /** The connection ended for this reason; every call that follows fails with it. */
  failure: ErrorCode | undefined = undefined
  waiting: Waiting | undefined = undefined
  /** Who is served, if anybody is. */
  service: StreamService | undefined = undefined
  /** `STREAM_*` that were told (opened, ended, closed), and flags of `StreamServing`. */
  heard = 0
  /** Entries with bytes in the burst that its handler sees now. */
  offered = 0
  #flags = 0

  constructor(qd: QueueDescriptor, family: 4 | 6, options: SocketOptions, settings: TcpSettings) {
    this.qd = qd
    this.family = family
    this.options = options
    this.settings = settings
  }

  get tokens(): Waiting {
    this.waiting ??= new Waiting()
    return this.waiting
  }

  /** It was bound by `bind`, and holds its port for itself. */
  get holdsPort(): boolean {
    return (this.#flags & HOLDS_PORT) !== 0
  }

  set holdsPort(on: boolean) {
    this.#set(HOLDS_PORT, on)
  }

  /** The handshake of `endpoint` is complete. */
  get isConnected(): boolean {
    return (this.#flags & IS_CONNECTED) !== 0
  }

  set isConnected(on: boolean) {
    this.#set(IS_CONNECTED, on)
  }

  /** Our half is to end as soon as the pushes that wait have gone, or has ended. */
  get isFinished(): boolean {
    return (this.#flags & IS_FINISHED) !== 0
  }

  set isFinished(on: boolean) {
    this.#set(IS_FINISHED, on)
  }

  /** `asyncClose` was called: the descriptor is refused, though its last tokens are not complete. */
  get isClosing(): boolean {
    return (this.#flags & IS_CLOSING) !== 0
  }

  set isClosing(on: boolean) {
    this.#set(IS_CLOSING, on)
  }

  /** Bytes came meanwhile that nobody will read. */
  get hasDiscarded(): boolean {
    return (this.#flags & HAS_DISCARDED) !== 0
  }

  set hasDiscarded(on: boolean) {
    this.#set(HAS_DISCARDED, on)
  }

  /** It waits for memory, not for its peer. */
  get isStarved(): boolean {
    return (this.#flags & IS_STARVED) !== 0
  }

  set isStarved(on: boolean) {
    this.#set(IS_STARVED, on)
  }

  #set(flag: number, on: boolean): void {
    this.#flags = on ? this.#flags | flag : this.#flags & ~flag
  }
}
