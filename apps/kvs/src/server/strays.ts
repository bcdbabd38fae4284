import { type DatagramBurst, type DatagramHandler, NO_REPLY } from '@parakernel/queue'
import type { Channel } from './channel.ts'
import { C_HAND_OVER_REFUSED, C_STRAYED, C_STRAYED_IN } from './counters.ts'
import type { Outbox } from './outbox.ts'
import type { PartitionState } from './partition-state.ts'
import { ReplyFrames } from './reply-frames.ts'
import { ENVELOPE, RingDatagram, writeEnvelope } from './ring-datagram.ts'

/** Messages of a channel that carry a stray of the native protocol, and of memcached's. */
export const KIND_NATIVE_STRAY = 5
export const KIND_TEXT_STRAY = 6

/**
 * Datagrams that came to another queue than that of the partition whose port they name, as they do where the device cannot
 * steer by port and spreads flows by a hash. They go by ring, whole, to the port's partition, which serves them like its own
 * and answers from its own socket: all partitions have one address. Not a fast path: each is copied twice.
 */
export class Strays {
  readonly #state: PartitionState
  readonly #channel: Channel
  readonly #kind: number
  readonly #outbox: Outbox
  readonly #serve: DatagramHandler
  readonly #incoming: RingDatagram
  /** Bytes of a datagram at most, in a frame of ours. */
  readonly #longest: number
  readonly #message: Uint8Array
  readonly #view: DataView

  /** @param serve what the partition does with datagrams of its own port; its answers leave through `outbox` */
  constructor(
    state: PartitionState,
    channel: Channel,
    kind: number,
    outbox: Outbox,
    serve: DatagramHandler,
    maxPayload?: number,
  ) {
    const { pool } = state
    this.#state = state
    this.#channel = channel
    this.#kind = kind
    this.#outbox = outbox
    this.#serve = serve
    const frames = new ReplyFrames(pool, maxPayload)
    this.#incoming = new RingDatagram(state, frames)
    this.#longest = pool.frameSize - pool.window.tailroom - frames.offset
    this.#message = new Uint8Array(ENVELOPE + this.#longest)
    this.#view = new DataView(this.#message.buffer)
    channel.on(kind, (_from, message, length, now) => this.#take(message, length, now))
  }

  /** Sends the datagrams of a burst on to partition `owner`. */
  forward(owner: number, burst: DatagramBurst): void {
    const { counters, pool } = this.#state
    for (let d = 0; d < burst.count; d++) {
      burst.reply[d] = NO_REPLY
      const length = burst.length[d]
      const at = burst.address[d]
      let sent = false
      if (length <= this.#longest) {
        writeEnvelope(this.#view, burst.peerAddress[d], burst.peerPort[d])
        this.#message.set(pool.bytes.subarray(at, at + length), ENVELOPE)
        sent = this.#channel.send(owner, this.#kind, this.#message, ENVELOPE + length)
      }
      counters.values[sent ? C_STRAYED : C_HAND_OVER_REFUSED]++
    }
  }

  #take(message: Uint8Array, length: number, now: number): void {
    if (!this.#incoming.open(message, length)) return
    this.#state.counters.values[C_STRAYED_IN]++
    const { burst } = this.#incoming
    this.#serve(burst, now)
    const elsewhere = burst.reply[0] > 0 && burst.replyFrame[0] >= 0
    const inPlace = burst.reply[0] > 0 && !elsewhere
    if (elsewhere) this.#send(burst.replyFrame[0], burst.replyAddress[0])
    if (inPlace) this.#send(burst.frame[0], burst.address[0])
    else this.#state.pool.release(burst.frame[0])
  }

  #send(frame: number, address: number): void {
    const { burst } = this.#incoming
    this.#outbox.add(frame, address, burst.reply[0], burst.peerAddress[0], burst.peerPort[0])
    this.#outbox.flush()
  }
}
