import type { QueueRuntime, QueueToken } from '@parakernel/queue'
import { FrameChain } from '../tcp/buffer/frame-chain.ts'
import { EVENT_CLOSED, EVENT_FLUSHED } from '../tcp/connection/events.ts'
import { EXT_ABORT_ON_LINGER } from '../tcp/counters.ts'
import { CLOSED, FIN_WAIT_2, type State, TIME_WAIT } from '../tcp/state.ts'
import { STREAM_REASONS } from './stream-reasons.ts'
import type { StreamSocket, WaitingPop } from './stream-socket.ts'
import { type StreamTable, streamError } from './stream-table.ts'
import type { StreamTransfer } from './stream-transfer.ts'
import type { TcpContext } from './tcp-context.ts'
import type { TcpHandshakes } from './tcp-handshakes.ts'

/** How sockets end: one half, both halves, at once or when the peer has heard everything. */
export class StreamClosing {
  readonly #tcp: TcpContext
  readonly #handshakes: TcpHandshakes
  readonly #table: StreamTable
  readonly #transfer: StreamTransfer
  readonly #runtime: QueueRuntime
  readonly #chain = new FrameChain(64)

  constructor(
    context: TcpContext,
    handshakes: TcpHandshakes,
    table: StreamTable,
    transfer: StreamTransfer,
    runtime: QueueRuntime,
  ) {
    this.#tcp = context
    this.#handshakes = handshakes
    this.#table = table
    this.#transfer = transfer
    this.#runtime = runtime
  }

  /** @throws ENOTCONN */
  halfClose(socket: StreamSocket): void {
    if (!socket.isConnected)
      throw streamError(socket, 'ENOTCONN', 'is not connected', 'Call `connect`, and wait for it, before')
    socket.isFinished = true
    this.finishWriting(socket)
  }

