import type { ErrorCode } from '@parakernel/hal'
import {
  checkPort,
  type DatagramBurst,
  type DatagramHandler,
  type IpWords,
  type QueueDescriptor,
  type QueueRuntime,
  type QueueToken,
  type ScatterGatherArray,
  type SocketAddress,
  type SocketInfo,
  type SocketOption,
  type SocketOptions,
} from '@parakernel/queue'
import type { NetConfig } from '../config.ts'
import type { UdpSocket } from '../udp/socket.ts'
import * as udp from '../udp/wire.ts'
import { DatagramSender } from './datagram-sender.ts'
import type { ProtocolStack, StackEvents } from './protocol-stack.ts'
import { checkedOption, knownOption } from './socket-options.ts'
import { formatAddress, parseAddress, SocketTable, socketError } from './socket-table.ts'

/** The operations of datagram sockets. */
export class DatagramOperations implements StackEvents {
  readonly table: SocketTable
  readonly #stack: ProtocolStack
  readonly #runtime: QueueRuntime
  readonly #sender: DatagramSender
  /** Pushes whose datagram waits for its neighbour, with their length. */
  readonly #waiting = new Map<QueueToken, number>()

  constructor(config: NetConfig, stack: ProtocolStack, runtime: QueueRuntime) {
    this.#stack = stack
    this.#runtime = runtime
    this.table = new SocketTable(config, stack)
    this.#sender = new DatagramSender(stack, this.table)
  }

  create(open: () => QueueDescriptor, family: 4 | 6): QueueDescriptor {
    return this.table.create(open, family)
  }

  bind(socket: UdpSocket, { address, port }: SocketAddress): void {
    this.table.bind(socket, address, port)
  }

  connect(socket: UdpSocket, { address, port }: SocketAddress): QueueToken {
    const token = this.#runtime.issue(socket.qd)
    const peer = endPoint(address, port, socket.family)
    if (peer === undefined) {
      this.#fail(token, 'EINVAL')
      return token
    }
    if (port === 0) {
      socket.disconnect()
      this.#runtime.completeConnect(token)
      return token
    }
    const refused = this.table.refusesPeer(socket, peer)
    if (refused !== undefined) {
      this.#fail(token, refused)
    } else if (!this.table.ensureBound(socket)) {
      this.#fail(token, 'EADDRINUSE')
    } else {
      socket.connectTo(peer, port)
      this.#runtime.completeConnect(token)
    }
    return token
  }

  close(socket: UdpSocket, now: number): void {
    this.table.remove(socket, now)
    this.#runtime.close(socket.qd)
  }

  /** A datagram that was pushed is on its way: there is nothing to wait for. The token must outlive its queue. */
  asyncClose(socket: UdpSocket, now: number): QueueToken {
    this.#stack.flush()
    const token = this.#runtime.issue(socket.qd)
    this.#runtime.completeClose(token)
    this.close(socket, now)
    return token
  }

  nameOf({ local, localPort, family }: UdpSocket): SocketAddress {
    return { address: formatAddress(local, family), port: localPort }
  }

  /** @throws ENOTCONN */
  peerOf({ qd, peer, peerPort, family }: UdpSocket): SocketAddress {
    if (peer === undefined) throw socketError(qd, 'ENOTCONN', 'is not connected')
    return { address: formatAddress(peer, family), port: peerPort }
  }

  /** @throws EINVAL, ENOPROTOOPT */
  /** @throws ENOPROTOOPT, EINVAL */
  setOption<K extends SocketOption>(socket: UdpSocket, option: K, value: SocketOptions[K]): void {
    const { options, family, localPort, qd } = socket
    const checked = checkedOption(option, value, 'datagram', family)
    if (option === 'ipv6Only' && localPort !== 0) throw socketError(qd, 'EINVAL', 'is bound: ipv6Only is set before')
    Object.assign(options, { [option]: checked })
  }

  /** @throws ENOPROTOOPT */
  getOption<K extends SocketOption>({ options, family }: UdpSocket, option: K): SocketOptions[K] {
    // A known option of a datagram socket is one of these.
    return (options as Partial<SocketOptions>)[knownOption(option, 'datagram', family)] as SocketOptions[K]
  }

  /** @throws EINVAL, EADDRINUSE */
  joinGroup(socket: UdpSocket, group: string, now: number): void {
    this.table.join(socket, group, now)
  }

  /** @throws EINVAL, EADDRNOTAVAIL */
  leaveGroup(socket: UdpSocket, group: string, now: number): void {
    this.table.leave(socket, group, now)
  }

  push(socket: UdpSocket, sga: ScatterGatherArray): QueueToken {
    const { peer, peerPort, qd } = socket
    const token = this.#runtime.issue(qd)
    if (peer === undefined) this.#runtime.fail(token, 'EDESTADDRREQ', 'the socket is not connected: use pushTo')
    else this.#send(socket, sga, peer, peerPort, token)
    return token
  }

  pushTo(socket: UdpSocket, sga: ScatterGatherArray, peer: SocketAddress): QueueToken {
    const token = this.#runtime.issue(socket.qd)
    const address = endPoint(peer.address, peer.port, socket.family)
    if (address === undefined || peer.port === 0) this.#fail(token, 'EINVAL')
    else if (!socket.accepts(address, peer.port)) this.#fail(token, 'EISCONN')
    else this.#send(socket, sga, address, peer.port, token)
    return token
  }

