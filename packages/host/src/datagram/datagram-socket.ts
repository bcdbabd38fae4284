import type { RemoteInfo, Socket } from 'node:dgram'
import { type ErrorCode, ParakernelError } from '@parakernel/hal'
import {
  allocateSga,
  type DatagramBurst,
  type DatagramHandler,
  formatIpv4,
  formatSocketAddress,
  isIpv4Multicast,
  isIpv6Multicast,
  parseIpv4,
  parseIpv6,
  type QueueDescriptor,
  type QueueOwner,
  type QueueToken,
  type ScatterGatherArray,
  type SocketAddress,
  type SocketInfo,
  type SocketOption,
  type SocketOptions,
} from '@parakernel/queue'
import { checkAddress, checkOwn, type Family, unbound } from '../addresses.ts'
import type { SocketContext } from '../context.ts'
import { asParakernelError, codeOf } from '../errors.ts'
import { IN_DATAGRAMS, IN_ERRORS, OUT_DATAGRAMS, OUT_REFUSED, POOL_LOW, QUEUE_FULL } from '../statistics.ts'
import { bindEphemeral, bindNow, connectNow, createNodeSocket } from './node-socket.ts'
import { ServedDatagrams } from './served-datagrams.ts'
import { applyOption, checkOption, type DatagramOptions, defaultOptions } from './socket-options.ts'

interface Waiting {
  readonly sga: ScatterGatherArray
  readonly source: SocketAddress
}

/** One datagram queue over one socket of Node's. */
export class DatagramSocket implements QueueOwner {
  readonly needsNodeLoop = true
  readonly qd: QueueDescriptor
  readonly family: Family
  readonly #context: SocketContext
  readonly #options: DatagramOptions
  readonly #groups = new Set<string>()
  readonly #pops: QueueToken[] = []
  readonly #waiting: Waiting[] = []
  #socket: Socket | undefined
  #peer: SocketAddress | undefined
  #served: ServedDatagrams | undefined
  /** What the network said of a datagram sent earlier; the next push or pop tells it. */
  #pendingError: ErrorCode | undefined
  #sending = 0
  #whenSent: (() => void) | undefined

  constructor(context: SocketContext, family: Family) {
    this.#context = context
    this.family = family
    this.#options = defaultOptions(context.receiveQueue)
    this.qd = context.runtime.open(this, context.libos)
  }

