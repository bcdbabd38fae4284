import {
  type QueueDescriptor,
  STREAM_CLOSED,
  STREAM_DATA,
  STREAM_ECHO,
  STREAM_ENDED,
  STREAM_KEEP,
  STREAM_LATER,
  STREAM_OPENED,
  STREAM_WRITABLE,
} from '@parakernel/queue'
import type { SocketContext } from '../context.ts'
import { ECHO_REFUSED } from '../statistics.ts'
import type { Connection, ConnectionListener } from './connection.ts'
import type { ServedStreams } from './served-streams.ts'

/** Entries that one connection may fill in a burst, so that the others have their turn. */
const PER_CONNECTION = 8
/** Until frames are looked for again when the pool has none, in milliseconds. */
const POOL_RETRY = 1

/** What the fast face knows of one connection: what it has told the handler, and what it still has to tell. */
export class Service implements ConnectionListener {
  readonly qd: QueueDescriptor
  readonly #served: ServedStreams
  readonly #connection: Connection
  readonly #context: SocketContext
  readonly #onClosed: () => void
  #opened: boolean
  #endedHeard = false
  #closedHeard = false
  /** A `sendStream` was refused. */
  #wantsRoom = false
  /** The handler puts bytes off: until there is room that there was not, or until `resume`. */
  #held = false
  #heldForRoom = false
  #gone = false
  /** Bytes in the burst that the handler looks at. */
  #offered = 0

  constructor(
    served: ServedStreams,
    context: SocketContext,
    connection: Connection,
    qd: QueueDescriptor,
    isNew: boolean,
    onClosed: () => void,
  ) {
    this.#served = served
    this.#context = context
    this.#connection = connection
    this.qd = qd
    this.#opened = !isNew
    this.#onClosed = onClosed
    connection.listener = this
    served.stir(this)
  }

  changed(): void {
    if (this.#heldForRoom && this.#connection.send.hasRoom) this.#unhold()
    this.#served.stir(this)
  }

  resume(): void {
    this.#unhold()
    this.#served.stir(this)
  }

  /** A send found no room: the handler is told when there is some. */
  refused(): void {
    this.#wantsRoom = true
  }

  /** The descriptor was closed, or goes back to pops. */
  leave(): void {
    // A handler that closes its connection has seen what the burst says.
    this.#connection.receive.drop(this.#offered)
    this.#offered = 0
    this.#gone = true
    this.#served.leave(this)
  }

  /** Fills the burst with what there is to tell. */
  offer(): void {
    if (this.#gone || this.#closedHeard) return
    const served = this.#served
    const connection = this.#connection
    const before = served.room
    if (!this.#opened) this.#opened = served.add(this, STREAM_OPENED)
    if (this.#wantsRoom && connection.canSend && connection.send.hasRoom) {
      this.#wantsRoom = !served.add(this, STREAM_WRITABLE)
    }
    if (connection.failure !== undefined) connection.receive.clear()
    if (!this.#held) this.#offerBytes(before)
    const quiet = connection.receive.bytes === 0
    if (quiet && connection.ended && !this.#endedHeard) this.#endedHeard = served.add(this, STREAM_ENDED)
    const over = connection.failure !== undefined || (connection.closed && quiet && this.#endedHeard)
    if (over) this.#closedHeard = served.add(this, STREAM_CLOSED)
    if (served.room === 0) served.stir(this)
  }

  /** Does what the handler said about some bytes; true when it keeps the frame. */
  settle(verdict: number, address: number, length: number): boolean {
    const keeps = verdict === STREAM_KEEP
    if (this.#gone) return keeps
    this.#offered -= length
    // The rows after one that was put off are void: their bytes come again.
    if (this.#held) return keeps
    const { send, receive, canSend } = this.#connection
    if (verdict === STREAM_LATER || (verdict === STREAM_ECHO && canSend && !send.hasRoom)) {
      this.#held = true
      this.#heldForRoom = !send.hasRoom
      return false
    }
    if (verdict === STREAM_ECHO) {
      if (canSend) send.write(this.#served.pool.bytes.slice(address, address + length))
      else this.#context.counters.values[ECHO_REFUSED]++
    }
    receive.drop(length)
    return keeps
  }

  /** The burst that it took part in was settled. */
  offered(): void {
    if (this.#gone) return
    this.#connection.readOn()
    const { receive, ended } = this.#connection
    if ((receive.bytes > 0 && !this.#held) || (ended && !this.#endedHeard)) this.#served.stir(this)
    if (this.#connection.closed || this.#connection.failure !== undefined) this.#served.stir(this)
  }

  end(): void {
    if (!this.#gone) this.#onClosed()
  }

  #unhold(): void {
    this.#held = false
    this.#heldForRoom = false
  }

  #offerBytes(before: number): void {
    const { receive } = this.#connection
    const { pool } = this.#served
    const room = pool.frameSize - pool.headroom - pool.window.tailroom
    for (let at = 0; at < receive.bytes && before - this.#served.room < PER_CONNECTION; ) {
      if (this.#served.room === 0) return
      const frame = pool.allocate()
      if (frame < 0) {
        // Somebody has to give frames back first; they are looked for again in a while.
        setTimeout(() => this.#served.stir(this), POOL_RETRY)
        return
      }
      const address = pool.address(frame) + pool.headroom
      const length = Math.min(room, receive.bytes - at)
      receive.copy(at, length, pool.bytes, address)
      this.#served.addBytes(this, STREAM_DATA, frame, address, length)
      this.#offered += length
      at += length
    }
  }
}
