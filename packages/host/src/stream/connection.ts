import type { Socket } from 'node:net'
import type { ErrorCode } from '@parakernel/hal'
import { type QueueToken, ScatterGatherArray, type SocketAddress, type StreamState } from '@parakernel/queue'
import type { SocketContext } from '../context.ts'
import { codeOf } from '../errors.ts'
import { CURRENT_ESTABLISHED, ESTABLISHED_RESETS } from '../statistics.ts'
import { ReceiveBuffer } from './receive-buffer.ts'
import { SendQueue } from './send-queue.ts'
import { applyStreamOptions, type StreamOptions } from './stream-options.ts'

/** Bytes read ahead of the pops, and with Node ahead of the kernel, where the option says 0. */
const DEFAULT_BUFFER = 65_536
/** Until frames are looked for again when the pool has none for a pop, in milliseconds. */
const POOL_RETRY = 1

interface Pop {
  readonly token: QueueToken
  readonly limit: number
}

/** Who hears of a connection's progress: the fast face. */
export interface ConnectionListener {
  changed(): void
}

/** An established connection over a socket of Node's, from its first byte to its end. Tokens are those of one descriptor. */
export class Connection {
  readonly local: SocketAddress
  readonly peer: SocketAddress
  readonly receive = new ReceiveBuffer()
  readonly send: SendQueue
  /** What ended it before its time. */
  failure: ErrorCode | undefined
  /** The peer's end was read. */
  ended = false
  /** Our end was asked for. */
  halfClosed = false
  /** Node is done with it. */
  closed = false
  /** Instead of pops. */
  listener: ConnectionListener | undefined
  readonly #context: SocketContext
  readonly #socket: Socket
  readonly #options: StreamOptions
  readonly #pops: Pop[] = []
  #established = true
  #abandoned = false
  #retry: NodeJS.Timeout | undefined
  #whenClosed: ((failure: ErrorCode | undefined) => void) | undefined