  pop(socket: UdpSocket): QueueToken {
    const token = this.#runtime.issue(socket.qd)
    const received = socket.received.shift()
    if (received !== undefined) this.#runtime.completePop(token, received.sga, received.source)
    else if (!this.#failPending(socket, token)) {
      const lost = this.#lossOf(socket)
      if (lost === undefined) socket.pops.push(token)
      else this.#fail(token, lost)
    }
    return token
  }

  /** What datagram sockets cannot do. */
  refuse(socket: UdpSocket): QueueToken {
    const token = this.#runtime.issue(socket.qd)
    this.#runtime.fail(token, 'ENOTSUP', 'a datagram socket takes no connections')
    return token
  }

  serve(socket: UdpSocket, handler: DatagramHandler | undefined): void {
    if (handler !== undefined) this.#stack.served.burstFor(socket)
    socket.handler = handler
  }

  sendBurst(socket: UdpSocket, burst: DatagramBurst): number {
    return this.#sender.sendBurst(socket, burst)
  }

  list(): SocketInfo[] {
    return Array.from(this.table.sockets, (socket) => ({
      qd: socket.qd,
      type: 'datagram',
      family: socket.family === 4 ? 'ipv4' : 'ipv6',
      local: this.nameOf(socket),
      peer: socket.isConnected ? this.peerOf(socket) : undefined,
      state: socket.isConnected ? 'connected' : socket.localPort === 0 ? 'unbound' : 'bound',
      receiveQueue: socket.received.size,
      sendQueue: 0,
      details: {},
    }))
  }

  pushed(token: number): void {
    const bytes = this.#waiting.get(token as QueueToken) ?? 0
    this.#waiting.delete(token as QueueToken)
    if (this.#runtime.isPending(token as QueueToken)) this.#runtime.completePush(token as QueueToken, bytes)
  }

  pushFailed(token: number, code: ErrorCode): void {
    this.#fail(token as QueueToken, code)
  }

  socketFailed(socket: UdpSocket, code: ErrorCode): void {
    const token = socket.pops.shift()
    if (token === undefined) socket.pendingError = code
    else this.#fail(token, code)
  }

  queuesLost(): void {
    for (const socket of this.table.sockets) {
      const code = this.#lossOf(socket)
      if (code === undefined) continue
      for (let pop = socket.pops.shift(); pop !== undefined; pop = socket.pops.shift()) this.#fail(pop, code)
    }
  }

  /** Why nothing will come for a socket any more. */
  #lossOf({ local, peer }: UdpSocket): ErrorCode | undefined {
    const { lost } = this.#stack
    if (lost === undefined || local !== undefined || peer === undefined) return this.#stack.lossOf(local)
    const path = this.#stack.output.pathTo(undefined, peer)
    return path.failure === undefined ? path.interface.lost : lost
  }

  #send(socket: UdpSocket, sga: ScatterGatherArray, to: IpWords, port: number, token: QueueToken): void {
    if (this.#failPending(socket, token)) return
    const wrong = sga.refusalBy(this.#stack.tcp.context.pool)
    if (wrong !== undefined) {
      this.#runtime.fail(token, 'EINVAL', wrong)
      return
    }
    const refused = this.table.refusesPeer(socket, to)
    if (refused !== undefined) {
      this.#fail(token, refused)
      return
    }
    if (!this.table.ensureBound(socket)) {
      this.#fail(token, 'EADDRINUSE')
      return
    }
    const length = sga.byteLength
    const result = this.#sender.sendArray(socket, sga, length, to, port, token)
    if (result === 'sent') this.#runtime.completePush(token, length)
    else if (result === 'waiting') this.#waiting.set(token, length)
    else this.#fail(token, result)
  }

  #fail(token: QueueToken, code: ErrorCode): void {
    this.#waiting.delete(token)
    if (this.#runtime.isPending(token)) this.#runtime.fail(token, code, REASONS[code] ?? 'the datagram was not sent')
  }

  /** Reports an error that came in the meantime, once. */
  #failPending(socket: UdpSocket, token: QueueToken): boolean {
    const code = socket.pendingError
    if (code === undefined) return false
    socket.pendingError = undefined
    this.#fail(token, code)
    return true
  }
}

/** The words of an address whose port is one too; undefined for what is none, or of the other family. */
function endPoint(address: string, port: number, family: 4 | 6): IpWords | undefined {
  try {
    checkPort(port)
    return parseAddress(address, family)
  } catch {
    return undefined
  }
}

const REASONS: Partial<Record<ErrorCode, string>> = {
  EACCES: 'broadcast needs the socket option broadcast',
  EADDRINUSE: 'all ephemeral ports are taken',
  ECANCELED: 'the lease of the device queue has ended',
  ENODEV: 'the device is gone',
  EADDRNOTAVAIL: 'our address is not usable: another host may have it',
  ECONNREFUSED: 'the peer reported that nobody listens there',
  EHOSTUNREACH: 'the host does not answer',
  EINVAL: 'the destination is no address and port of a host',
  EISCONN: 'the socket is connected to another peer',
  EMSGSIZE: `a datagram holds at most ${udp.MAX_PAYLOAD} bytes`,
  ENETUNREACH: 'no route leads there',
  ENOBUFS: 'no frame was free, or too much waits to be sent',
}
