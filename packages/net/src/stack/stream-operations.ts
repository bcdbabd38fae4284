import type { ErrorCode, ParakernelError } from '@parakernel/hal'
import type {
  QueueDescriptor,
  QueueRuntime,
  QueueToken,
  ScatterGatherArray,
  SocketAddress,
  SocketInfo,
  SocketOption,
  SocketOptions,
  StreamHandler,
} from '@parakernel/queue'
import { isSliceOf } from '@parakernel/queue'
import type { Connection } from '../tcp/connection/connection.ts'
import {
  EVENT_CLOSED,
  EVENT_CONNECTED,
  EVENT_FAILED,
  EVENT_PATH_SUSPECT,
  EVENT_WRITABLE,
} from '../tcp/connection/events.ts'
import type { ProtocolStack } from './protocol-stack.ts'
import { checkedOption, knownOption } from './socket-options.ts'
import { StreamClosing } from './stream-closing.ts'
import { listStreams } from './stream-listing.ts'
import { StreamOpening } from './stream-opening.ts'
import { settingsAfter } from './stream-options.ts'
import { StreamService, StreamServing } from './stream-serving.ts'
import type { StreamSocket } from './stream-socket.ts'
import { StreamTable, streamError } from './stream-table.ts'
import { StreamTransfer } from './stream-transfer.ts'
import type { TcpEndpoint } from './tcp-endpoint.ts'
import type { TcpListener, TcpService } from './tcp-service.ts'

const EVERYTHING = Number.MAX_SAFE_INTEGER

function notASlice(socket: StreamSocket, frame: number): ParakernelError {
  return streamError(
    socket,
    'EINVAL',
    `was given bytes that do not lie in frame ${frame}, or a frame that nobody holds`,
    "Allocate the frame from the libOS's `pool`, and release it only if `sendStream` returns false",
  )
}

/** The operations of stream sockets, and what their connections tell them. */
export class StreamOperations implements TcpListener {
  readonly table: StreamTable
  readonly #tcp: TcpService
  readonly #runtime: QueueRuntime
  readonly #open: () => QueueDescriptor
  readonly #opening: StreamOpening
  readonly #transfer: StreamTransfer
  readonly #closing: StreamClosing
  readonly #serving: StreamServing

  constructor(stack: ProtocolStack, runtime: QueueRuntime, limit: number, open: () => QueueDescriptor) {
    const { tcp, addresses, siblings, output } = stack
    const { context, handshakes } = tcp
    this.#tcp = tcp
    this.#runtime = runtime
    this.#open = open
    this.table = new StreamTable(context, addresses, siblings, limit, 64)
    this.#transfer = new StreamTransfer(context, runtime)
    this.#opening = new StreamOpening(context, output, this.table, runtime, open, (local) => stack.lossOf(local))
    this.#closing = new StreamClosing(context, handshakes, this.table, this.#transfer, runtime)
    this.#serving = new StreamServing(context, this.#transfer, this.#closing)
    tcp.listener = this
  }