  constructor(
    context: SocketContext,
    socket: Socket,
    options: StreamOptions,
    local: SocketAddress,
    peer: SocketAddress,
  ) {
    this.#context = context
    this.#socket = socket
    this.#options = options
    this.local = local
    this.peer = peer
    this.send = new SendQueue(context.runtime, socket, options.sendBuffer || DEFAULT_BUFFER)
    this.send.onProgress = () => this.#progressed()
    context.counters.values[CURRENT_ESTABLISHED]++
    applyStreamOptions(socket, options)
    socket.on('data', (chunk: Uint8Array) => this.#read(chunk))
    socket.on('end', () => this.#readEnd())
    socket.on('error', (error) => this.fail(codeOfConnection(error)))
    socket.on('close', () => this.#gone())
  }

  get state(): StreamState {
    if (this.closed || this.failure !== undefined) return 'closed'
    if (this.ended) return this.halfClosed ? 'last-ack' : 'close-wait'
    return this.halfClosed ? 'fin-wait-1' : 'established'
  }

  get canSend(): boolean {
    return this.failure === undefined && !this.halfClosed && !this.closed
  }

  optionsChanged(): void {
    this.send.limit = this.#options.sendBuffer || DEFAULT_BUFFER
    applyStreamOptions(this.#socket, this.#options)
  }

  push(token: QueueToken, sga: ScatterGatherArray): void {
    const { runtime } = this.#context
    if (this.failure !== undefined) runtime.fail(token, this.failure, 'the connection is gone')
    else if (!this.canSend) runtime.fail(token, 'EPIPE', 'this half of the stream was ended')
    else this.send.push(token, sga)
  }

  pop(token: QueueToken, limit: number): void {
    this.#pops.push({ token, limit })
    this.servePops()
  }

  cancel(token: QueueToken): void {
    const at = this.#pops.findIndex((pop) => pop.token === token)
    if (at >= 0) this.#pops.splice(at, 1)
    else this.send.cancel(token)
  }

  /** Ends our half, after all that was pushed. */
  halfClose(): void {
    if (this.halfClosed || this.failure !== undefined) return
    this.halfClosed = true
    this.#leaveEstablished()
    if (this.send.idle) this.#socket.end()
  }

  /** Lets go of it: what Node has is still delivered, unless there is a reason for a reset. */
  abandon(): void {
    this.#let()
    this.send.clear()
    if (this.closed || this.failure !== undefined) return
    if (this.#options.linger === 0 || this.receive.bytes > 0) this.#reset()
    else this.#socket.destroySoon()
    this.receive.clear()
  }

  /** Ends both halves, and says when: with undefined in order, with what went wrong otherwise. */
  closeInOrder(done: (failure: ErrorCode | undefined) => void): void {
    for (const { token } of this.#pops.splice(0)) this.#context.runtime.fail(token, 'ECANCELED', 'the queue was closed')
    const { linger } = this.#options
    if (this.closed || this.failure !== undefined || linger === 0) {
      const failure = this.failure
      this.abandon()
      done(failure)
      return
    }
    const timer = linger > 0 ? setTimeout(() => this.#giveUp(), linger) : undefined
    this.#whenClosed = (failure) => {
      clearTimeout(timer)
      done(failure)
    }
    this.#let(true)
    // What comes now is for nobody, but it would keep the kernel from closing in order.
    this.receive.clear()
    this.#socket.resume()
    this.halfClose()
    if (this.#socket.writableFinished) this.#socket.destroy()
    else this.#socket.once('finish', () => this.#socket.destroy())
  }

  fail(code: ErrorCode): void {
    if (this.failure !== undefined || this.closed) return
    this.failure = code
    this.#context.counters.values[ESTABLISHED_RESETS]++
    this.#leaveEstablished()
    for (const token of this.send.clear()) this.#context.runtime.fail(token, code, 'the connection is gone')
    if (!this.#abandoned) this.#changed()
  }

  /** Calls `done` when Node is done with it. */
  whenGone(done: () => void): void {
    this.#socket.once('close', done)
  }

  /** Reads on, when the reader took something. */
  readOn(): void {
    if (this.#socket.isPaused() && this.receive.bytes < this.#readAhead) this.#socket.resume()
  }

  servePops(): void {
    const { runtime, pool } = this.#context
    while (this.#pops.length > 0) {
      const { token, limit } = this.#pops[0]
      if (this.receive.bytes > 0) {
        const sga = this.receive.take(limit, pool)
        if (sga === undefined) {
          this.#retryLater()
          return
        }
        runtime.completePop(token, sga, undefined)
        this.readOn()
      } else if (this.ended) runtime.completePop(token, new ScatterGatherArray(pool, []), undefined)
      else if (this.failure !== undefined) runtime.fail(token, this.failure, 'the connection is gone')
      else return
      this.#pops.shift()
    }
  }

  get #readAhead(): number {
    return this.#options.receiveBuffer || DEFAULT_BUFFER
  }

  #read(chunk: Uint8Array): void {
    if (this.#abandoned) return
    this.receive.push(chunk)
    this.#changed()
    if (this.receive.bytes >= this.#readAhead) this.#socket.pause()
  }

  #readEnd(): void {
    this.ended = true
    if (!this.#abandoned) this.#changed()
  }

  #gone(): void {
    this.closed = true
    this.#leaveEstablished()
    for (const token of this.send.clear()) this.#context.runtime.fail(token, this.failure ?? 'EPIPE', 'it was closed')
    this.#whenClosed?.(this.failure)
    this.#whenClosed = undefined
    if (!this.#abandoned) this.#changed()
  }

  #changed(): void {
    if (this.listener !== undefined) this.listener.changed()
    else this.servePops()
  }

  #progressed(): void {
    if (this.halfClosed && this.send.idle && !this.#socket.writableEnded) this.#socket.end()
    this.listener?.changed()
  }

  /** From now on nobody reads; pushes may go on. */
  #let(orderly = false): void {
    this.#abandoned = true
    this.listener = undefined
    this.#pops.length = 0
    clearTimeout(this.#retry)
    if (!orderly) this.#leaveEstablished()
  }

  #giveUp(): void {
    this.fail('ETIMEDOUT')
    this.#reset()
  }

  #reset(): void {
    const socket = this.#socket
    // Node cannot reset while its shutdown is under way, which takes a turn.
    const shuttingDown = socket.writableEnded && !socket.writableFinished && socket.writableLength === 0
    if (shuttingDown) socket.once('finish', () => socket.resetAndDestroy())
    else socket.resetAndDestroy()
  }

  #leaveEstablished(): void {
    if (this.#established) this.#context.counters.values[CURRENT_ESTABLISHED]--
    this.#established = false
  }

  #retryLater(): void {
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => this.servePops(), POOL_RETRY)
  }
}

/** Whatever the kernel says to a write after the peer's reset (EPIPE among it), the connection was reset. */
function codeOfConnection(error: unknown): ErrorCode {
  const code = codeOf(error)
  return code === 'EPIPE' || code === 'ECANCELED' ? 'ECONNRESET' : code
}
