import { type ErrorCode, type FramePool, ParakernelError } from '@parakernel/hal'
import type { Loop } from '@parakernel/kernel'
import {
  allocateSga,
  type DatagramBurst,
  type DatagramHandler,
  type LibOSContext,
  type NetworkLibOS,
  type QueueDescriptor,
  type QueueRuntime,
  type QueueToken,
  type ScatterGatherArray,
  type SocketAddress,
  type SocketInfo,
  type SocketOptions,
  type StreamHandler,
} from '@parakernel/queue'
import { checkOwnOption, type Family, hostAddresses } from './addresses.ts'
import type { SocketContext } from './context.ts'
import { DatagramSocket } from './datagram/datagram-socket.ts'
import { DEFAULT_RECEIVE_QUEUE, type HostOptions } from './options.ts'
import { HostCounters } from './statistics.ts'
import type { Connection } from './stream/connection.ts'
import { infoOf, type StreamHome } from './stream/stream-home.ts'
import { StreamSocket } from './stream/stream-socket.ts'

/**
 * The network libOS over the host's own sockets. Bytes are copied into frames of the pool and out of them. Everything
 * moves in Node's loop; a synchronous wait, which would hold that loop up, is refused with ENOTSUP.
 */
export class HostLibOS implements NetworkLibOS, StreamHome {
  readonly name = 'host'
  readonly runtime: QueueRuntime
  readonly loop: Loop
  readonly pool: FramePool
  readonly addresses: readonly string[]
  readonly #counters = new HostCounters()
  readonly #context: SocketContext
  readonly #sockets = new Map<QueueDescriptor, DatagramSocket | StreamSocket>()
  /** Connections that live on without a descriptor. */
  readonly #lingering = new Set<Connection>()
  readonly #leaveLoop: () => void
  #closed = false

