import type { ErrorCode } from '@parakernel/hal'
import { type QueueRuntime, type QueueToken, ScatterGatherArray, type Segment } from '@parakernel/queue'
import { FrameChain } from '../tcp/buffer/frame-chain.ts'
import { MEMORY_NORMAL } from '../tcp/buffer/memory-budget.ts'
import { STREAM_REASONS } from './stream-reasons.ts'
import type { StreamSocket, WaitingPop, WaitingPush } from './stream-socket.ts'
import type { TcpContext } from './tcp-context.ts'

/** Slices that one pop hands out at most. */
const LARGEST_POP = 256

/** Pushes and pops of stream sockets: between the tokens of the application and the queues of a connection. */
export class StreamTransfer {
  readonly #tcp: TcpContext
  readonly #runtime: QueueRuntime
  readonly #chain = new FrameChain(LARGEST_POP)
  /** Sockets that wait for memory, not for their peer. */
  readonly #starved: StreamSocket[] = []

  constructor(context: TcpContext, runtime: QueueRuntime) {
    this.#tcp = context
    this.#runtime = runtime
  }

  get isStarving(): boolean {
    return this.#starved.length > 0
  }

  /** Bytes that a socket may write now. At 0 there will be an `EVENT_WRITABLE`, or it is among the starved. */
  roomOf(socket: StreamSocket): number {
    const connection = socket.endpoint?.connection
    if (connection === undefined) return 0
    const room = connection.canWrite
    if (room === 0 || this.#tcp.budget.level === MEMORY_NORMAL) return room
    // Memory is short: each connection gets as much as it needs to go on, and no more.
    const least = this.#tcp.settings.sendBufferMinimum - connection.sendQueue.bytes
    if (least > 0) return Math.min(room, least)
    if (!socket.isStarved) {
      socket.isStarved = true
      this.#starved.push(socket)
    }
    return 0
  }

  /** Takes the sockets out that waited for memory, if some of them may go on now; each is to be tried again. */
  takeStarved(): readonly StreamSocket[] {
    if (this.#starved.length === 0) return NONE
    const all = this.#starved.splice(0)
    for (const socket of all) socket.isStarved = false
    return all
  }

  /** Writes an array as far as there is room, and lets its token wait for the rest. The array stays the caller's. */
  push(socket: StreamSocket, sga: ScatterGatherArray, token: QueueToken): void {
    const refusal = this.refusal(socket)
    if (refusal !== undefined) {
      this.#fail(token, refusal)
      return
    }
    const { pool } = this.#tcp
    const wrong = sga.refusalBy(pool)
    if (wrong !== undefined) {
      this.#runtime.fail(token, 'EINVAL', wrong)
      return
    }
    const { segments } = sga
    const bytes = sga.byteLength
    let index = 0
    if (socket.waiting === undefined || socket.waiting.pushes.size === 0) {
      index = this.#write(socket, segments, 0, true)
      if (index === segments.length) {
        this.#runtime.completePush(token, bytes)
        return
      }
    }
    for (let i = index; i < segments.length; i++) pool.retain(segments[i].frame)
    socket.tokens.pushes.push({ token, segments, bytes, index })
  }

  /** Hands out what is there, or lets the token wait. */
  pop(socket: StreamSocket, limit: number, token: QueueToken): void {
    if (!socket.isConnected && socket.failure === undefined) {
      this.#fail(token, 'ENOTCONN')
      return
    }
    if (socket.service !== undefined) {
      this.#fail(token, 'EBUSY')
      return
    }
    socket.tokens.pops.push({ token, limit })
    this.drainPops(socket)
  }

  /** Completes the pops that can be: with bytes, with the end, or with what ended the connection. */
  drainPops(socket: StreamSocket): void {
    const { waiting, endpoint } = socket
    if (waiting === undefined || endpoint === undefined) return
    const { connection } = endpoint
    const { pops } = waiting
    while (pops.size > 0) {
      const readable = connection.readable > 0
      if (!readable && socket.failure === undefined && !connection.ended) return
      const { token, limit } = pops.shift() as WaitingPop
      if (readable) this.#runtime.completePop(token, this.#take(socket, limit), undefined)
      else if (socket.failure !== undefined) this.#fail(token, socket.failure)
      else this.#runtime.completePop(token, new ScatterGatherArray(this.#tcp.pool, []), undefined)
    }
  }

  /** Goes on with the pushes that wait, as far as there is room; true when none is left. */
  flushPushes(socket: StreamSocket): boolean {
    const pushes = socket.waiting?.pushes
    if (pushes === undefined) return true
    while (pushes.size > 0) {
      const push = pushes.first as WaitingPush
      push.index = this.#write(socket, push.segments, push.index, false)
      if (push.index < push.segments.length) return false
      pushes.shift()
      if (push.token !== undefined) this.#runtime.completePush(push.token, push.bytes)
    }
    return true
  }

  /** Nothing more will be sent: pushes that wait fail, if their tokens are still pending, and give their frames back. */
  dropPushes(socket: StreamSocket, code: ErrorCode): void {
    const pushes = socket.waiting?.pushes
    if (pushes === undefined) return
    for (let push = pushes.shift(); push !== undefined; push = pushes.shift()) {
      this.#release(push)
      if (push.token !== undefined && this.#runtime.isPending(push.token)) this.#fail(push.token, code)
    }
  }

  /** Gives up a pop, or a push of which nothing has gone. One that has begun goes on: half of it would be worse than all. */
  cancel(socket: StreamSocket, token: QueueToken): void {
    const { waiting } = socket
    if (waiting === undefined) return
    waiting.pops.removeWhere((pop) => pop.token === token)
    const isFirst = waiting.pushes.first?.token === token
    if (isFirst && (waiting.pushes.first as WaitingPush).index > 0) {
      ;(waiting.pushes.first as WaitingPush).token = undefined
      return
    }
    const push = waiting.pushes.removeWhere((other) => other.token === token)
    if (push !== undefined) this.#release(push)
  }

  /** Why a socket cannot send, if it cannot. */
  refusal(socket: StreamSocket): ErrorCode | undefined {
    if (socket.failure !== undefined) return socket.failure
    if (!socket.isConnected) return 'ENOTCONN'
    return socket.isFinished ? 'EPIPE' : undefined
  }

  /** Writes segments from `index` on while there is room; returns the index of the first that was not written. */
  #write(socket: StreamSocket, segments: readonly Segment[], index: number, retain: boolean): number {
    const { pool } = this.#tcp
    const { endpoint } = socket
    if (endpoint === undefined) return index
    let i = index
    while (i < segments.length && this.roomOf(socket) > 0) {
      const { frame, address, length } = segments[i++]
      if (retain) pool.retain(frame)
      if (!endpoint.connection.write(frame, address, length)) pool.release(frame)
    }
    if (i > index) this.#tcp.touch(endpoint)
    return i
  }

  #take(socket: StreamSocket, limit: number): ScatterGatherArray {
    const endpoint = socket.endpoint as NonNullable<StreamSocket['endpoint']>
    const chain = this.#chain
    chain.clear()
    endpoint.connection.read(limit, chain, this.#tcp.now)
    const segments: Segment[] = []
    for (let i = 0; i < chain.count; i++) {
      segments.push({ frame: chain.frame[i], address: chain.address[i], length: chain.length[i] })
    }
    this.#tcp.touch(endpoint)
    return new ScatterGatherArray(this.#tcp.pool, segments)
  }

  #release({ segments, index }: WaitingPush): void {
    for (let i = index; i < segments.length; i++) this.#tcp.pool.release(segments[i].frame)
  }

  #fail(token: QueueToken, code: ErrorCode): void {
    this.#runtime.fail(token, code, STREAM_REASONS[code] ?? 'the connection has ended')
  }
}

const NONE: readonly StreamSocket[] = []