  /** Ends our half if it is to end and no push waits any more. */
  finishWriting(socket: StreamSocket): void {
    const { endpoint } = socket
    if (!socket.isFinished || endpoint === undefined || !this.#transfer.flushPushes(socket)) return
    endpoint.connection.shutdownWrite()
    this.#tcp.touch(endpoint)
  }

  /** Ends the queue at once; its connection goes on by itself as long as it has something to say. */
  close(socket: StreamSocket): void {
    const { endpoint } = socket
    this.#closeListener(socket)
    this.#release(socket)
    if (endpoint === undefined) return
    endpoint.connection.close(this.#tcp.now)
    this.#tcp.touch(endpoint)
  }

  /** As `close`, when all has been said and heard; `token` completes then. */
  asyncClose(socket: StreamSocket, token: QueueToken): void {
    const { endpoint, settings } = socket
    const tokens = socket.tokens
    this.#cancelReads(socket)
    const isSilent = endpoint === undefined || !socket.isConnected || socket.listener !== undefined
    const isAbrupt = settings.linger === 0 || (endpoint !== undefined && endpoint.connection.readable > 0)
    if (isSilent || isAbrupt) {
      this.#runtime.completeClose(token)
      this.close(socket)
      return
    }
    socket.isClosing = true
    socket.isFinished = true
    tokens.close = token
    this.finishWriting(socket)
    if (settings.linger > 0) {
      const { timers, clock } = this.#runtime.loop
      tokens.lingerTimer = timers.at(clock.now() + settings.linger, () => this.#lingered(socket))
    }
    // It may be over already.
    this.advance(socket, alreadyHeard(endpoint.connection.state))
  }

  /** What an `asyncClose` waits for may have happened. */
  advance(socket: StreamSocket, events: number): void {
    const { endpoint, waiting } = socket
    if (endpoint === undefined || waiting?.close === undefined) return
    const { connection } = endpoint
    const over = (events & EVENT_CLOSED) !== 0
    if (!over && (events & EVENT_FLUSHED) === 0) {
      this.#discard(socket)
      return
    }
    const token = waiting.close
    waiting.close = undefined
    const { failure } = socket
    if (failure === undefined) this.#runtime.completeClose(token)
    else this.#runtime.fail(token, failure, STREAM_REASONS[failure] ?? 'the connection ended before its end was heard')
    this.#release(socket)
    // Bytes that nobody will read any more: their sender is told (RFC 1122 section 4.2.2.13).
    if (socket.hasDiscarded) connection.abort()
    else connection.close(this.#tcp.now)
    this.#tcp.touch(endpoint)
  }

  /** Gives up an `asyncClose`: it goes on in the background, and nobody hears of it. */
  cancelClose(socket: StreamSocket): void {
    if (socket.waiting !== undefined) socket.waiting.close = undefined
    this.close(socket)
  }

  /** Bytes that come while the end is waited for have no reader; the window stays open, so that the peer goes on to read. */
  #discard(socket: StreamSocket): void {
    const { connection } = socket.endpoint as NonNullable<StreamSocket['endpoint']>
    while (connection.readable > 0) {
      const chain = this.#chain
      chain.clear()
      connection.read(connection.readable, chain, this.#tcp.now)
      for (let i = 0; i < chain.count; i++) this.#tcp.pool.release(chain.frame[i])
      socket.hasDiscarded = true
    }
  }

  #lingered(socket: StreamSocket): void {
    const { endpoint, waiting } = socket
    if (endpoint === undefined || waiting?.close === undefined) return
    const token = waiting.close
    waiting.close = undefined
    this.#transfer.dropPushes(socket, 'ETIMEDOUT')
    this.#runtime.fail(token, 'ETIMEDOUT', 'the peer did not acknowledge everything within the time to linger')
    this.#release(socket)
    this.#tcp.counters.values[EXT_ABORT_ON_LINGER]++
    endpoint.connection.abort()
    this.#tcp.touch(endpoint)
  }

  #cancelReads(socket: StreamSocket): void {
    const { waiting } = socket
    if (waiting === undefined) return
    const cancel = (token: QueueToken) => {
      if (this.#runtime.isPending(token)) this.#runtime.fail(token, 'ECANCELED', 'the queue was closed')
    }
    for (let pop: WaitingPop | undefined = waiting.pops.shift(); pop !== undefined; pop = waiting.pops.shift()) {
      cancel(pop.token)
    }
    for (let token = waiting.accepts.shift(); token !== undefined; token = waiting.accepts.shift()) cancel(token)
    if (waiting.connect !== undefined) cancel(waiting.connect)
    waiting.connect = undefined
  }

  /** Connections that wait for an accept are reset, half-open ones too. */
  #closeListener(socket: StreamSocket): void {
    const { listener } = socket
    if (listener === undefined) return
    this.#handshakes.close(listener)
    for (let waiting = listener.waiting.shift(); waiting !== undefined; waiting = listener.waiting.shift()) {
      waiting.listener = undefined
      listener.backlog.waiting--
      waiting.connection.abort()
      this.#tcp.touch(waiting)
    }
    this.#tcp.bound.close(listener)
    socket.listener = undefined
  }

  /** Parts a socket from its connection and its descriptor. */
  #release(socket: StreamSocket): void {
    const { endpoint, waiting, qd } = socket
    if (waiting !== undefined) this.#runtime.loop.timers.cancel(waiting.lingerTimer)
    this.#table.forget(socket)
    this.#runtime.close(qd)
    this.#transfer.dropPushes(socket, 'ECANCELED')
    if (endpoint !== undefined) endpoint.socket = undefined
    socket.endpoint = undefined
    socket.service = undefined
  }
}

/** What was told before an `asyncClose`, and is not told again: `EVENT_*`. */
function alreadyHeard(state: State): number {
  if (state === CLOSED) return EVENT_CLOSED
  return state === FIN_WAIT_2 || state === TIME_WAIT ? EVENT_FLUSHED : 0
}
