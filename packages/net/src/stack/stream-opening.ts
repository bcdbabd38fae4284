import type { ErrorCode } from '@parakernel/hal'
import {
  checkPort,
  type IpWords,
  isIpv4Mapped,
  type QueueDescriptor,
  type QueueRuntime,
  type QueueToken,
  type SocketAddress,
} from '@parakernel/queue'
import { ABSENT } from '../tcp/connection-table.ts'
import type { Output } from './output.ts'
import { HOP_BROADCAST, HOP_MULTICAST } from './path.ts'
import { STREAM_REASONS } from './stream-reasons.ts'
import type { StreamSocket } from './stream-socket.ts'
import { isAny, parseAddress, type StreamTable } from './stream-table.ts'
import type { TcpContext } from './tcp-context.ts'
import type { TcpEndpoint } from './tcp-endpoint.ts'
import type { Listener } from './tcp-listeners.ts'

const LOCALHOST4 = Int32Array.of(0, 0, 0xffff, 0x7f00_0001)
const LOCALHOST6 = Int32Array.of(0, 0, 0, 1)

/** How connections come to sockets: by `connect`, and by `accept`. */
export class StreamOpening {
  readonly #tcp: TcpContext
  readonly #output: Output
  readonly #table: StreamTable
  readonly #runtime: QueueRuntime
  readonly #open: () => QueueDescriptor
  /** Why nothing will come for an address any more, if that is so. */
  readonly #lossOf: (local: IpWords | undefined) => ErrorCode | undefined

  constructor(
    context: TcpContext,
    output: Output,
    table: StreamTable,
    runtime: QueueRuntime,
    open: () => QueueDescriptor,
    lossOf: (local: IpWords | undefined) => ErrorCode | undefined,
  ) {
    this.#tcp = context
    this.#output = output
    this.#table = table
    this.#runtime = runtime
    this.#open = open
    this.#lossOf = lossOf
  }

  connect(socket: StreamSocket, peer: SocketAddress, token: QueueToken): void {
    if (socket.listener !== undefined) this.#fail(token, 'EINVAL')
    else if (socket.isConnected) this.#fail(token, 'EISCONN')
    else if (socket.endpoint !== undefined) this.#fail(token, 'EALREADY')
    else {
      const remote = peerWords(peer, socket.family)
      const refused = remote === undefined ? 'EINVAL' : this.#begin(socket, remote, peer.port)
      if (refused === undefined) socket.tokens.connect = token
      else this.#fail(token, refused)
    }
  }

  /** The handshake of a socket that connects is complete. */
  connected(socket: StreamSocket): void {
    socket.isConnected = true
    const token = socket.waiting?.connect
    if (socket.waiting === undefined || token === undefined) return
    // Most sockets that are served wait for nothing else: what waits is made again if it has to be.
    if (socket.waiting.isEmpty) socket.waiting = undefined
    else socket.waiting.connect = undefined
    this.#runtime.completeConnect(token)
  }

  /** It never will be: the socket may be used again. */
  refused(socket: StreamSocket, code: ErrorCode): void {
    const token = socket.waiting?.connect
    this.#detach(socket)
    if (socket.waiting === undefined || token === undefined) return
    socket.waiting.connect = undefined
    this.#fail(token, code)
  }

  /** Gives up a connect that goes on. */
  cancelConnect(socket: StreamSocket): void {
    const { endpoint, waiting } = socket
    if (waiting !== undefined) waiting.connect = undefined
    this.#detach(socket)
    if (endpoint === undefined) return
    endpoint.connection.abort()
    this.#tcp.touch(endpoint)
  }

  accept(socket: StreamSocket, token: QueueToken): void {
    const { listener } = socket
    if (listener === undefined) {
      this.#fail(token, 'EINVAL')
      return
    }
    if (socket.service !== undefined) {
      this.#fail(token, 'EBUSY')
      return
    }
    socket.tokens.accepts.push(token)
    this.offer(listener)
    this.refuseAccepts(socket)
  }

