import { type ErrorCode, ParakernelError } from '@parakernel/hal'
import {
  checkPort,
  formatIpv4,
  formatIpv6,
  type IpWords,
  isIpv4Mapped,
  mapIpv4,
  parseIpv4,
  parseScopedIpv6,
  type QueueDescriptor,
  type SocketAddress,
  type SocketOptions,
} from '@parakernel/queue'
import { randomBelow } from '../random.ts'
import type { AddressTable } from './address-table.ts'
import type { Siblings } from './siblings.ts'
import { streamDefaults } from './stream-options.ts'
import { StreamSocket } from './stream-socket.ts'
import type { TcpContext } from './tcp-context.ts'
import { boundOf } from './tcp-listeners.ts'

/** Connections that wait for an accept, unless the program says otherwise. */
const DEFAULT_BACKLOG = 511
const MAX_BACKLOG = 65_535

/** The stream sockets of a stack by descriptor, and their names: addresses and ports that they are bound to. */
export class StreamTable {
  readonly defaults: Readonly<SocketOptions>
  readonly #tcp: TcpContext
  readonly #addresses: AddressTable
  readonly #siblings: Siblings | undefined
  readonly #limit: number
  readonly #sockets = new Map<QueueDescriptor, StreamSocket>()

  constructor(
    context: TcpContext,
    addresses: AddressTable,
    siblings: Siblings | undefined,
    limit: number,
    ttl: number,
  ) {
    this.#tcp = context
    this.#addresses = addresses
    this.#siblings = siblings
    this.#limit = limit
    this.defaults = streamDefaults(context.settings, ttl)
  }

  get sockets(): Iterable<StreamSocket> {
    return this.#sockets.values()
  }

