import { type ErrorCode, type FramePool, ParakernelError } from '@parakernel/hal'
import type { Loop } from '@parakernel/kernel'
import {
  allocateSga,
  checkPort,
  type DatagramBurst,
  type DatagramHandler,
  formatIpv4,
  type LibOSContext,
  type NetworkLibOS,
  parseIpv4,
  type QueueDescriptor,
  type QueueOwner,
  type QueueRuntime,
  type QueueToken,
  type ScatterGatherArray,
  type SocketAddress,
  type SocketOptions,
} from '@parakernel/queue'
import type { NetConfig } from '../config.ts'
import type { EchoResult } from '../icmp/echo-requests.ts'
import { type Ipv4Address, isMulticast } from '../ipv4/address.ts'
import type { UdpSocket } from '../udp/socket.ts'
import * as udp from '../udp/wire.ts'
import { DatagramSender } from './datagram-sender.ts'
import { ProtocolStack } from './protocol-stack.ts'
import { checkedOption, knownOption } from './socket-options.ts'
import { SocketTable, socketError } from './socket-table.ts'
import { StackDriver } from './stack-driver.ts'

export interface PingOptions {
  /** Bytes of pattern in the request; 56. */
  readonly bytes?: number
  /** Nanoseconds to wait; 1 s. */
  readonly timeout?: number
  readonly ttl?: number
}

/** The network libOS over the device queues of one partition. */
export class NetLibOS implements NetworkLibOS, QueueOwner {
  readonly name = 'net'
  readonly runtime: QueueRuntime
  readonly loop: Loop
  readonly pool: FramePool
  readonly addresses: readonly string[]
  readonly #stack: ProtocolStack
  readonly #driver: StackDriver
  readonly #sockets: SocketTable
  readonly #sender: DatagramSender
  /** Pushes whose datagram waits for its neighbour, with their length. */
  readonly #waiting = new Map<QueueToken, number>()
  #closed = false