  create(family: 4 | 6): QueueDescriptor {
    return this.table.create(this.#open, family).qd
  }

  connect(socket: StreamSocket, peer: SocketAddress): QueueToken {
    const token = this.#runtime.issue(socket.qd)
    this.#opening.connect(socket, peer, token)
    return token
  }

  accept(socket: StreamSocket): QueueToken {
    const token = this.#runtime.issue(socket.qd)
    this.#opening.accept(socket, token)
    return token
  }

  push(socket: StreamSocket, sga: ScatterGatherArray): QueueToken {
    const token = this.#runtime.issue(socket.qd)
    this.#transfer.push(socket, sga, token)
    return token
  }

  /** A stream has one peer, and no other can be named. */
  refusePushTo(socket: StreamSocket): QueueToken {
    const token = this.#runtime.issue(socket.qd)
    this.#runtime.fail(token, 'EISCONN', 'a stream has one peer: use push')
    return token
  }

  /** @throws EINVAL for a limit that is none */
  pop(socket: StreamSocket, limit = EVERYTHING): QueueToken {
    if (!(limit >= 1)) throw streamError(socket, 'EINVAL', `a limit of ${limit} bytes is less than one`)
    const token = this.#runtime.issue(socket.qd)
    this.#transfer.pop(socket, Math.floor(limit), token)
    return token
  }

  halfClose(socket: StreamSocket): void {
    this.#closing.halfClose(socket)
  }

  close(socket: StreamSocket): void {
    this.#closing.close(socket)
  }

  /** As `close`, for a socket whose `asyncClose` may be under way: the libOS shuts down. */
  end(socket: StreamSocket): void {
    this.#closing.close(socket)
  }

  asyncClose(socket: StreamSocket): QueueToken {
    const token = this.#runtime.issue(socket.qd)
    this.#closing.asyncClose(socket, token)
    return token
  }

  cancel(socket: StreamSocket, token: QueueToken): void {
    const { waiting } = socket
    if (waiting === undefined) return
    if (waiting.connect === token) this.#opening.cancelConnect(socket)
    else if (waiting.close === token) this.#closing.cancelClose(socket)
    else if (!waiting.accepts.remove(token)) this.#transfer.cancel(socket, token)
  }

  /** @throws EINVAL, ENOPROTOOPT */
  setOption<K extends SocketOption>(socket: StreamSocket, option: K, value: SocketOptions[K]): void {
    const checked = checkedOption(option, value, 'stream', socket.family)
    if (option === 'ipv6Only' && socket.localPort !== 0) {
      throw streamError(socket, 'EINVAL', 'is bound: its families are settled', 'Set ipv6Only before `bind`')
    }
    // The object may be shared with a listener, or be the default.
    socket.options = { ...socket.options, [option]: checked }
    socket.settings = settingsAfter(option, socket.options, socket.settings, this.#tcp.context.settings)
    const { endpoint, options } = socket
    if (endpoint === undefined) return
    endpoint.hopLimit = options.ttl
    endpoint.connection.configure(socket.settings)
    if (option === 'receiveBuffer') endpoint.connection.setBuffers(options.receiveBuffer, 0)
    if (option === 'sendBuffer') endpoint.connection.setBuffers(0, options.sendBuffer)
    this.#tcp.context.touch(endpoint)
  }

  getOption<K extends SocketOption>(socket: StreamSocket, option: K): SocketOptions[K] {
    return socket.options[knownOption(option, 'stream', socket.family)]
  }

  /** @throws ENOTCONN for a socket that is neither connected nor listening */
  serve(socket: StreamSocket, handler: StreamHandler | undefined): void {
    const { context } = this.#tcp
    if (socket.listener === undefined && !socket.isConnected) {
      throw streamError(socket, 'ENOTCONN', 'neither listens nor is connected', 'Call `listen` or `connect` before')
    }
    if (handler === undefined) {
      socket.service = undefined
      this.#transfer.drainPops(socket)
      return
    }
    const service = new StreamService(handler)
    if (socket.listener === undefined) {
      this.#serving.begin(socket, service, false)
      return
    }
    socket.service = service
    const { waiting } = socket.listener
    for (let endpoint = waiting.first; endpoint !== undefined; endpoint = waiting.first) {
      waiting.shift()
      this.#serveNext(endpoint)
      context.touch(endpoint)
    }
  }

  /** @throws EINVAL for bytes that lie in no frame of this pool that is held */
  send(socket: StreamSocket, frame: number, address: number, length: number): boolean {
    if (!isSliceOf(this.#tcp.context.pool, frame, address, length)) throw notASlice(socket, frame)
    return this.#serving.send(socket, frame, address, length)
  }

  resume(socket: StreamSocket): void {
    this.#serving.resume(socket)
  }

  list(): SocketInfo[] {
    return listStreams(this.table, this.#tcp)
  }

  changed(endpoint: TcpEndpoint): void {
    const { connection, listener, socket } = endpoint
    const { events } = connection
    connection.events = 0
    // The neighbour, or the route, may be another one by now (RFC 1122 section 4.2.3.5).
    if ((events & EVENT_PATH_SUSPECT) !== 0) endpoint.path.generation = 0
    if (listener !== undefined) this.#waitingChanged(endpoint, events)
    else if (socket !== undefined) this.#socketChanged(socket, connection, events)
  }

  deliver(now: number): boolean {
    for (const socket of this.#transfer.takeStarved()) {
      if (socket.service === undefined) this.#closing.finishWriting(socket)
      else this.#serving.writable(socket)
      if (socket.service === undefined) this.#transfer.flushPushes(socket)
    }
    return this.#serving.deliver(now)
  }

  /** Listeners that nobody can reach any more: what waits at them fails. Connections hear of it by themselves. */
  queuesLost(): void {
    for (const socket of this.table.sockets) this.#opening.refuseAccepts(socket)
  }

  /** The beginning of a round. */
  beginRound(): void {
    this.#serving.takeResumed()
  }

  get hasWork(): boolean {
    return this.#serving.hasResumed
  }

  /** A connection that waits for an accept. */
  #waitingChanged(endpoint: TcpEndpoint, events: number): void {
    const listener = endpoint.listener as NonNullable<TcpEndpoint['listener']>
    if ((events & EVENT_CLOSED) !== 0) {
      // Its peer has changed its mind.
      listener.waiting.remove(endpoint)
      listener.backlog.waiting--
      listener.backlog.reset++
      endpoint.listener = undefined
      return
    }
    if ((events & EVENT_CONNECTED) === 0) return
    if (listener.socket.service === undefined) {
      this.#opening.offer(listener)
      return
    }
    listener.waiting.remove(endpoint)
    this.#serveNext(endpoint)
  }

  /** A connection of a listener that is served: it has a socket at once. */
  #serveNext(endpoint: TcpEndpoint): void {
    const listener = endpoint.listener as NonNullable<TcpEndpoint['listener']>
    const socket = this.#opening.adopt(endpoint)
    if (socket !== undefined) {
      this.#serving.begin(socket, listener.socket.service as StreamService, true)
      return
    }
    endpoint.listener = undefined
    listener.backlog.waiting--
    endpoint.connection.abort()
    this.#tcp.context.touch(endpoint)
  }

  #socketChanged(socket: StreamSocket, connection: Connection, events: number): void {
    if ((events & EVENT_CONNECTED) !== 0) this.#opening.connected(socket)
    if ((events & EVENT_FAILED) !== 0) {
      if (!socket.isConnected) {
        this.#opening.refused(socket, connection.failure as ErrorCode)
        return
      }
      socket.failure = connection.failure
      this.#transfer.dropPushes(socket, connection.failure as ErrorCode)
    }
    if (socket.service !== undefined) {
      if ((events & EVENT_WRITABLE) !== 0) this.#serving.writable(socket)
      else this.#serving.note(socket)
    } else {
      if ((events & EVENT_WRITABLE) !== 0) {
        this.#transfer.flushPushes(socket)
        this.#closing.finishWriting(socket)
      }
      if (!socket.isClosing) this.#transfer.drainPops(socket)
    }
    if (socket.isClosing) this.#closing.advance(socket, events)
  }
}