  /** @throws EMFILE, and what `open` throws */
  create(open: () => QueueDescriptor, family: 4 | 6): StreamSocket {
    return this.adopt(open, family, this.defaults, this.#tcp.settings)
  }

  /** A socket with given options: of a listener, for one of its connections. @throws as `create` */
  adopt(
    open: () => QueueDescriptor,
    family: 4 | 6,
    options: SocketOptions,
    settings: StreamSocket['settings'],
  ): StreamSocket {
    if (this.#sockets.size >= this.#limit) {
      throw new ParakernelError('EMFILE', `all ${this.#limit} stream sockets are in use`, {
        subject: 'libOS net',
        remedy: 'Close some, or raise `streams`',
      })
    }
    const socket = new StreamSocket(open(), family, options, settings)
    this.#sockets.set(socket.qd, socket)
    return socket
  }

  find(qd: QueueDescriptor): StreamSocket | undefined {
    const socket = this.#sockets.get(qd)
    return socket === undefined || socket.isClosing ? undefined : socket
  }

  /** The socket of a descriptor whose `asyncClose` may not be complete. */
  findAny(qd: QueueDescriptor): StreamSocket | undefined {
    return this.#sockets.get(qd)
  }

  /** Port 0 is an ephemeral one. @throws EINVAL, EADDRINUSE, EADDRNOTAVAIL */
  bind(socket: StreamSocket, { address, port }: SocketAddress): void {
    const words = parseAddress(address, socket.family)
    checkPort(port)
    if (socket.localPort !== 0) throw streamError(socket, 'EINVAL', `is bound to port ${socket.localPort} already`)
    if (socket.endpoint !== undefined) throw streamError(socket, 'EINVAL', 'is connected')
    const any = isAny(words)
    if (!any && !this.#addresses.has(words)) {
      const own = this.#addresses.entries.map((entry) => formatOf(entry.words, entry.family)).join(', ')
      throw streamError(socket, 'EADDRNOTAVAIL', `${address} is not an address of ours`, `Ours are ${own}`)
    }
    socket.localAddress = any ? undefined : words
    const chosen = port === 0 ? this.#freePort(socket) : port
    if (chosen === 0 || !this.#tcp.bound.isFree(chosen, boundOf(socket))) {
      socket.localAddress = undefined
      const message = port === 0 ? 'all ephemeral ports are taken' : `another socket is bound to port ${port}`
      throw streamError(socket, 'EADDRINUSE', message, 'Choose another port, or 0 for any')
    }
    socket.localPort = chosen
    socket.holdsPort = true
    this.#tcp.bound.add(socket)
    this.#siblings?.tcpPortOpened(chosen)
  }

  /** @throws EINVAL */
  listen(socket: StreamSocket, backlog = DEFAULT_BACKLOG): void {
    if (!Number.isInteger(backlog) || backlog < 0 || backlog > MAX_BACKLOG) {
      throw streamError(socket, 'EINVAL', `a backlog of ${backlog} is not an integer from 0 to ${MAX_BACKLOG}`)
    }
    if (socket.endpoint !== undefined) throw streamError(socket, 'EINVAL', 'is connected, and cannot listen')
    if (socket.localPort === 0) throw streamError(socket, 'EINVAL', 'is not bound', 'Call `bind` before `listen`')
    const limit = Math.max(1, backlog)
    if (socket.listener === undefined) socket.listener = this.#tcp.bound.listen(socket, limit)
    else socket.listener.backlog.limit = limit
  }

  /** Gives the port back. */
  unbind(socket: StreamSocket): void {
    if (!socket.holdsPort) return
    socket.holdsPort = false
    this.#tcp.bound.remove(socket)
    this.#siblings?.tcpPortClosed(socket.localPort)
  }

  forget(socket: StreamSocket): void {
    this.unbind(socket)
    this.#sockets.delete(socket.qd)
  }

  localOf(socket: StreamSocket): SocketAddress {
    const { endpoint, family, localAddress, localPort } = socket
    if (endpoint !== undefined) return { address: formatOf(endpoint.path.local, family), port: endpoint.localPort }
    const any = family === 4 ? '0.0.0.0' : '::'
    return { address: localAddress === undefined ? any : formatOf(localAddress, family), port: localPort }
  }

  peerOf(socket: StreamSocket): SocketAddress | undefined {
    const { endpoint, family } = socket
    if (endpoint === undefined) return undefined
    return { address: formatOf(endpoint.path.remote, family), port: endpoint.remotePort }
  }

  /** @throws ENOTCONN */
  peerName(socket: StreamSocket): SocketAddress {
    const peer = socket.isConnected ? this.peerOf(socket) : undefined
    if (peer === undefined) throw streamError(socket, 'ENOTCONN', 'is not connected')
    return peer
  }

  #freePort(socket: StreamSocket): number {
    const { limits, bound, stack } = this.#tcp
    const { first, last } = limits.ephemeral
    const { partition, partitions } = limits.share
    const count = Math.floor((last - first - partition) / partitions) + 1
    const start = count > 0 ? randomBelow(stack.random, count) : 0
    const wanted = boundOf(socket)
    for (let i = 0; i < count; i++) {
      const port = first + partition + ((start + i) % count) * partitions
      if (bound.isFree(port, wanted)) return port
    }
    return 0
  }
}

/** An address in the family of a socket; IPv4 comes out mapped. @throws EINVAL for text of the other family, or none */
export function parseAddress(address: string, family: 4 | 6): IpWords {
  return family === 4 ? mapIpv4(parseIpv4(address)) : parseScopedIpv6(address).words
}

/** As a socket of a family names it: one of IPv6 calls an IPv4 host `::ffff:10.0.0.1`. */
export function formatOf(words: IpWords, family: 4 | 6): string {
  return family === 4 ? formatIpv4(words[3]) : formatIpv6(words)
}

/** `0.0.0.0` or `::`. */
export function isAny(words: IpWords): boolean {
  return words[3] === 0 && (isIpv4Mapped(words) || (words[0] | words[1] | words[2]) === 0)
}

export function streamError(socket: StreamSocket, code: ErrorCode, message: string, remedy?: string): ParakernelError {
  return new ParakernelError(code, message, {
    subject: `tcp socket ${socket.qd}`,
    ...(remedy === undefined ? {} : { remedy }),
  })
}
