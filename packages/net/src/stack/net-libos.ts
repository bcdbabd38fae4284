import { type ErrorCode, type FramePool, ParakernelError } from '@parakernel/hal'
import type { Loop } from '@parakernel/kernel'
import {
  allocateSga,
  type DatagramBurst,
  type DatagramHandler,
  type LibOSContext,
  type NetworkLibOS,
  type QueueDescriptor,
  type QueueOwner,
  type QueueRuntime,
  type QueueToken,
  type ScatterGatherArray,
  type SocketAddress,
  type SocketInfo,
  type SocketOptions,
  type StreamHandler,
} from '@parakernel/queue'
import type { NetConfig } from '../config.ts'
import type { EchoResult } from '../icmp/echo-requests.ts'
import type { UdpSocket } from '../udp/socket.ts'
import { addressTexts } from './address-texts.ts'
import { NetControl } from './control.ts'
import { DatagramOperations } from './datagram-operations.ts'
import type { ReceivedError } from './error-log.ts'
import { type PingOptions, sendEcho } from './ping.ts'
import { ProtocolStack } from './protocol-stack.ts'
import { StackDriver } from './stack-driver.ts'
import { stackStatistics } from './stack-statistics.ts'
import { StreamOperations } from './stream-operations.ts'
import type { StreamSocket } from './stream-socket.ts'

/** The network libOS over the device queues of one partition: each call goes to the operations of its kind of socket. */
export class NetLibOS implements NetworkLibOS, QueueOwner {
  readonly name = 'net'
  readonly runtime: QueueRuntime
  readonly loop: Loop
  readonly pool: FramePool
  /** Interfaces, addresses, routes and neighbours. */
  readonly control: NetControl
  readonly #stack: ProtocolStack
  readonly #driver: StackDriver
  readonly #datagrams: DatagramOperations
  readonly #streams: StreamOperations
  #closed = false