  constructor(options: HostOptions, context: LibOSContext) {
    const { runtime, loop, pool } = context
    const address = checkOwnOption(options.address, 'ipv4')
    const ipv6Address = checkOwnOption(options.ipv6Address, 'ipv6')
    const own = [address, ipv6Address].filter((text) => text !== undefined)
    this.runtime = runtime
    this.loop = loop
    this.#leaveLoop = loop.dependOnNode()
    this.pool = pool
    this.addresses = own.length === 0 ? hostAddresses() : own
    this.#context = {
      runtime,
      libos: this,
      pool,
      counters: this.#counters,
      address,
      ipv6Address,
      receiveQueue: options.receiveQueue ?? DEFAULT_RECEIVE_QUEUE,
    }
  }

  socket(type: 'datagram' | 'stream', family: Family = 'ipv4'): QueueDescriptor {
    const subject = `host ${type} socket`
    if (this.#closed) throw new ParakernelError('EBADF', 'was shut down', { subject: 'libOS host' })
    if (type !== 'datagram' && type !== 'stream') {
      throw new ParakernelError('EPROTONOSUPPORT', 'is neither a datagram nor a stream socket', { subject })
    }
    if (family !== 'ipv4' && family !== 'ipv6') {
      throw new ParakernelError('EAFNOSUPPORT', `${family} is no family`, { subject, remedy: 'Use ipv4 or ipv6' })
    }
    const { address, ipv6Address } = this.#context
    if (family === 'ipv6' && address !== undefined && ipv6Address === undefined) {
      throw new ParakernelError('EAFNOSUPPORT', 'this libOS was given an IPv4 address only', {
        subject,
        remedy: 'Set the option ipv6Address too, or leave both out',
      })
    }
    const socket =
      type === 'datagram' ? new DatagramSocket(this.#context, family) : new StreamSocket(this.#context, this, family)
    this.#sockets.set(socket.qd, socket)
    return socket.qd
  }

  bind(qd: QueueDescriptor, address: SocketAddress): void {
    this.#of(qd).bind(address)
  }

  listen(qd: QueueDescriptor, backlog?: number): void {
    this.#stream(qd).listen(backlog)
  }

  accept(qd: QueueDescriptor): QueueToken {
    const socket = this.#of(qd)
    if (socket instanceof StreamSocket) return socket.accept()
    const token = this.runtime.issue(qd)
    this.runtime.fail(token, 'ENOTSUP', 'datagram sockets have no connections to accept')
    return token
  }

  connect(qd: QueueDescriptor, peer: SocketAddress): QueueToken {
    return this.#of(qd).connect(peer)
  }

  close(qd: QueueDescriptor): void {
    this.#of(qd).close()
    this.#sockets.delete(qd)
    this.runtime.close(qd)
  }

  asyncClose(qd: QueueDescriptor): QueueToken {
    const socket = this.#of(qd)
    const token = this.runtime.issue(qd)
    this.#sockets.delete(qd)
    const done = (failure?: ErrorCode) => {
      if (!this.runtime.isPending(token)) return
      if (failure === undefined) this.runtime.completeClose(token)
      else this.runtime.fail(token, failure, 'the connection did not end in order')
      this.runtime.close(qd)
    }
    if (socket instanceof StreamSocket) socket.closeInOrder(done)
    else {
      socket.drain(() => {
        socket.close()
        done()
      })
    }
    return token
  }

  halfClose(qd: QueueDescriptor): void {
    this.#stream(qd).halfClose()
  }

  getsockname(qd: QueueDescriptor): SocketAddress {
    return this.#of(qd).name
  }

  getpeername(qd: QueueDescriptor): SocketAddress {
    return this.#of(qd).peer
  }

  setsockopt<K extends keyof SocketOptions>(qd: QueueDescriptor, option: K, value: SocketOptions[K]): void {
    this.#of(qd).setOption(option, value)
  }

  getsockopt<K extends keyof SocketOptions>(qd: QueueDescriptor, option: K): SocketOptions[K] {
    return this.#of(qd).getOption(option)
  }

  joinGroup(qd: QueueDescriptor, group: string): void {
    this.#datagram(qd).joinGroup(group)
  }

  leaveGroup(qd: QueueDescriptor, group: string): void {
    this.#datagram(qd).leaveGroup(group)
  }

  push(qd: QueueDescriptor, sga: ScatterGatherArray): QueueToken {
    const socket = this.#of(qd)
    return socket instanceof StreamSocket ? socket.push(sga) : socket.push(sga, undefined)
  }

  pushTo(qd: QueueDescriptor, sga: ScatterGatherArray, peer: SocketAddress): QueueToken {
    const socket = this.#of(qd)
    if (socket instanceof DatagramSocket) return socket.push(sga, peer)
    const token = this.runtime.issue(qd)
    this.runtime.fail(token, 'EISCONN', 'a stream has one peer: use push')
    return token
  }

  pop(qd: QueueDescriptor, limit = Number.POSITIVE_INFINITY): QueueToken {
    const socket = this.#of(qd)
    return socket instanceof StreamSocket ? socket.pop(limit) : socket.pop()
  }

  sgaAlloc(length: number): ScatterGatherArray {
    return allocateSga(this.pool, length)
  }

  serveDatagrams(qd: QueueDescriptor, handler: DatagramHandler | undefined): void {
    this.#datagram(qd).serve(handler)
  }

  sendDatagrams(qd: QueueDescriptor, burst: DatagramBurst): number {
    return this.#datagram(qd).sendBurst(burst)
  }

  serveStreams(qd: QueueDescriptor, handler: StreamHandler | undefined): void {
    this.#stream(qd).serve(handler)
  }

  sendStream(qd: QueueDescriptor, frame: number, address: number, length: number): boolean {
    const socket = this.#sockets.get(qd)
    return socket instanceof StreamSocket && socket.send(frame, address, length)
  }

  resumeStream(qd: QueueDescriptor): void {
    this.#stream(qd).resume()
  }

  sockets(): readonly SocketInfo[] {
    const open = [...this.#sockets.values()].map(({ info }) => info)
    const lingering = [...this.#lingering].map((connection): SocketInfo => {
      const family = connection.local.address.includes(':') ? 'ipv6' : 'ipv4'
      return { qd: undefined, type: 'stream', family, details: {}, ...infoOf(connection) }
    })
    return [...open, ...lingering]
  }

  statistics(): Readonly<Record<string, Readonly<Record<string, number>>>> {
    return this.#counters.byGroup()
  }

  async shutdown(): Promise<void> {
    this.#closed = true
    for (const qd of [...this.#sockets.keys()]) this.close(qd)
    this.#leaveLoop()
  }

  /** A connection came in. */
  add(socket: StreamSocket): void {
    this.#sockets.set(socket.qd, socket)
  }

  /** A served connection has ended. */
  forget(qd: QueueDescriptor): void {
    this.#sockets.delete(qd)
    this.runtime.close(qd)
  }

  linger(connection: Connection): void {
    if (connection.closed) return
    this.#lingering.add(connection)
    connection.whenGone(() => this.#lingering.delete(connection))
  }

  #of(qd: QueueDescriptor): DatagramSocket | StreamSocket {
    const socket = this.#sockets.get(qd)
    if (socket === undefined) throw new ParakernelError('EBADF', 'is not open', { subject: `host socket ${qd}` })
    return socket
  }

  #stream(qd: QueueDescriptor): StreamSocket {
    const socket = this.#of(qd)
    if (socket instanceof StreamSocket) return socket
    throw new ParakernelError('ENOTSUP', 'is a datagram socket', { subject: `host socket ${qd}` })
  }

  #datagram(qd: QueueDescriptor): DatagramSocket {
    const socket = this.#of(qd)
    if (socket instanceof DatagramSocket) return socket
    throw new ParakernelError('ENOTSUP', 'is a stream socket', { subject: `host socket ${qd}` })
  }
}
