import {
  STREAM_CLOSED,
  STREAM_DATA,
  STREAM_ECHO,
  STREAM_ENDED,
  STREAM_KEEP,
  STREAM_LATER,
  STREAM_OPENED,
  STREAM_RELEASE,
  STREAM_WRITABLE,
  StreamBurst,
  type StreamHandler,
} from '@parakernel/queue'
import { FrameChain } from '../tcp/buffer/frame-chain.ts'
import { CLOSED, TIME_WAIT } from '../tcp/state.ts'
import type { StreamClosing } from './stream-closing.ts'
import type { StreamSocket } from './stream-socket.ts'
import type { StreamTransfer } from './stream-transfer.ts'
import type { TcpContext } from './tcp-context.ts'

/** Entries of a burst. */
const CAPACITY = 64

// What a socket's `heard` holds beside the `STREAM_OPENED`, `_ENDED` and `_CLOSED` that it was told.
/** It stands in the list of its service. */
const NOTED = 1 << 8
/** Its handler put bytes off: they are not offered until something changes. */
const PUT_OFF = 1 << 9
/** A `sendStream` was refused for want of room. */
const WANTS_ROOM = 1 << 10
/** It stands in the list of those that `resumeStream` was called for. */
const RESUMED = 1 << 11

/** A handler, and the sockets that have something to tell it. One for each `serveStreams`: small, for there may be many. */
export class StreamService {
  readonly handler: StreamHandler
  /** Sockets to be told of, from `first` to `last`. */
  readonly noted: (StreamSocket | undefined)[] = [undefined]
  first = 0
  last = 0

  constructor(handler: StreamHandler) {
    this.handler = handler
  }
}

/**
 * The fast face: what happened on streams goes to their handlers in bursts, and what handlers decide about the bytes goes back to the
 * connections. Slices leave the receive queue before the handler sees them, so that it may close the connection meanwhile;
 * those put off are put back. Nothing is allocated a segment.
 */
export class StreamServing {
  readonly #tcp: TcpContext
  readonly #transfer: StreamTransfer
  readonly #closing: StreamClosing
  readonly #chain = new FrameChain(CAPACITY)
  /** Handlers are called one after the other: one burst serves them all. */
  readonly #burst = new StreamBurst(CAPACITY)
  /** The socket of each entry of the burst. */
  readonly #sockets: (StreamSocket | undefined)[] = new Array(CAPACITY).fill(undefined)
  /** Services with sockets to be told of. */
  readonly #services: (StreamService | undefined)[] = []
  /** Of them; the array keeps its length, since one that shrinks and grows is made anew each time. */
  #serviceCount = 0
  readonly #resumed: StreamSocket[] = []

  constructor(context: TcpContext, transfer: StreamTransfer, closing: StreamClosing) {
    this.#tcp = context
    this.#transfer = transfer
    this.#closing = closing
  }

  /** Whether some stream is to be offered again. */
  get hasResumed(): boolean {
    return this.#resumed.length > 0
  }

  /** A connected socket is served from now on: what it holds is offered. */
  begin(socket: StreamSocket, service: StreamService, opened: boolean): void {
    socket.service = service
    socket.heard = opened ? 0 : STREAM_OPENED
    this.note(socket)
  }