  /** @throws EINVAL, ENOTSUP */
  constructor(config: NetConfig, context: LibOSContext) {
    this.runtime = context.runtime
    this.loop = context.loop
    this.pool = context.pool
    this.addresses = [formatIpv4(config.network.address)]
    this.#stack = new ProtocolStack(config, context, {
      pushed: (token) => this.#pushed(token as QueueToken),
      pushFailed: (token, code) => this.#fail(token as QueueToken, code),
      socketFailed: (socket, code) => this.#socketFailed(socket, code),
    })
    this.#sockets = new SocketTable(config, this.#stack)
    this.#sender = new DatagramSender(this.#stack, this.#sockets)
    this.#driver = new StackDriver(this.#stack, context.loop)
  }

  /** One round of this stack alone, as its loop does it; returns the packets moved. */
  poll(now: number): number {
    return this.#driver.poll(now)
  }

  socket(type: 'datagram' | 'stream', family: 'ipv4' | 'ipv6' = 'ipv4'): QueueDescriptor {
    if (this.#closed) throw this.#error('EBADF', 'was shut down')
    if (type !== 'datagram') throw this.#error('EPROTONOSUPPORT', `has no ${type} sockets`)
    if (family !== 'ipv4') throw this.#error('EAFNOSUPPORT', `does not speak ${family}`)
    return this.#sockets.create(() => this.runtime.open(this))
  }

  bind(qd: QueueDescriptor, { address, port }: SocketAddress): void {
    this.#sockets.bind(this.#sockets.get(qd), parseIpv4(address), port)
  }

  connect(qd: QueueDescriptor, { address, port }: SocketAddress): QueueToken {
    const socket = this.#sockets.get(qd)
    const peer = parseIpv4(address)
    checkPort(port)
    const token = this.runtime.issue(qd)
    if (port === 0) {
      socket.peerAddress = 0
      socket.peerPort = 0
      this.runtime.completeConnect(token)
      return token
    }
    const refused = this.#sockets.refusesPeer(socket, peer)
    if (refused !== undefined) {
      this.#fail(token, refused)
    } else if (!this.#sockets.ensureBound(socket)) {
      this.#fail(token, 'EADDRINUSE')
    } else {
      socket.peerAddress = peer
      socket.peerPort = port
      this.runtime.completeConnect(token)
    }
    return token
  }

  close(qd: QueueDescriptor): void {
    this.#remove(this.#sockets.get(qd))
    this.runtime.close(qd)
  }

  asyncClose(qd: QueueDescriptor): QueueToken {
    const socket = this.#sockets.get(qd)
    // A datagram that was pushed is on its way: there is nothing to wait for. The token must outlive its queue.
    this.#stack.flush()
    const token = this.runtime.issue(qd)
    this.runtime.completeClose(token)
    this.#remove(socket)
    this.runtime.close(qd)
    return token
  }

  getsockname(qd: QueueDescriptor): SocketAddress {
    const { localAddress, localPort } = this.#sockets.get(qd)
    return { address: formatIpv4(localAddress), port: localPort }
  }

  getpeername(qd: QueueDescriptor): SocketAddress {
    const { peerAddress, peerPort } = this.#sockets.get(qd)
    if (peerPort === 0) throw socketError(qd, 'ENOTCONN', 'is not connected')
    return { address: formatIpv4(peerAddress), port: peerPort }
  }

  setsockopt<K extends keyof SocketOptions>(qd: QueueDescriptor, option: K, value: SocketOptions[K]): void {
    const { options } = this.#sockets.get(qd)
    options[option] = checkedOption(option, value)
  }

  getsockopt<K extends keyof SocketOptions>(qd: QueueDescriptor, option: K): SocketOptions[K] {
    return this.#sockets.get(qd).options[knownOption(option)]
  }

  joinGroup(qd: QueueDescriptor, group: string): void {
    const socket = this.#sockets.get(qd)
    const address = parseIpv4(group)
    if (!isMulticast(address))
      throw socketError(qd, 'EINVAL', `${group} is not a group`, 'Give an address in 224.0.0.0/4')
    if (socket.groups.has(address)) throw socketError(qd, 'EADDRINUSE', `is a member of ${group} already`)
    socket.groups.add(address)
    this.#stack.membership.join(address, this.#driver.readClock())
    this.#driver.changed()
  }

  leaveGroup(qd: QueueDescriptor, group: string): void {
    const socket = this.#sockets.get(qd)
    const address = parseIpv4(group)
    if (!socket.groups.delete(address)) {
      throw socketError(qd, 'EADDRNOTAVAIL', `is no member of ${group}`)
    }
    this.#stack.membership.leave(address, this.#driver.readClock())
    this.#driver.changed()
  }

  push(qd: QueueDescriptor, sga: ScatterGatherArray): QueueToken {
    const socket = this.#sockets.get(qd)
    const token = this.runtime.issue(qd)
    if (socket.peerPort === 0) this.runtime.fail(token, 'EDESTADDRREQ', 'the socket is not connected: use pushTo')
    else this.#send(socket, sga, socket.peerAddress, socket.peerPort, token)
    return token
  }

  pushTo(qd: QueueDescriptor, sga: ScatterGatherArray, peer: SocketAddress): QueueToken {
    const socket = this.#sockets.get(qd)
    const address = parseIpv4(peer.address)
    checkPort(peer.port)
    const token = this.runtime.issue(qd)
    if (peer.port === 0) this.#fail(token, 'EINVAL')
    else if (!socket.accepts(address, peer.port)) this.#fail(token, 'EISCONN')
    else this.#send(socket, sga, address, peer.port, token)
    return token
  }

  pop(qd: QueueDescriptor): QueueToken {
    const socket = this.#sockets.get(qd)
    const token = this.runtime.issue(qd)
    const received = socket.received.shift()
    if (received !== undefined) this.runtime.completePop(token, received.sga, received.source)
    else if (!this.#failPending(socket, token)) socket.pops.push(token)
    return token
  }

  cancel(qd: QueueDescriptor, token: QueueToken): void {
    this.#sockets.find(qd)?.pops.remove(token)
  }

  sgaAlloc(length: number): ScatterGatherArray {
    return allocateSga(this.pool, length)
  }

  serveDatagrams(qd: QueueDescriptor, handler: DatagramHandler | undefined): void {
    const socket = this.#sockets.get(qd)
    if (handler !== undefined) this.#stack.path.burstFor(socket)
    socket.handler = handler
  }

  sendDatagrams(qd: QueueDescriptor, burst: DatagramBurst): number {
    const socket = this.#sockets.get(qd)
    this.#driver.readClock()
    const taken = this.#sender.sendBurst(socket, burst)
    this.#driver.burstSent()
    return taken
  }

  /**
   * Sends an ICMP echo request and waits for what becomes of it. @throws EINVAL for more bytes than a frame holds
   */
  ping(address: string, options: PingOptions = {}): Promise<EchoResult> {
    const { bytes = 56, timeout = 1e9, ttl = 64 } = options
    const { echo, icmpOutput } = this.#stack
    if (!Number.isInteger(bytes) || bytes < 0 || bytes > icmpOutput.longestEcho) {
      throw this.#error('EINVAL', `${bytes} bytes are not between 0 and ${icmpOutput.longestEcho}`)
    }
    const destination = parseIpv4(address)
    const now = this.#driver.readClock()
    return new Promise((resolve) => {
      const settle = (result: EchoResult) => {
        resolve(result)
        this.loop.requestYield()
      }
      const sequence = echo.begin(destination, now, timeout, settle)
      if (sequence < 0) {
        settle({ kind: 'failed', reason: 'ENOBUFS' })
        return
      }
      const sent = icmpOutput.echo(destination, echo.identifier, sequence, bytes, ttl)
      if (sent !== 'sent' && sent !== 'waiting') {
        echo.end(sequence, destination, () => ({ kind: 'failed', reason: sent }))
      }
      this.#driver.changed()
    })
  }

  statistics(): Readonly<Record<string, Readonly<Record<string, number>>>> {
    return this.#stack.interface.counters.byGroup()
  }

  async shutdown(): Promise<void> {
    if (this.#closed) return
    for (const qd of this.#sockets.descriptors) this.close(qd)
    this.#closed = true
    this.#driver.stop()
    this.#stack.clear()
  }

  #send(socket: UdpSocket, sga: ScatterGatherArray, to: Ipv4Address, port: number, token: QueueToken): void {
    if (this.#failPending(socket, token)) return
    const refused = this.#sockets.refusesPeer(socket, to)
    if (refused !== undefined) {
      this.#fail(token, refused)
      return
    }
    if (!this.#sockets.ensureBound(socket)) {
      this.#fail(token, 'EADDRINUSE')
      return
    }
    this.#driver.readClock()
    const length = sga.byteLength
    const result = this.#sender.sendArray(socket, sga, length, to, port, token)
    if (result === 'sent') this.runtime.completePush(token, length)
    else if (result === 'waiting') this.#waiting.set(token, length)
    else this.#fail(token, result)
    this.#driver.changed()
  }

  #remove(socket: UdpSocket): void {
    this.#sockets.remove(socket, this.#driver.readClock())
    this.#driver.changed()
  }

  #pushed(token: QueueToken): void {
    const bytes = this.#waiting.get(token) ?? 0
    this.#waiting.delete(token)
    if (this.runtime.isPending(token)) this.runtime.completePush(token, bytes)
  }

  #fail(token: QueueToken, code: ErrorCode): void {
    this.#waiting.delete(token)
    if (this.runtime.isPending(token)) this.runtime.fail(token, code, REASONS[code] ?? 'the datagram was not sent')
  }

  /** Reports an error that came in the meantime, once. */
  #failPending(socket: UdpSocket, token: QueueToken): boolean {
    const code = socket.pendingError
    if (code === undefined) return false
    socket.pendingError = undefined
    this.#fail(token, code)
    return true
  }

  #socketFailed(socket: UdpSocket, code: ErrorCode): void {
    const token = socket.pops.shift()
    if (token === undefined) socket.pendingError = code
    else this.#fail(token, code)
  }

  #error(code: ErrorCode, message: string): ParakernelError {
    return new ParakernelError(code, message, { subject: `libOS net ${this.addresses[0]}` })
  }
}

const REASONS: Partial<Record<ErrorCode, string>> = {
  EACCES: 'broadcast needs the socket option broadcast',
  EADDRINUSE: 'all ephemeral ports are taken',
  EADDRNOTAVAIL: 'our address is not usable: another host may have it',
  ECONNREFUSED: 'the peer reported that nobody listens there',
  EHOSTUNREACH: 'the host does not answer',
  EINVAL: 'the destination is no address and port of a host',
  EISCONN: 'the socket is connected to another peer',
  EMSGSIZE: `a datagram holds at most ${udp.MAX_PAYLOAD} bytes`,
  ENETUNREACH: 'no route leads there',
  ENOBUFS: 'no frame was free, or too much waits to be sent',
}
