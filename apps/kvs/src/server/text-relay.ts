import type { Channel } from './channel.ts'
import { C_HAND_OVER_REFUSED, C_HANDED_BACK, C_HANDED_IN } from './counters.ts'
import type { PartitionState } from './partition-state.ts'
import { ReplyFrames } from './reply-frames.ts'
import type { TextServer } from './text-server.ts'

const KIND_VISIT = 3
const KIND_HOME = 4

/**
 * A text request on its way through the partitions that own its keys, with the reply as far as it has grown. It visits them
 * in the order of its commands and keys, and ends where the client had asked.
 */
export class Journey {
  origin = 0
  requestId = 0
  peerAddress = 0
  peerPort = 0
  /** Where to go on: a command of the request, and a step of it. */
  command = 0
  step = 0
  requestLength = 0
  reply: Uint8Array = new Uint8Array(0)
  replyLength = 0

  goOn(command: number, step: number): void {
    this.command = command
    this.step = step
  }

  setReply(bytes: Uint8Array, length: number): void {
    this.reply = bytes
    this.replyLength = length
  }
}

// Words of a journey's header in a message; request and reply follow.
const ORIGIN = 0
const REQUEST_ID = 4
const PEER_ADDRESS = 8
const PEER_PORT = 12
const COMMAND = 16
const STEP = 20
const REQUEST_LENGTH = 24
const REPLY_LENGTH = 28
const HEADER = 32

interface Departure {
  readonly id: number
  readonly peerAddress: number
  readonly peerPort: number
  readonly command: number
  readonly step: number
}

/** Sends and receives journeys. Not a fast path: a client that knows the partitions does not come here. */
export class TextRelay {
  readonly #state: PartitionState
  readonly #channel: Channel
  readonly #frames: ReplyFrames
  #server: TextServer | undefined
  #message = new Uint8Array(4096)

  constructor(state: PartitionState, channel: Channel) {
    this.#state = state
    this.#channel = channel
    this.#frames = new ReplyFrames(state.pool, Number.MAX_SAFE_INTEGER)
    channel.on(KIND_VISIT, (_from, message, length, now) => this.#visit(message, length, now))
    channel.on(KIND_HOME, (_from, message, length) => this.#home(message, length))
  }

  /** The server that runs what arrives. */
  attach(server: TextServer): void {
    this.#server = server
  }

  /** Starts a journey here. False when there is no room on the way. */
  depart(
    owner: number,
    departure: Departure,
    bytes: Uint8Array,
    address: number,
    length: number,
    reply: { readonly bytes: Uint8Array; readonly length: number },
  ): boolean {
    const journey = new Journey()
    journey.origin = this.#state.index
    journey.requestId = departure.id
    journey.peerAddress = departure.peerAddress
    journey.peerPort = departure.peerPort
    journey.goOn(departure.command, departure.step)
    journey.requestLength = length
    journey.setReply(reply.bytes, reply.length)
    return this.#post(owner, KIND_VISIT, journey, bytes, address)
  }

  /** Sends a journey on, or home when it is over. */
  send(to: number, journey: Journey, bytes: Uint8Array, address: number, over: boolean): void {
    if (over && journey.origin === this.#state.index) {
      this.#server?.deliver(journey)
      return
    }
    const sent = this.#post(to, over ? KIND_HOME : KIND_VISIT, journey, bytes, address)
    // Lost as a datagram is lost: what ran has run, and the client asks again.
    if (!sent) this.#state.counters.values[C_HAND_OVER_REFUSED]++
  }

  #post(to: number, kind: number, journey: Journey, bytes: Uint8Array, address: number): boolean {
    const length = HEADER + journey.requestLength + journey.replyLength
    if (this.#message.length < length) this.#message = new Uint8Array(length * 2)
    const view = new DataView(this.#message.buffer)
    view.setInt32(ORIGIN, journey.origin, true)
    view.setInt32(REQUEST_ID, journey.requestId, true)
    view.setInt32(PEER_ADDRESS, journey.peerAddress, true)
    view.setInt32(PEER_PORT, journey.peerPort, true)
    view.setInt32(COMMAND, journey.command, true)
    view.setInt32(STEP, journey.step, true)
    view.setInt32(REQUEST_LENGTH, journey.requestLength, true)
    view.setInt32(REPLY_LENGTH, journey.replyLength, true)
    this.#message.set(bytes.subarray(address, address + journey.requestLength), HEADER)
    this.#message.set(journey.reply.subarray(0, journey.replyLength), HEADER + journey.requestLength)
    return this.#channel.send(to, kind, this.#message, length)
  }

  #visit(message: Uint8Array, length: number, now: number): void {
    const { pool, counters } = this.#state
    const journey = this.#read(message, length)
    const frame = pool.allocate()
    if (frame < 0 || journey.requestLength > this.#frames.room) {
      if (frame >= 0) pool.release(frame)
      counters.values[C_HAND_OVER_REFUSED]++
      return
    }
    const address = this.#frames.address(frame)
    pool.bytes.set(message.subarray(HEADER, HEADER + journey.requestLength), address)
    counters.values[C_HANDED_IN]++
    this.#server?.handleJourney(journey, frame, address, now)
    pool.release(frame)
  }

  #home(message: Uint8Array, length: number): void {
    this.#state.counters.values[C_HANDED_BACK]++
    this.#server?.deliver(this.#read(message, length))
  }

  #read(message: Uint8Array, length: number): Journey {
    const view = new DataView(message.buffer, message.byteOffset)
    const journey = new Journey()
    journey.origin = view.getInt32(ORIGIN, true)
    journey.requestId = view.getInt32(REQUEST_ID, true)
    journey.peerAddress = view.getInt32(PEER_ADDRESS, true)
    journey.peerPort = view.getInt32(PEER_PORT, true)
    journey.goOn(view.getInt32(COMMAND, true), view.getInt32(STEP, true))
    journey.requestLength = view.getInt32(REQUEST_LENGTH, true)
    journey.setReply(message.slice(HEADER + journey.requestLength, length), view.getInt32(REPLY_LENGTH, true))
    return journey
  }
}
