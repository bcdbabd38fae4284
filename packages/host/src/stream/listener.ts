import { createServer, type Server, type Socket } from 'node:net'
import type { QueueDescriptor, QueueToken, SocketAddress } from '@parakernel/queue'
import type { SocketContext } from '../context.ts'
import { asParakernelError } from '../errors.ts'
import { BACKLOG_FULL, PASSIVE_OPENS } from '../statistics.ts'
import type { BoundPort } from './bound-port.ts'

/** Connections that wait for an accept when `listen` does not say. */
export const DEFAULT_BACKLOG = 511

/** A connection of Node's that nobody has accepted, with its names: those of a socket that was reset are gone. */
export interface Arrived {
  readonly socket: Socket
  readonly local: SocketAddress
  readonly peer: SocketAddress
}

/** A listening socket of Node's: connections that wait for accepts, or accepts that wait for connections. */
export class Listener {
  backlog: number
  /** Takes connections instead of accepts. */
  taker: ((arrived: Arrived) => void) | undefined
  readonly #context: SocketContext
  readonly #server: Server
  readonly #open: (arrived: Arrived) => QueueDescriptor
  readonly #accepts: QueueToken[] = []
  readonly #waiting: Arrived[] = []

  /** @throws EADDRINUSE, when somebody listens there since the bind */
  constructor(context: SocketContext, port: BoundPort, backlog: number, open: (arrived: Arrived) => QueueDescriptor) {
    this.#context = context
    this.#open = open
    this.backlog = backlog
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => this.#arrived(socket))
    this.#server.on('error', ignore)
    port.listen(this.#server, backlog)
    // A server that could not listen has no address; its error comes a turn later.
    if (this.#server.address() === null) {
      throw asParakernelError(Object.assign(new Error('somebody listens there'), { code: 'EADDRINUSE' }), 'listen')
    }
  }

  get waiting(): number {
    return this.#waiting.length
  }

  accept(token: QueueToken): void {
    this.#accepts.push(token)
    this.#match()
  }

  cancel(token: QueueToken): void {
    const at = this.#accepts.indexOf(token)
    if (at >= 0) this.#accepts.splice(at, 1)
  }

  /** Resets what waits; the tokens are the caller's to end. */
  close(): void {
    this.#accepts.length = 0
    this.taker = undefined
    for (const { socket } of this.#waiting.splice(0)) socket.resetAndDestroy()
    this.#server.close()
  }

  #arrived(socket: Socket): void {
    socket.on('error', ignore)
    const { localAddress, localPort, remoteAddress, remotePort } = socket
    const { values } = this.#context.counters
    if (localAddress === undefined || remoteAddress === undefined) {
      // The peer has reset it in the meantime.
      socket.destroy()
      return
    }
    if (this.taker === undefined && this.#accepts.length === 0 && this.#waiting.length >= this.backlog) {
      values[BACKLOG_FULL]++
      socket.resetAndDestroy()
      return
    }
    values[PASSIVE_OPENS]++
    const local = { address: localAddress, port: localPort as number }
    const arrived = { socket, local, peer: { address: remoteAddress, port: remotePort as number } }
    if (this.taker !== undefined) this.taker(arrived)
    else {
      this.#waiting.push(arrived)
      this.#match()
    }
  }

  #match(): void {
    const { runtime } = this.#context
    while (this.#accepts.length > 0 && this.#waiting.length > 0) {
      const token = this.#accepts.shift() as QueueToken
      const arrived = this.#waiting.shift() as Arrived
      try {
        runtime.completeAccept(token, this.#open(arrived), arrived.peer)
      } catch (error) {
        arrived.socket.resetAndDestroy()
        runtime.fail(token, asParakernelError(error, 'accept').code, 'no descriptor is free for the connection')
      }
    }
  }
}

function ignore(): void {}
