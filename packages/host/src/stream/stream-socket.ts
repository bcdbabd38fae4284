import { Socket } from 'node:net'
import { ParakernelError } from '@parakernel/hal'
import {
  formatSocketAddress,
  isSliceOf,
  type QueueDescriptor,
  type QueueOwner,
  type QueueToken,
  type ScatterGatherArray,
  type SocketAddress,
  type SocketInfo,
  type SocketOption,
  type SocketOptions,
  type StreamHandler,
} from '@parakernel/queue'
import { checkAddress, checkOwn, type Family, ownAddressFor, unbound } from '../addresses.ts'
import type { SocketContext } from '../context.ts'
import { asParakernelError, codeOf } from '../errors.ts'
import { ACTIVE_OPENS, ATTEMPT_FAILS } from '../statistics.ts'
import { BoundPort } from './bound-port.ts'
import { Connection } from './connection.ts'
import { type Arrived, DEFAULT_BACKLOG, Listener } from './listener.ts'
import { ServedStreams } from './served-streams.ts'
import { Service } from './service.ts'
import { infoOf, type StreamHome } from './stream-home.ts'
import { checkStreamOption, defaultStreamOptions, type StreamOptions } from './stream-options.ts'

interface Connecting {
  readonly socket: Socket
  readonly token: QueueToken
}

/** A stream descriptor: fresh, bound, listening, connecting or connected. */
export class StreamSocket implements QueueOwner {
  readonly needsNodeLoop = true
  readonly qd: QueueDescriptor
  readonly family: Family
  readonly #context: SocketContext
  readonly #home: StreamHome
  readonly #options: StreamOptions
  #port: BoundPort | undefined
  #listener: Listener | undefined
  #connecting: Connecting | undefined
  #connection: Connection | undefined
  /** Of a listener, for its connections; of a connection, its own. */
  #served: ServedStreams | undefined
  #service: Service | undefined

  constructor(context: SocketContext, home: StreamHome, family: Family, options = defaultStreamOptions()) {
    this.#context = context
    this.#home = home
    this.family = family
    this.#options = options
    this.qd = context.runtime.open(this, context.libos)
  }

  get name(): SocketAddress {
    return this.#connection?.local ?? this.#port?.name ?? unbound(this.family)
  }