  /** Accepts wait in vain where no connection can come any more. */
  refuseAccepts({ listener, localAddress, waiting }: StreamSocket): void {
    if (listener === undefined || waiting === undefined || waiting.accepts.size === 0) return
    const code = this.#lossOf(localAddress)
    if (code === undefined) return
    for (let token = waiting.accepts.shift(); token !== undefined; token = waiting.accepts.shift()) {
      this.#fail(token, code)
    }
  }

  /** Matches connections that wait with accepts that wait, in order. */
  offer(listener: Listener): void {
    const { socket, waiting } = listener
    const accepts = socket.waiting?.accepts
    if (accepts === undefined) return
    while (waiting.size > 0 && accepts.size > 0) {
      const token = accepts.shift() as QueueToken
      const accepted = this.adopt(waiting.first as TcpEndpoint)
      if (accepted === undefined) {
        this.#fail(token, 'EMFILE')
        return
      }
      waiting.shift()
      const peer = this.#table.peerOf(accepted) as SocketAddress
      this.#runtime.completeAccept(token, accepted.qd, peer)
    }
  }

  /** Gives a connection that waits at its listener a socket; undefined when there are too many. The caller takes it off the queue. */
  adopt(endpoint: TcpEndpoint): StreamSocket | undefined {
    const listener = endpoint.listener as Listener
    const { options, settings, family } = listener.socket
    let socket: StreamSocket
    try {
      socket = this.#table.adopt(this.#open, family, options, settings)
    } catch {
      return undefined
    }
    socket.endpoint = endpoint
    socket.isConnected = true
    endpoint.socket = socket
    endpoint.listener = undefined
    listener.backlog.waiting--
    listener.backlog.accepted++
    return socket
  }

  /** Sends the SYN, or says why not. */
  #begin(socket: StreamSocket, remote: IpWords, remotePort: number): ErrorCode | undefined {
    const { table, bound, ephemeral, isn, now } = this.#tcp
    const path = this.#output.pathTo(socket.localAddress, remote)
    if (path.failure !== undefined) return path.failure
    // A connection has one peer: a group or a broadcast address is refused (RFC 9293 section 3.9.2.3).
    if (path.hop === HOP_MULTICAST || path.hop === HOP_BROADCAST) return 'ENETUNREACH'
    const { localPort } = socket
    const port = localPort !== 0 ? localPort : ephemeral.choose(path.local, remote, remotePort, table, bound.taken)
    const ports = (remotePort << 16) | port
    if (port < 0 || table.find(path.local, remote, ports) !== ABSENT) return 'EADDRINUSE'
    const endpoint = this.#tcp.open(socket.settings, path, ports)
    if (endpoint === undefined) return 'ENOBUFS'
    endpoint.socket = socket
    endpoint.hopLimit = socket.options.ttl
    socket.endpoint = endpoint
    socket.failure = undefined
    const sequence = isn.next(path.local, remote, ports, now)
    endpoint.connection.openActive(sequence, isn.timestampOffset(path.local, remote), now)
    this.#tcp.touch(endpoint)
    return undefined
  }

  #detach(socket: StreamSocket): void {
    if (socket.endpoint !== undefined) socket.endpoint.socket = undefined
    socket.endpoint = undefined
  }

  #fail(token: QueueToken, code: ErrorCode): void {
    if (this.#runtime.isPending(token)) this.#runtime.fail(token, code, STREAM_REASONS[code] ?? 'not connected')
  }
}

/** The peer's address in words; the wildcard is this host. Undefined for what is none. */
function peerWords({ address, port }: SocketAddress, family: 4 | 6): IpWords | undefined {
  try {
    const words = parseAddress(address, family)
    checkPort(port)
    if (port === 0) return undefined
    if (!isAny(words)) return words
    return isIpv4Mapped(words) ? LOCALHOST4 : LOCALHOST6
  } catch {
    return undefined
  }
}