  get peer(): SocketAddress {
    if (this.#peer !== undefined) return this.#peer
    throw new ParakernelError('ENOTCONN', 'has no peer', { subject: this.#subject })
  }

  get name(): SocketAddress {
    if (this.#socket === undefined) return unbound(this.family)
    const { address, port } = this.#socket.address()
    return { address, port }
  }

  bind(at: SocketAddress): void {
    if (this.#socket !== undefined) throw new ParakernelError('EINVAL', 'is bound already', { subject: this.#subject })
    const wanted = checkAddress(at, this.family)
    const subject = `udp ${formatSocketAddress(wanted)}`
    checkOwn(wanted, this.#context)
    let socket: Socket
    try {
      if (at.port === 0) socket = bindEphemeral(() => this.#create(), wanted.address)
      else {
        socket = this.#create()
        try {
          bindNow(socket, wanted)
        } catch (error) {
          socket.close()
          throw error
        }
      }
    } catch (error) {
      throw asParakernelError(error, subject)
    }
    const { address } = this.#context
    try {
      if (address !== undefined && this.family === 'ipv4') socket.setMulticastInterface(address)
    } catch (error) {
      socket.close()
      throw asParakernelError(error, `host option address: ${address}`)
    }
    this.#socket = socket
    for (const option of Object.keys(this.#options) as (keyof DatagramOptions)[]) {
      applyOption(socket, option, this.#options[option])
    }
    socket.on('message', (bytes, from) => this.#arrived(bytes, from))
  }

  connect(peer: SocketAddress): QueueToken {
    const { runtime } = this.#context
    const token = runtime.issue(this.qd)
    try {
      const to = checkAddress(peer, this.family)
      const socket = this.#bound()
      if (this.#peer !== undefined) socket.disconnect()
      this.#peer = undefined
      this.#pendingError = undefined
      if (peer.port !== 0) {
        connectNow(socket, to)
        this.#peer = to
      }
      runtime.completeConnect(token)
    } catch (error) {
      runtime.fail(token, codeOf(error), `connecting to ${formatSocketAddress(peer)} failed`)
    }
    return token
  }

  push(sga: ScatterGatherArray, to: SocketAddress | undefined): QueueToken {
    const { runtime, counters, pool } = this.#context
    const token = runtime.issue(this.qd)
    const wrong = sga.refusalBy(pool)
    if (wrong !== undefined) {
      runtime.fail(token, 'EINVAL', wrong)
      return token
    }
    const error = this.#takeError() ?? this.#mayNotSend(to)
    if (error !== undefined) {
      runtime.fail(token, error, 'the datagram was not sent')
      return token
    }
    const bytes = sga.toBytes()
    const sent = (error: unknown) => {
      if (!error) counters.values[OUT_DATAGRAMS]++
      // A close may have ended the token meanwhile.
      if (runtime.isPending(token)) {
        if (error) runtime.fail(token, codeOf(error), 'the datagram was not sent')
        else runtime.completePush(token, bytes.byteLength)
      }
    }
    try {
      this.#send(bytes, to, sent)
    } catch (error) {
      sent(error)
    }
    return token
  }

  pop(): QueueToken {
    const { runtime } = this.#context
    const token = runtime.issue(this.qd)
    const next = this.#waiting.shift()
    if (next !== undefined) runtime.completePop(token, next.sga, next.source)
    else {
      const error = this.#takeError()
      if (error !== undefined) runtime.fail(token, error, 'an earlier datagram was refused')
      else this.#pops.push(token)
    }
    return token
  }

  cancel(_qd: QueueDescriptor, token: QueueToken): void {
    const index = this.#pops.indexOf(token)
    if (index >= 0) this.#pops.splice(index, 1)
  }

  serve(handler: DatagramHandler | undefined): void {
    if (this.family !== 'ipv4') {
      throw new ParakernelError('ENOTSUP', 'a burst of datagrams has IPv4 addresses only', {
        subject: this.#subject,
        remedy: 'Serve an IPv4 socket, or use pop and pushTo',
      })
    }
    this.#served?.end()
    this.#served =
      handler === undefined
        ? undefined
        : new ServedDatagrams(this.#context, this.name.port, handler, (bytes, to) => this.#sendQuietly(bytes, to))
  }

  /** Copies and sends each datagram of a burst; the frames are released. */
  sendBurst(burst: DatagramBurst): number {
    const { pool } = this.#context
    for (let i = 0; i < burst.count; i++) {
      const start = burst.address[i]
      const bytes = pool.bytes.slice(start, start + burst.length[i])
      pool.release(burst.frame[i])
      this.#sendQuietly(bytes, { address: formatIpv4(burst.peerAddress[i]), port: burst.peerPort[i] })
    }
    return burst.count
  }

  setOption<K extends SocketOption>(option: K, value: SocketOptions[K]): void {
    checkOption(option, this.family, value)
    if (option === 'ipv6Only' && this.#socket !== undefined) {
      throw new ParakernelError('EINVAL', 'is bound already: ipv6Only is set before', { subject: this.#subject })
    }
    ;(this.#options as unknown as Record<string, unknown>)[option] = value
    if (this.#socket !== undefined) applyOption(this.#socket, option, value)
  }

  getOption<K extends SocketOption>(option: K): SocketOptions[K] {
    checkOption(option, this.family)
    return (this.#options as SocketOptions)[option]
  }

  joinGroup(group: string): void {
    const subject = `group ${group}`
    const isGroup = this.family === 'ipv4' ? isIpv4Multicast(parseIpv4(group)) : isIpv6Multicast(parseIpv6(group))
    if (!isGroup) {
      throw new ParakernelError('EINVAL', 'is no multicast address', {
        subject,
        remedy: `Use one of ${this.family === 'ipv4' ? '224.0.0.0/4' : 'ff00::/8'}`,
      })
    }
    if (this.#groups.has(group)) throw new ParakernelError('EADDRINUSE', 'was joined already', { subject })
    try {
      this.#bound().addMembership(group, this.#interface)
    } catch (error) {
      throw asParakernelError(error, subject)
    }
    this.#groups.add(group)
  }

  leaveGroup(group: string): void {
    if (!this.#groups.delete(group)) {
      throw new ParakernelError('EADDRNOTAVAIL', 'was not joined', { subject: `group ${group}` })
    }
    this.#bound().dropMembership(group, this.#interface)
  }

  /** Ends the socket; the runtime's tokens are the caller's to close. */
  close(): void {
    this.#pops.length = 0
    for (const { sga } of this.#waiting.splice(0)) sga.free()
    this.#served?.end()
    this.#served = undefined
    this.#socket?.removeAllListeners('message')
    this.#socket?.close()
    this.#socket = undefined
  }

  /** Calls `done` when the kernel took everything that was pushed. */
  drain(done: () => void): void {
    if (this.#sending === 0) done()
    else this.#whenSent = done
  }

  get info(): SocketInfo {
    const peer = this.#peer
    const bound = this.#socket === undefined ? 'unbound' : 'bound'
    return {
      qd: this.qd,
      type: 'datagram',
      family: this.family,
      local: this.name,
      peer,
      state: peer === undefined ? bound : 'connected',
      receiveQueue: this.#waiting.length,
      sendQueue: this.#sending,
      details: {},
    }
  }

  /** Where groups are joined: IPv4 names an interface by its address. */
  get #interface(): string | undefined {
    return this.family === 'ipv4' ? this.#context.address : undefined
  }

  get #subject(): string {
    return `udp ${formatSocketAddress(this.name)}`
  }

  #create(): Socket {
    const socket = createNodeSocket(this.family, this.#options.ipv6Only)
    socket.on('error', (error) => this.#troubled(error, socket))
    return socket
  }

  get #ownAddress(): string {
    const { address, ipv6Address } = this.#context
    return (this.family === 'ipv4' ? address : ipv6Address) ?? unbound(this.family).address
  }

  #bound(): Socket {
    if (this.#socket === undefined) this.bind({ address: this.#ownAddress, port: 0 })
    return this.#socket as Socket
  }

  #mayNotSend(to: SocketAddress | undefined): ErrorCode | undefined {
    if (this.#peer !== undefined) return to === undefined ? undefined : 'EISCONN'
    return to === undefined || to.port === 0 ? 'EDESTADDRREQ' : undefined
  }

  #send(bytes: Uint8Array, to: SocketAddress | undefined, sent: (error: unknown) => void): void {
    const done = (error: unknown) => {
      this.#sending--
      sent(error)
      if (this.#sending === 0) this.#whenSent?.()
    }
    const socket = this.#bound()
    const peer = to === undefined ? undefined : checkAddress(to, this.family)
    this.#sending++
    if (peer === undefined) socket.send(bytes, done)
    else socket.send(bytes, peer.port, peer.address, done)
  }

  #sendQuietly(bytes: Uint8Array, to: SocketAddress): void {
    const { counters } = this.#context
    const sent = (error: unknown) => {
      counters.values[error ? OUT_REFUSED : OUT_DATAGRAMS]++
    }
    try {
      this.#send(bytes, this.#peer === undefined ? to : undefined, sent)
    } catch (error) {
      sent(error)
    }
  }

  #arrived(bytes: Uint8Array, from: RemoteInfo): void {
    if (this.#served !== undefined) {
      this.#served.add(bytes, from)
      return
    }
    const { runtime, pool, counters } = this.#context
    if (this.#pops.length === 0 && this.#waiting.length >= this.#options.receiveQueue) {
      counters.values[QUEUE_FULL]++
      counters.values[IN_ERRORS]++
      return
    }
    let sga: ScatterGatherArray
    try {
      sga = allocateSga(pool, bytes.byteLength)
    } catch {
      counters.values[POOL_LOW]++
      counters.values[IN_ERRORS]++
      return
    }
    let at = 0
    for (const { address, length } of sga.segments) {
      pool.bytes.set(bytes.subarray(at, at + length), address)
      at += length
    }
    counters.values[IN_DATAGRAMS]++
    const source = { address: from.address, port: from.port }
    const token = this.#pops.shift()
    if (token === undefined) this.#waiting.push({ sga, source })
    else runtime.completePop(token, sga, source)
  }

  /** An error that belongs to no call: the answer to an earlier datagram. */
  #troubled(error: unknown, socket: Socket): void {
    if (socket !== this.#socket) return
    const token = this.#pops.shift()
    if (token === undefined) this.#pendingError = codeOf(error)
    else this.#context.runtime.fail(token, codeOf(error), 'an earlier datagram was refused')
  }

  #takeError(): ErrorCode | undefined {
    const error = this.#pendingError
    this.#pendingError = undefined
    return error
  }
}