  get peer(): SocketAddress {
    if (this.#connection !== undefined) return this.#connection.peer
    throw this.#error('ENOTCONN', 'has no peer')
  }

  get info(): SocketInfo {
    const listener = this.#listener
    const connection = this.#connection
    const common = { qd: this.qd, type: 'stream', family: this.family, local: this.name, details: {} } as const
    if (listener !== undefined) {
      const { waiting, backlog } = listener
      return { ...common, peer: undefined, state: 'listen', receiveQueue: waiting, sendQueue: backlog }
    }
    if (connection !== undefined) return { ...common, ...infoOf(connection) }
    const state = this.#connecting === undefined ? 'closed' : 'syn-sent'
    return { ...common, peer: undefined, state, receiveQueue: 0, sendQueue: 0 }
  }

  bind(at: SocketAddress): void {
    if (this.#port !== undefined || this.#connection !== undefined || this.#connecting !== undefined) {
      throw this.#error('EINVAL', 'is bound already')
    }
    const wanted = checkAddress(at, this.family)
    checkOwn(wanted, this.#context)
    try {
      this.#port = new BoundPort(wanted, this.family, this.#options.ipv6Only)
    } catch (error) {
      throw asParakernelError(error, `tcp ${formatSocketAddress(wanted)}`)
    }
  }

  listen(backlog = DEFAULT_BACKLOG): void {
    if (!Number.isInteger(backlog) || backlog < 0) throw this.#error('EINVAL', `a backlog cannot be ${backlog}`)
    if (this.#listener !== undefined) {
      this.#listener.backlog = backlog
      return
    }
    if (this.#connection !== undefined || this.#connecting !== undefined) {
      throw this.#error('EINVAL', 'a connected socket cannot listen')
    }
    if (this.#port === undefined) throw this.#error('EINVAL', 'is not bound', 'Call bind first')
    this.#listener = new Listener(this.#context, this.#port, backlog, (arrived) => this.#accepted(arrived).qd)
    this.#serveArrivals()
  }

  accept(): QueueToken {
    const { runtime } = this.#context
    const token = runtime.issue(this.qd)
    if (this.#listener !== undefined && this.#served !== undefined) this.#refuse(token)
    else if (this.#listener !== undefined) this.#listener.accept(token)
    else runtime.fail(token, 'EINVAL', 'the socket does not listen')
    return token
  }

  connect(to: SocketAddress): QueueToken {
    const { runtime } = this.#context
    const token = runtime.issue(this.qd)
    if (this.#connecting !== undefined) runtime.fail(token, 'EALREADY', 'a connection is being opened')
    else if (this.#connection !== undefined) runtime.fail(token, 'EISCONN', 'the socket has a connection')
    else if (this.#listener !== undefined) runtime.fail(token, 'EINVAL', 'a listening socket cannot connect')
    else {
      try {
        const peer = checkAddress(to, this.family)
        if (peer.port === 0) runtime.fail(token, 'EINVAL', 'nobody can listen at port 0')
        else this.#connect(token, peer)
      } catch (error) {
        runtime.fail(token, codeOf(error), `connecting to ${formatSocketAddress(to)} failed`)
      }
    }
    return token
  }

  halfClose(): void {
    if (this.#connection === undefined)
      throw this.#error('ENOTCONN', 'has no connection', 'Call `connect`, and wait for it, before')
    this.#connection.halfClose()
  }

  push(sga: ScatterGatherArray): QueueToken {
    const { runtime, pool } = this.#context
    const token = runtime.issue(this.qd)
    const wrong = sga.refusalBy(pool)
    if (this.#connection !== undefined && wrong !== undefined) runtime.fail(token, 'EINVAL', wrong)
    else if (this.#connection !== undefined) this.#connection.push(token, sga)
    else this.#context.runtime.fail(token, 'ENOTCONN', 'the socket has no connection')
    return token
  }

  /** @throws EINVAL for a limit that is none */
  pop(limit: number): QueueToken {
    if (!(limit >= 1)) throw this.#error('EINVAL', `a limit of ${limit} bytes is less than one`)
    const token = this.#context.runtime.issue(this.qd)
    if (this.#served !== undefined && this.#connection !== undefined) this.#refuse(token)
    else if (this.#connection !== undefined) this.#connection.pop(token, limit)
    else this.#context.runtime.fail(token, 'ENOTCONN', 'the socket has no connection')
    return token
  }

  cancel(_qd: QueueDescriptor, token: QueueToken): void {
    if (token === this.#connecting?.token) this.#dropAttempt()
    this.#listener?.cancel(token)
    this.#connection?.cancel(token)
  }

  setOption<K extends SocketOption>(option: K, value: SocketOptions[K]): void {
    checkStreamOption(option, this.family, value)
    if (option === 'ipv6Only' && (this.#port !== undefined || this.#connection !== undefined)) {
      throw this.#error('EINVAL', 'is bound already: ipv6Only is set before')
    }
    ;(this.#options as unknown as Record<string, unknown>)[option] = value
    this.#connection?.optionsChanged()
  }

  getOption<K extends SocketOption>(option: K): SocketOptions[K] {
    checkStreamOption(option, this.family)
    return (this.#options as SocketOptions)[option]
  }

  /** @throws ENOTCONN for a socket that is neither connected nor listening */
  serve(handler: StreamHandler | undefined): void {
    if (this.#listener === undefined && this.#connection === undefined) {
      throw this.#error('ENOTCONN', 'neither listens nor is connected', 'Call `listen` or `connect` before')
    }
    this.#served = handler === undefined ? undefined : new ServedStreams(this.#context, handler)
    this.#service?.leave()
    this.#service = undefined
    this.#serveArrivals()
    if (this.#connection === undefined) return
    this.#connection.listener = undefined
    if (this.#served !== undefined) this.#serveConnection(this.#served, this.#connection, false)
    else this.#connection.servePops()
  }

  send(frame: number, address: number, length: number): boolean {
    const { pool } = this.#context
    if (!isSliceOf(pool, frame, address, length)) {
      const remedy = "Allocate the frame from the libOS's `pool`, and release it only if `sendStream` returns false"
      throw this.#error(
        'EINVAL',
        `was given bytes that do not lie in frame ${frame}, or a frame that nobody holds`,
        remedy,
      )
    }
    const connection = this.#connection
    if (connection === undefined || !connection.canSend) return false
    if (!connection.send.hasRoom) {
      this.#service?.refused()
      return false
    }
    connection.send.write(pool.bytes.slice(address, address + length))
    pool.release(frame)
    return true
  }

  resume(): void {
    this.#service?.resume()
  }

  /** Ends it; the runtime's tokens are the caller's to end. */
  close(): void {
    this.#service?.leave()
    this.#dropAttempt()
    this.#listener?.close()
    if (this.#connection !== undefined) {
      this.#connection.abandon()
      this.#home.linger(this.#connection)
    }
    this.#port?.release()
  }

  /** Ends it in order; `done` with what went wrong, or undefined. */
  closeInOrder(done: (failure: ReturnType<typeof codeOf> | undefined) => void): void {
    const { runtime } = this.#context
    this.#service?.leave()
    if (this.#connection !== undefined) {
      this.#home.linger(this.#connection)
      this.#connection.closeInOrder(done)
      this.#port?.release()
      return
    }
    const { token } = this.#connecting ?? {}
    this.close()
    if (token !== undefined) runtime.fail(token, 'ECANCELED', 'the queue was closed')
    done(undefined)
  }

  #connect(token: QueueToken, to: SocketAddress): void {
    const { runtime, counters } = this.#context
    const { socket, from } = this.#port?.socket() ?? this.#unboundSocket(to)
    const attempt = { socket, token }
    this.#connecting = attempt
    counters.values[ACTIVE_OPENS]++
    const refused = (error: Error) => {
      if (this.#connecting !== attempt) return
      this.#connecting = undefined
      // The socket of Node's that took the port over is gone, and the port with it.
      this.#port?.release()
      this.#port = undefined
      counters.values[ATTEMPT_FAILS]++
      runtime.fail(token, codeOf(error), `connecting to ${formatSocketAddress(to)} failed`)
    }
    socket.on('error', refused)
    socket.once('connect', () => {
      if (this.#connecting !== attempt) return
      this.#connecting = undefined
      const local = { address: socket.localAddress as string, port: socket.localPort as number }
      this.#connection = new Connection(this.#context, socket, this.#options, local, to)
      if (this.#served !== undefined) this.#serveConnection(this.#served, this.#connection, true)
      runtime.completeConnect(token)
    })
    socket.connect({
      host: to.address,
      port: to.port,
      family: this.family === 'ipv4' ? 4 : 6,
      autoSelectFamily: false,
      ...from,
    })
  }

  #unboundSocket(to: SocketAddress) {
    const own = ownAddressFor(to.address, this.#context)
    return { socket: new Socket({ allowHalfOpen: true }), from: own === undefined ? undefined : { localAddress: own } }
  }

  #refuse(token: QueueToken): void {
    this.#context.runtime.fail(token, 'EBUSY', 'a handler is served: end that by `serveStreams(qd, undefined)`')
  }

  #dropAttempt(): void {
    if (this.#connecting === undefined) return
    this.#connecting.socket.destroy()
    this.#connecting = undefined
    this.#port?.release()
    this.#port = undefined
  }

  #accepted({ socket, local, peer }: Arrived): StreamSocket {
    const accepted = new StreamSocket(this.#context, this.#home, this.family, { ...this.#options })
    accepted.#connection = new Connection(this.#context, socket, accepted.#options, local, peer)
    this.#home.add(accepted)
    if (this.#served !== undefined) {
      accepted.#served = this.#served
      accepted.#serveConnection(this.#served, accepted.#connection, true)
    }
    socket.resume()
    return accepted
  }

  /** Sends the connections of a listener to the handler, or to accepts. */
  #serveArrivals(): void {
    if (this.#listener === undefined) return
    this.#listener.taker =
      this.#served === undefined
        ? undefined
        : (arrived) => {
            try {
              this.#accepted(arrived)
            } catch {
              arrived.socket.resetAndDestroy()
            }
          }
  }

  #serveConnection(served: ServedStreams, connection: Connection, isNew: boolean): void {
    this.#service = new Service(served, this.#context, connection, this.qd, isNew, () => {
      this.close()
      this.#home.forget(this.qd)
    })
  }

  #error(code: 'EINVAL' | 'ENOTCONN', message: string, remedy?: string): ParakernelError {
    const subject = `tcp ${formatSocketAddress(this.name)}`
    return new ParakernelError(code, message, { subject, ...(remedy === undefined ? {} : { remedy }) })
  }
}