  /** @throws EINVAL, ENOTSUP */
  constructor(config: NetConfig, context: LibOSContext) {
    this.runtime = context.runtime
    this.loop = context.loop
    this.pool = context.pool
    this.#stack = new ProtocolStack(config, context, {
      pushed: (token) => this.#datagrams.pushed(token),
      pushFailed: (token, code) => this.#datagrams.pushFailed(token, code),
      socketFailed: (socket, code) => this.#datagrams.socketFailed(socket, code),
      queuesLost: () => {
        this.#datagrams.queuesLost()
        this.#streams.queuesLost()
      },
    })
    this.#datagrams = new DatagramOperations(config, this.#stack, context.runtime)
    const open = () => this.runtime.open(this, this)
    this.#streams = new StreamOperations(this.#stack, context.runtime, config.tcpLimits.streams, open)
    this.#driver = new StackDriver(this.#stack, context.loop)
    this.control = new NetControl(this.#stack, () => this.#driver.changed())
  }

  get addresses(): readonly string[] {
    return addressTexts(this.#stack.addresses)
  }

  /** One round of this stack alone, as its loop does it; returns the packets moved. */
  poll(now: number): number {
    return this.#driver.poll(now)
  }

  socket(type: 'datagram' | 'stream', family: 'ipv4' | 'ipv6' = 'ipv4'): QueueDescriptor {
    if (this.#closed) throw this.#error('EBADF', 'was shut down')
    if (family === 'ipv6' && !this.#stack.ipv6.isSpoken) {
      throw this.#error('EAFNOSUPPORT', 'speaks IPv6 on no interface')
    }
    if (type === 'stream') return this.#streams.create(family === 'ipv4' ? 4 : 6)
    if (type !== 'datagram') throw this.#error('EPROTONOSUPPORT', `has no ${type} sockets`)
    return this.#datagrams.create(() => this.runtime.open(this, this), family === 'ipv4' ? 4 : 6)
  }

  bind(qd: QueueDescriptor, address: SocketAddress): void {
    const stream = this.#streams.table.find(qd)
    if (stream === undefined) this.#datagrams.bind(this.#datagram(qd), address)
    else this.#streams.table.bind(stream, address)
  }

  listen(qd: QueueDescriptor, backlog?: number): void {
    this.#streams.table.listen(this.#stream(qd), backlog)
  }

  accept(qd: QueueDescriptor): QueueToken {
    const stream = this.#streams.table.find(qd)
    if (stream === undefined) return this.#datagrams.refuse(this.#datagram(qd))
    this.#driver.readClock()
    return this.#changed(this.#streams.accept(stream))
  }

  connect(qd: QueueDescriptor, peer: SocketAddress): QueueToken {
    const stream = this.#streams.table.find(qd)
    this.#driver.readClock()
    if (stream === undefined) return this.#datagrams.connect(this.#datagram(qd), peer)
    return this.#changed(this.#streams.connect(stream, peer))
  }

  close(qd: QueueDescriptor): void {
    const stream = this.#streams.table.find(qd)
    const now = this.#driver.readClock()
    if (stream !== undefined) this.#streams.close(stream)
    else this.#datagrams.close(this.#datagram(qd), now)
    this.#driver.changed()
  }

  asyncClose(qd: QueueDescriptor): QueueToken {
    const stream = this.#streams.table.find(qd)
    const now = this.#driver.readClock()
    const token =
      stream === undefined ? this.#datagrams.asyncClose(this.#datagram(qd), now) : this.#streams.asyncClose(stream)
    return this.#changed(token)
  }

  halfClose(qd: QueueDescriptor): void {
    const stream = this.#stream(qd)
    this.#driver.readClock()
    this.#streams.halfClose(stream)
    this.#driver.changed()
  }

  getsockname(qd: QueueDescriptor): SocketAddress {
    const stream = this.#streams.table.find(qd)
    return stream === undefined ? this.#datagrams.nameOf(this.#datagram(qd)) : this.#streams.table.localOf(stream)
  }

  getpeername(qd: QueueDescriptor): SocketAddress {
    const stream = this.#streams.table.find(qd)
    return stream === undefined ? this.#datagrams.peerOf(this.#datagram(qd)) : this.#streams.table.peerName(stream)
  }

  setsockopt<K extends keyof SocketOptions>(qd: QueueDescriptor, option: K, value: SocketOptions[K]): void {
    const stream = this.#streams.table.find(qd)
    if (stream === undefined) this.#datagrams.setOption(this.#datagram(qd), option, value)
    else {
      this.#driver.readClock()
      this.#streams.setOption(stream, option, value)
      this.#driver.changed()
    }
  }

  getsockopt<K extends keyof SocketOptions>(qd: QueueDescriptor, option: K): SocketOptions[K] {
    const stream = this.#streams.table.find(qd)
    if (stream === undefined) return this.#datagrams.getOption(this.#datagram(qd), option)
    return this.#streams.getOption(stream, option)
  }

  joinGroup(qd: QueueDescriptor, group: string): void {
    this.#datagrams.joinGroup(this.#datagram(qd), group, this.#driver.readClock())
    this.#driver.changed()
  }

  leaveGroup(qd: QueueDescriptor, group: string): void {
    this.#datagrams.leaveGroup(this.#datagram(qd), group, this.#driver.readClock())
    this.#driver.changed()
  }

  push(qd: QueueDescriptor, sga: ScatterGatherArray): QueueToken {
    const stream = this.#streams.table.find(qd)
    this.#driver.readClock()
    const token = stream === undefined ? this.#datagrams.push(this.#datagram(qd), sga) : this.#streams.push(stream, sga)
    return this.#changed(token)
  }

  pushTo(qd: QueueDescriptor, sga: ScatterGatherArray, peer: SocketAddress): QueueToken {
    const stream = this.#streams.table.find(qd)
    if (stream !== undefined) return this.#streams.refusePushTo(stream)
    this.#driver.readClock()
    return this.#changed(this.#datagrams.pushTo(this.#datagram(qd), sga, peer))
  }

  pop(qd: QueueDescriptor, limit?: number): QueueToken {
    const stream = this.#streams.table.find(qd)
    if (stream === undefined) return this.#datagrams.pop(this.#datagram(qd))
    this.#driver.readClock()
    return this.#changed(this.#streams.pop(stream, limit))
  }

  cancel(qd: QueueDescriptor, token: QueueToken): void {
    const stream = this.#streams.table.findAny(qd)
    if (stream === undefined) {
      this.#datagrams.table.find(qd)?.pops.remove(token)
      return
    }
    this.#driver.readClock()
    this.#streams.cancel(stream, token)
    this.#driver.changed()
  }

  sgaAlloc(length: number): ScatterGatherArray {
    return allocateSga(this.pool, length)
  }

  serveDatagrams(qd: QueueDescriptor, handler: DatagramHandler | undefined): void {
    this.#datagrams.serve(this.#datagram(qd), handler)
  }

  sendDatagrams(qd: QueueDescriptor, burst: DatagramBurst): number {
    const socket = this.#datagram(qd)
    this.#driver.readClock()
    const taken = this.#datagrams.sendBurst(socket, burst)
    this.#driver.burstSent()
    return taken
  }

  serveStreams(qd: QueueDescriptor, handler: StreamHandler | undefined): void {
    const stream = this.#stream(qd)
    this.#driver.readClock()
    this.#streams.serve(stream, handler)
    this.#driver.changed()
  }

  sendStream(qd: QueueDescriptor, frame: number, address: number, length: number): boolean {
    const stream = this.#streams.table.find(qd)
    if (stream === undefined || !this.#streams.send(stream, frame, address, length)) return false
    this.#driver.streamSent()
    return true
  }

  resumeStream(qd: QueueDescriptor): void {
    this.#streams.resume(this.#stream(qd))
    this.#driver.changed()
  }

  /**
   * Sends an ICMP echo request and waits for what becomes of it. @throws EINVAL for more bytes than a frame holds
   */
  ping(address: string, options: PingOptions = {}): Promise<EchoResult> {
    const { bytes = 0 } = options
    const { longestEcho } = this.#stack.icmpOutput
    if (!Number.isInteger(bytes) || bytes < 0 || bytes > longestEcho) {
      throw this.#error('EINVAL', `${bytes} bytes are not between 0 and ${longestEcho}`)
    }
    const now = this.#driver.readClock()
    return new Promise((resolve) => {
      sendEcho(this.#stack, address, options, now, (result) => {
        resolve(result)
        this.loop.requestYield()
      })
      this.#driver.changed()
    })
  }

  /**
   * The ICMP errors that came for a socket since the last call, those that are hints only among them, the oldest first. Connected
   * sockets are told by their calls too, as far as an error means anything. @throws EBADF
   */
  errors(qd: QueueDescriptor): readonly ReceivedError[] {
    return this.#stack.errors.take(this.#streams.table.find(qd) ?? this.#datagrams.table.get(qd))
  }

  sockets(): readonly SocketInfo[] {
    return [...this.#datagrams.list(), ...this.#streams.list()]
  }

  statistics(): Readonly<Record<string, Readonly<Record<string, number>>>> {
    return stackStatistics(this.#stack)
  }

  async shutdown(): Promise<void> {
    if (this.#closed) return
    for (const socket of [...this.#streams.table.sockets]) this.#streams.end(socket)
    for (const { qd } of [...this.#datagrams.table.sockets]) this.close(qd)
    this.#closed = true
    this.#stack.clear()
    this.#driver.stop()
  }

  /** @throws EBADF, ENOTSUP for a stream */
  #datagram(qd: QueueDescriptor): UdpSocket {
    if (this.#streams.table.find(qd) === undefined) return this.#datagrams.table.get(qd)
    throw this.#unsupported(qd, 'is a stream socket')
  }

  /** @throws EBADF, ENOTSUP for a datagram socket */
  #stream(qd: QueueDescriptor): StreamSocket {
    const stream = this.#streams.table.find(qd)
    if (stream !== undefined) return stream
    this.#datagrams.table.get(qd)
    throw this.#unsupported(qd, 'is a datagram socket')
  }

  #changed(token: QueueToken): QueueToken {
    this.#driver.changed()
    return token
  }

  #unsupported(qd: QueueDescriptor, message: string): ParakernelError {
    return new ParakernelError('ENOTSUP', message, { subject: `socket ${qd}` })
  }

  #error(code: ErrorCode, message: string): ParakernelError {
    return new ParakernelError(code, message, { subject: `libOS net ${this.addresses[0]}` })
  }
}