  /** Something happened on a served socket. */
  note(socket: StreamSocket): void {
    const { service } = socket
    if (service === undefined || (socket.heard & NOTED) !== 0) return
    socket.heard |= NOTED
    if (service.first === service.last) {
      service.first = 0
      service.last = 0
      if (this.#serviceCount < this.#services.length) this.#services[this.#serviceCount] = service
      else this.#services.push(service)
      this.#serviceCount++
    }
    if (service.last < service.noted.length) service.noted[service.last] = socket
    else service.noted.push(socket)
    service.last++
  }

  /** There is room to send, after there was none. */
  writable(socket: StreamSocket): void {
    socket.heard &= ~PUT_OFF
    this.note(socket)
  }

  resume(socket: StreamSocket): void {
    if ((socket.heard & (PUT_OFF | RESUMED)) !== PUT_OFF) return
    socket.heard |= RESUMED
    this.#resumed.push(socket)
  }

  send(socket: StreamSocket, frame: number, address: number, length: number): boolean {
    const { endpoint } = socket
    if (endpoint === undefined || this.#transfer.refusal(socket) !== undefined) return false
    if (this.#transfer.roomOf(socket) <= 0) {
      socket.heard |= WANTS_ROOM
      return false
    }
    if (!endpoint.connection.write(frame, address, length)) return false
    this.#tcp.touch(endpoint)
    return true
  }

  /** What `resumeStream` asked for is offered in this round. */
  takeResumed(): void {
    for (let socket = this.#resumed.pop(); socket !== undefined; socket = this.#resumed.pop()) {
      socket.heard &= ~(RESUMED | PUT_OFF)
      this.note(socket)
    }
  }

  /** Calls the handlers of all sockets that were noted. True when there were any. */
  deliver(now: number): boolean {
    if (this.#serviceCount === 0) return false
    while (this.#serviceCount > 0) {
      const service = this.#services[--this.#serviceCount] as StreamService
      this.#services[this.#serviceCount] = undefined
      this.#serve(service, now)
    }
    return true
  }

  #serve(service: StreamService, now: number): void {
    const { noted } = service
    const burst = this.#burst
    while (service.first < service.last) {
      burst.count = 0
      while (service.first < service.last) {
        const socket = noted[service.first] as StreamSocket
        if (!this.#fill(service, socket)) break
        noted[service.first++] = undefined
        socket.heard &= ~NOTED
      }
      if (burst.count === 0) continue
      service.handler(burst, now)
      this.#settle(service)
    }
    service.first = 0
    service.last = 0
  }

  /** Appends what a socket has to tell; false when the burst has no room for all of it. */
  #fill(service: StreamService, socket: StreamSocket): boolean {
    const { endpoint } = socket
    if (endpoint === undefined || socket.service !== service) return true
    const burst = this.#burst
    const { connection } = endpoint
    if ((socket.heard & STREAM_OPENED) === 0) {
      if (burst.count === CAPACITY) return false
      socket.heard |= STREAM_OPENED
      this.#append(socket, STREAM_OPENED)
    }
    if ((socket.heard & PUT_OFF) === 0 && connection.readable > 0 && !this.#fillData(socket)) return false
    if ((socket.heard & WANTS_ROOM) !== 0 && this.#transfer.roomOf(socket) > 0) {
      if (burst.count === CAPACITY) return false
      socket.heard &= ~WANTS_ROOM
      this.#append(socket, STREAM_WRITABLE)
    }
    // Bytes of this burst may be put off: the end is told in the next one.
    const inBurst = socket.offered > 0 || connection.readable > 0
    if (connection.failure === undefined && (inBurst || !connection.ended)) return true
    if (connection.failure === undefined && (socket.heard & STREAM_ENDED) === 0) {
      if (burst.count === CAPACITY) return false
      socket.heard |= STREAM_ENDED
      this.#append(socket, STREAM_ENDED)
    }
    if ((connection.state === CLOSED || connection.state === TIME_WAIT) && (socket.heard & STREAM_CLOSED) === 0) {
      if (burst.count === CAPACITY) return false
      socket.heard |= STREAM_CLOSED
      this.#append(socket, STREAM_CLOSED)
    }
    return true
  }

  /** The slices that wait, whose references the burst now has; false when some are left. */
  #fillData(socket: StreamSocket): boolean {
    const burst = this.#burst
    const { receiveQueue } = (socket.endpoint as NonNullable<StreamSocket['endpoint']>).connection
    const chain = this.#chain
    chain.clear()
    receiveQueue.peek(chain)
    for (let i = 0; i < chain.count; i++) {
      if (burst.count === CAPACITY) return false
      const at = burst.count
      this.#append(socket, STREAM_DATA)
      burst.frame[at] = chain.frame[i]
      burst.address[at] = chain.address[i]
      burst.length[at] = chain.length[i]
      receiveQueue.shift()
      socket.offered++
    }
    return receiveQueue.slices === 0
  }

  #append(socket: StreamSocket, event: number): void {
    const burst = this.#burst
    const at = burst.count++
    this.#sockets[at] = socket
    burst.qd[at] = socket.qd
    burst.event[at] = event
    burst.frame[at] = -1
    burst.address[at] = 0
    burst.length[at] = 0
    burst.verdict[at] = STREAM_RELEASE
  }

  /** Does what the handler decided: in order first, then backwards for what goes back to the queues. */
  #settle(service: StreamService): void {
    const burst = this.#burst
    const sockets = this.#sockets
    for (let i = 0; i < burst.count; i++) {
      const socket = sockets[i] as StreamSocket
      if (burst.event[i] === STREAM_DATA) this.#settleData(burst, socket, i)
      else if (burst.event[i] === STREAM_CLOSED && socket.service === service) this.#closing.close(socket)
    }
    for (let i = burst.count - 1; i >= 0; i--) {
      const socket = sockets[i] as StreamSocket
      sockets[i] = undefined
      if (burst.event[i] !== STREAM_DATA) continue
      if (burst.verdict[i] === STREAM_LATER) this.#putBack(socket, burst, i)
      if (--socket.offered > 0) continue
      this.#settled(socket)
    }
  }

  #settleData(burst: StreamBurst, socket: StreamSocket, i: number): void {
    const frame = burst.frame[i]
    const length = burst.length[i]
    const { endpoint } = socket
    let verdict = burst.verdict[i]
    if ((socket.heard & PUT_OFF) !== 0) verdict = verdict === STREAM_KEEP ? STREAM_KEEP : STREAM_LATER
    if (verdict === STREAM_ECHO && endpoint !== undefined && this.#transfer.refusal(socket) === undefined) {
      if (this.#transfer.roomOf(socket) <= 0) verdict = STREAM_LATER
      else if (endpoint.connection.write(frame, burst.address[i], length)) {
        endpoint.connection.taken(length, this.#tcp.now)
        burst.verdict[i] = STREAM_KEEP
        return
      }
    }
    if (verdict === STREAM_LATER) {
      socket.heard |= PUT_OFF
      burst.verdict[i] = STREAM_LATER
      return
    }
    endpoint?.connection.taken(length, this.#tcp.now)
    if (verdict !== STREAM_KEEP) this.#tcp.pool.release(frame)
    burst.verdict[i] = verdict
  }

  #putBack(socket: StreamSocket, burst: StreamBurst, i: number): void {
    const { endpoint } = socket
    if (endpoint === undefined) this.#tcp.pool.release(burst.frame[i])
    else endpoint.connection.receiveQueue.unshift(burst.frame[i], burst.address[i], burst.length[i])
  }

  /** All entries of a socket are settled: it may have something to send, and the end may follow. */
  #settled(socket: StreamSocket): void {
    const { endpoint } = socket
    if (endpoint === undefined) return
    const { connection } = endpoint
    this.#tcp.touch(endpoint)
    if (connection.failure !== undefined || (connection.readable === 0 && connection.ended)) this.note(socket)
  }
}
