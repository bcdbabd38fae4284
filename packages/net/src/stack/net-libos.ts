import { type ErrorCode, type FramePool, type NetQueue, ParakernelError, type WakeSource } from '@parakernel/hal'
import type { Loop, Pollable, TimerId } from '@parakernel/kernel'
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
  REPLY_HEADROOM,
  type ScatterGatherArray,
  type SocketAddress,
  type SocketOptions,
} from '@parakernel/queue'
import type { NetConfig } from '../config.ts'
import type { EchoResult } from '../icmp/echo-requests.ts'
import { type Ipv4Address, isMulticast } from '../ipv4/address.ts'
import { type PacketMemory, packetMemory } from '../packet-memory.ts'
import { DROP_OUT_INVALID } from '../statistics/counters.ts'
import { UdpSocket } from '../udp/socket.ts'
import * as udp from '../udp/wire.ts'
import type { SendResult } from './output.ts'
import { ProtocolStack } from './protocol-stack.ts'
import { checkedOption, knownOption } from './socket-options.ts'

export interface PingOptions {
  /** Bytes of pattern in the request; 56. */
  readonly bytes?: number
  /** Nanoseconds to wait; 1 s. */
  readonly timeout?: number
  readonly ttl?: number
}

/** The network libOS over the device queues of one partition. */
export class NetLibOS implements NetworkLibOS, Pollable, QueueOwner {
  readonly name = 'net'
  readonly runtime: QueueRuntime
  readonly loop: Loop
  readonly pool: FramePool
  readonly addresses: readonly string[]
  readonly wake: WakeSource
  readonly #config: NetConfig
  readonly #stack: ProtocolStack
  readonly #byDescriptor = new Map<QueueDescriptor, UdpSocket>()
  readonly #freeSlots: number[] = []
  /** Pushes whose datagram waits for its neighbour, with their length. */
  readonly #waiting = new Map<QueueToken, number>()
  /** Where datagrams too long for a frame are gathered; made by the first. */
  #gather: PacketMemory | undefined
  #timer: TimerId = 0
  #timerAt = Number.POSITIVE_INFINITY
  readonly #onTimer = (now: number) => this.#runTimers(now)
  #flushDeferred = false
  readonly #flush = () => {
    this.#flushDeferred = false
    this.#stack.flush()
  }
  readonly #wakeUps: Pollable[] = []
  #polling = false
  #closed = false

  /** @throws EINVAL, ENOTSUP */
  constructor(config: NetConfig, context: LibOSContext) {
    this.#config = config
    this.runtime = context.runtime
    this.loop = context.loop
    this.pool = context.pool
    this.addresses = [formatIpv4(config.network.address)]
    this.#stack = new ProtocolStack(config, context, {
      pushed: (token) => this.#pushed(token as QueueToken),
      pushFailed: (token, code) => this.#fail(token as QueueToken, code),
      socketFailed: (socket, code) => this.#socketFailed(socket, code),
    })
    this.wake = context.queues[0].wake
    this.loop.add(this)
    for (const queue of context.queues.slice(1)) this.#wakeUps.push(wakeUpOf(queue))
    for (const wakeUp of this.#wakeUps) this.loop.add(wakeUp)
    this.#schedule()
  }

  // The run loop's half.

  poll(now: number): number {
    this.#polling = true
    const work = this.#stack.poll(now)
    this.#polling = false
    if (this.#stack.interface.timersMoved) this.#schedule()
    return work
  }

  arm(): boolean {
    const work = this.#stack.interface.links[0].queue.arm()
    return work || this.#stack.hasWork
  }

  nextEvent(): number {
    let next = Number.POSITIVE_INFINITY
    for (const { queue } of this.#stack.interface.links) next = Math.min(next, queue.nextEvent?.() ?? next)
    return next
  }

  // The application's half.

  socket(type: 'datagram' | 'stream', family: 'ipv4' | 'ipv6' = 'ipv4'): QueueDescriptor {
    this.#mustBeOpen()
    if (type !== 'datagram') throw this.#error('EPROTONOSUPPORT', `has no ${type} sockets`)
    if (family !== 'ipv4') throw this.#error('EAFNOSUPPORT', `does not speak ${family}`)
    const slot = this.#freeSlots.pop() ?? this.#stack.sockets.length
    if (slot >= this.#config.sockets) {
      throw this.#error('EMFILE', `all ${this.#config.sockets} sockets are in use`, 'Close some, or raise `sockets`')
    }
    const qd = this.runtime.open(this)
    const socket = new UdpSocket(qd, slot, this.#config.receiveQueue)
    this.#stack.sockets[slot] = socket
    this.#byDescriptor.set(qd, socket)
    return qd
  }

  bind(qd: QueueDescriptor, { address, port }: SocketAddress): void {
    const socket = this.#get(qd)
    if (socket.localPort !== 0)
      throw this.#error('EINVAL', `is bound to port ${socket.localPort} already`, undefined, qd)
    const local = parseIpv4(address)
    if (local !== 0 && local !== this.#stack.interface.address) {
      throw this.#error(
        'EADDRNOTAVAIL',
        `${address} is not an address of ours`,
        `Bind to ${this.addresses[0]} or 0.0.0.0`,
      )
    }
    checkPort(port)
    if (port !== 0 && !this.#stack.ports.isFree(port)) {
      throw this.#error(
        'EADDRINUSE',
        `another socket is bound to port ${port}`,
        'Choose another port, or 0 for any',
        qd,
      )
    }
    this.#bindTo(socket, local, port)
  }

  connect(qd: QueueDescriptor, { address, port }: SocketAddress): QueueToken {
    const socket = this.#get(qd)
    const peer = parseIpv4(address)
    checkPort(port)
    const token = this.runtime.issue(qd)
    if (port === 0) {
      socket.peerAddress = 0
      socket.peerPort = 0
      this.runtime.completeConnect(token)
      return token
    }
    const refused = this.#refusesPeer(socket, peer)
    if (refused !== undefined) {
      this.#fail(token, refused)
    } else {
      if (socket.localPort === 0 && !this.#bindEphemeral(socket)) {
        this.#fail(token, 'EADDRINUSE')
        return token
      }
      socket.peerAddress = peer
      socket.peerPort = port
      this.runtime.completeConnect(token)
    }
    return token
  }

  close(qd: QueueDescriptor): void {
    const socket = this.#get(qd)
    this.#forget(socket)
    this.runtime.close(qd)
  }

  asyncClose(qd: QueueDescriptor): QueueToken {
    const socket = this.#get(qd)
    // A datagram that was pushed is on its way: there is nothing to wait for. The token must outlive its queue.
    this.#stack.flush()
    const token = this.runtime.issue(qd)
    this.runtime.completeClose(token)
    this.#forget(socket)
    this.runtime.close(qd)
    return token
  }

  getsockname(qd: QueueDescriptor): SocketAddress {
    const { localAddress, localPort } = this.#get(qd)
    return { address: formatIpv4(localAddress), port: localPort }
  }

  getpeername(qd: QueueDescriptor): SocketAddress {
    const { peerAddress, peerPort } = this.#get(qd)
    if (peerPort === 0) throw this.#error('ENOTCONN', 'is not connected', undefined, qd)
    return { address: formatIpv4(peerAddress), port: peerPort }
  }

  setsockopt<K extends keyof SocketOptions>(qd: QueueDescriptor, option: K, value: SocketOptions[K]): void {
    const { options } = this.#get(qd)
    options[option] = checkedOption(option, value)
  }

  getsockopt<K extends keyof SocketOptions>(qd: QueueDescriptor, option: K): SocketOptions[K] {
    return this.#get(qd).options[knownOption(option)]
  }

  joinGroup(qd: QueueDescriptor, group: string): void {
    const socket = this.#get(qd)
    const address = parseIpv4(group)
    if (!isMulticast(address))
      throw this.#error('EINVAL', `${group} is not a group`, 'Give an address in 224.0.0.0/4', qd)
    if (socket.groups.has(address)) throw this.#error('EADDRINUSE', `is a member of ${group} already`, undefined, qd)
    socket.groups.add(address)
    this.#stack.membership.join(address, this.loop.clock.now())
    this.#changed()
  }

  leaveGroup(qd: QueueDescriptor, group: string): void {
    const socket = this.#get(qd)
    const address = parseIpv4(group)
    if (!socket.groups.delete(address)) {
      throw this.#error('EADDRNOTAVAIL', `is no member of ${group}`, undefined, qd)
    }
    this.#stack.membership.leave(address, this.loop.clock.now())
    this.#changed()
  }

  push(qd: QueueDescriptor, sga: ScatterGatherArray): QueueToken {
    const socket = this.#get(qd)
    const token = this.runtime.issue(qd)
    if (socket.peerPort === 0) this.runtime.fail(token, 'EDESTADDRREQ', 'the socket is not connected: use pushTo')
    else this.#send(socket, sga, socket.peerAddress, socket.peerPort, token)
    return token
  }

  pushTo(qd: QueueDescriptor, sga: ScatterGatherArray, peer: SocketAddress): QueueToken {
    const socket = this.#get(qd)
    const address = parseIpv4(peer.address)
    checkPort(peer.port)
    const token = this.runtime.issue(qd)
    if (peer.port === 0) this.#fail(token, 'EINVAL')
    else if (!socket.accepts(address, peer.port)) this.#fail(token, 'EISCONN')
    else this.#send(socket, sga, address, peer.port, token)
    return token
  }

  pop(qd: QueueDescriptor): QueueToken {
    const socket = this.#get(qd)
    const token = this.runtime.issue(qd)
    const received = socket.received.shift()
    if (received !== undefined) this.runtime.completePop(token, received.sga, received.source)
    else if (!this.#failPending(socket, token)) socket.pops.push(token)
    return token
  }

  cancel(qd: QueueDescriptor, token: QueueToken): void {
    this.#byDescriptor.get(qd)?.pops.remove(token)
  }

  sgaAlloc(length: number): ScatterGatherArray {
    return allocateSga(this.pool, length)
  }

  serveDatagrams(qd: QueueDescriptor, handler: DatagramHandler | undefined): void {
    const socket = this.#get(qd)
    if (handler !== undefined) this.#stack.path.burstFor(socket)
    socket.handler = handler
  }

  sendDatagrams(qd: QueueDescriptor, burst: DatagramBurst): number {
    const socket = this.#get(qd)
    this.#readClock()
    const { udpOutput } = this.#stack
    if (socket.localPort === 0 && !this.#bindEphemeral(socket)) return 0
    let i = 0
    const { frame, address, length, peerAddress, peerPort } = burst
    for (; i < burst.count; i++) {
      if (this.#backlogged(peerAddress[i])) break
      if (!this.#sendable(socket, burst, i)) {
        this.#stack.interface.counters.drop(DROP_OUT_INVALID)
        this.pool.release(frame[i])
        continue
      }
      udpOutput.send(socket, frame[i], address[i], length[i], peerAddress[i], peerPort[i], 0)
    }
    if (!this.#polling) this.#stack.flush()
    if (this.#stack.interface.timersMoved) this.#schedule()
    return i
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
    const now = this.#readClock()
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
      this.#changed()
    })
  }

  statistics(): Readonly<Record<string, Readonly<Record<string, number>>>> {
    return this.#stack.interface.counters.byGroup()
  }

  async shutdown(): Promise<void> {
    if (this.#closed) return
    for (const qd of [...this.#byDescriptor.keys()]) this.close(qd)
    this.#closed = true
    this.loop.remove(this)
    for (const wakeUp of this.#wakeUps) this.loop.remove(wakeUp)
    this.loop.timers.cancel(this.#timer)
    this.#stack.clear()
  }

  #send(socket: UdpSocket, sga: ScatterGatherArray, to: Ipv4Address, port: number, token: QueueToken): void {
    if (this.#failPending(socket, token)) return
    const refused = this.#refusesPeer(socket, to)
    if (refused !== undefined) {
      this.#fail(token, refused)
      return
    }
    if (socket.localPort === 0 && !this.#bindEphemeral(socket)) {
      this.#fail(token, 'EADDRINUSE')
      return
    }
    const length = sga.byteLength
    const result = length > udp.MAX_PAYLOAD ? 'EMSGSIZE' : this.#sendCopy(socket, sga, length, to, port, token)
    if (result === 'sent') this.runtime.completePush(token, length)
    else if (result === 'waiting') this.#waiting.set(token, length)
    else this.#fail(token, result)
    this.#changed()
  }

  /** The convenience face copies: the array stays the caller's, and headers stand before contiguous bytes. */
  #sendCopy(
    socket: UdpSocket,
    sga: ScatterGatherArray,
    length: number,
    to: Ipv4Address,
    port: number,
    token: QueueToken,
  ): SendResult {
    this.#readClock()
    const { udpOutput } = this.#stack
    if (length > udpOutput.frameRoom) {
      this.#gather ??= packetMemory(new SharedArrayBuffer(65_536))
      copySegments(sga, this.#gather.bytes, udp.HEADER_LENGTH)
      return udpOutput.sendLong(socket, this.#gather, length, to, port, token)
    }
    const frame = this.pool.allocate()
    if (frame < 0) return 'ENOBUFS'
    const data = this.pool.address(frame) + udpOutput.payloadOffset
    copySegments(sga, this.pool.bytes, data)
    return udpOutput.send(socket, frame, data, length, to, port, token)
  }

  #bindTo(socket: UdpSocket, address: Ipv4Address, port: number): void {
    const { ports, siblings } = this.#stack
    const chosen = port === 0 ? ports.ephemeral() : port
    if (chosen < 0) throw this.#error('EADDRINUSE', 'all ephemeral ports are taken', 'Close some sockets', socket.qd)
    socket.localAddress = address
    socket.localPort = chosen
    ports.set(chosen, socket.slot)
    siblings?.portOpened(chosen)
  }

  #bindEphemeral(socket: UdpSocket): boolean {
    if (this.#stack.ports.ephemeral() < 0) return false
    this.#bindTo(socket, 0, 0)
    return true
  }

  #forget(socket: UdpSocket): void {
    const { ports, siblings, sockets, membership } = this.#stack
    for (const group of socket.groups) membership.leave(group, this.loop.clock.now())
    for (let next = socket.received.shift(); next !== undefined; next = socket.received.shift()) next.sga.free()
    socket.handler = undefined
    if (socket.localPort !== 0) {
      ports.clear(socket.localPort)
      siblings?.portClosed(socket.localPort)
    }
    sockets[socket.slot] = undefined
    this.#freeSlots.push(socket.slot)
    this.#byDescriptor.delete(socket.qd)
    this.#changed()
  }

  /** Why a socket may not send to an address, if it may not. */
  #refusesPeer(socket: UdpSocket, to: Ipv4Address): ErrorCode | undefined {
    if (to === 0) return 'EINVAL'
    if (this.#stack.output.isBroadcast(to) && !socket.options.broadcast) return 'EACCES'
    return undefined
  }

  /** Whether datagram `i` of a burst lies in its frame with room for the headers, and may go where it shall. */
  #sendable(socket: UdpSocket, burst: DatagramBurst, i: number): boolean {
    const { pool } = this
    const offset = burst.address[i] - pool.address(burst.frame[i])
    return (
      offset >= REPLY_HEADROOM &&
      burst.length[i] >= 0 &&
      offset + burst.length[i] <= pool.frameSize &&
      burst.peerPort[i] !== 0 &&
      this.#refusesPeer(socket, burst.peerAddress[i]) === undefined
    )
  }

  /** Whether a device has so much to send, or a neighbour so much to wait for, that another packet would be lost. */
  #backlogged(to: Ipv4Address): boolean {
    if (this.#stack.output.isWaitingFull(to)) return true
    const { tx } = this.#stack.interface.linkFor(to)
    if (tx.waiting < tx.burst.capacity) return false
    tx.flush()
    return tx.waiting >= tx.burst.capacity
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

  /** Something is to be sent, or to be timed: at the end of this round, or of the next. */
  #changed(): void {
    if (!this.#flushDeferred && !this.#closed) {
      this.#flushDeferred = true
      this.loop.defer(this.#flush)
    }
    this.#schedule()
  }

  /** Sets the stack's time for a call from outside of a round; within one, it is the round's. */
  #readClock(): number {
    const { time } = this.#stack.interface
    if (!this.#polling) time[0] = this.loop.clock.now()
    return time[0]
  }

  /** Keeps one timer of the loop at the earliest time that a protocol waits for. */
  #schedule(): void {
    this.#stack.interface.timersMoved = false
    const next = this.#stack.nextTimer()
    if (next === this.#timerAt || this.#closed) return
    this.loop.timers.cancel(this.#timer)
    this.#timerAt = next
    this.#timer = next === Number.POSITIVE_INFINITY ? (0 as TimerId) : this.loop.timers.at(next, this.#onTimer)
  }

  #runTimers(now: number): void {
    this.#timerAt = Number.POSITIVE_INFINITY
    this.#stack.pollTimers(now)
    this.#schedule()
  }

  #get(qd: QueueDescriptor): UdpSocket {
    const socket = this.#byDescriptor.get(qd)
    if (socket === undefined) throw this.#error('EBADF', 'is not an open socket of this libOS', undefined, qd)
    return socket
  }

  #mustBeOpen(): void {
    if (this.#closed) throw this.#error('EBADF', 'was shut down')
  }

  #error(code: ErrorCode, message: string, remedy?: string, qd?: QueueDescriptor): ParakernelError {
    const subject = qd === undefined ? `libOS net ${this.addresses[0]}` : `udp socket ${qd}`
    return new ParakernelError(code, message, { subject, ...(remedy === undefined ? {} : { remedy }) })
  }
}

/** A pollable has one wake source: the second and later queues get one of their own, which does nothing but wake. */
function wakeUpOf(queue: NetQueue): Pollable {
  return { wake: queue.wake, poll: () => 0, arm: () => queue.arm() }
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

function copySegments(sga: ScatterGatherArray, into: Uint8Array, at: number): void {
  const from = sga.pool.bytes
  let to = at
  for (const { address, length } of sga.segments) {
    into.set(from.subarray(address, address + length), to)
    to += length
  }
}
