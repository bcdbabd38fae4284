import { type DatagramBurst, NO_REPLY } from '@parakernel/queue'
import { CommandTable } from '../protocol/memcached/command-table.ts'
import {
  FRAME_HEADER_BYTES,
  MAX_DATAGRAM_BYTES,
  requestIdOf,
  totalOf,
  writeFrameHeader,
} from '../protocol/memcached/frame-header.ts'
import { ReplyBuilder } from '../protocol/memcached/reply-builder.ts'
import { TextParser } from '../protocol/memcached/request-parser.ts'
import { TEXT_BUSY, TEXT_DENIED, TEXT_MULTI_PACKET, TEXT_RESPONSE_TOO_LARGE } from '../protocol/memcached/texts.ts'
import {
  C_COOKIE_REQUIRED,
  C_FROM_SERVER_PORT,
  C_HAND_OVER_REFUSED,
  C_HANDED_OVER,
  C_IN_PLACE,
  C_MALFORMED,
  C_MEMCACHED_COMMANDS,
  C_MEMCACHED_DATAGRAMS,
  C_NO_FRAME,
  C_NOT_A_REQUEST,
  C_OVERFLOW,
  C_SPARE,
  C_UNKNOWN,
} from './counters.ts'
import type { Outbox } from './outbox.ts'
import { type PartitionState, TEXT_CHUNK } from './partition-state.ts'
import { ReplyFrames } from './reply-frames.ts'
import { TextCommands } from './text-commands.ts'
import type { Journey, TextRelay } from './text-relay.ts'

/** Commands in a datagram at most: the shortest, "x\n", has two bytes. */
const MOST_COMMANDS = 1024
/** What an address without trust is sent at most, if its request was shorter. */
const SMALL_REPLY = 40

/**
 * memcached's text protocol over UDP, over receive bursts. The keys of a burst are gathered and touched together; then the
 * commands run one after the other. A command whose key another partition owns makes the request travel there (see
 * `TextRelay`), so that the commands of a datagram always run in order.
 */
export class TextServer {
  readonly #state: PartitionState
  readonly #outbox: Outbox
  readonly #relay: TextRelay | undefined
  readonly #commands = new CommandTable(MOST_COMMANDS + TEXT_CHUNK)
  readonly #parser: TextParser
  readonly #executor: TextCommands
  readonly #reply = new ReplyBuilder()
  readonly #frames: ReplyFrames
  readonly #firstCommand: Int32Array
  /** -1: nothing to answer; -2: not a single datagram. */
  readonly #commandCount: Int32Array

  constructor(
    state: PartitionState,
    outbox: Outbox,
    options: { readonly burst: number; readonly relay?: TextRelay | undefined; readonly wallClock?: () => number },
  ) {
    this.#state = state
    this.#outbox = outbox
    this.#relay = options.relay
    this.#parser = new TextParser(state.textBatch, this.#commands, options.wallClock)
    this.#executor = new TextCommands(state, this.#commands)
    this.#frames = new ReplyFrames(state.pool, MAX_DATAGRAM_BYTES)
    this.#firstCommand = new Int32Array(options.burst)
    this.#commandCount = new Int32Array(options.burst)
  }

  /** The `DatagramHandler`. */
  handle(burst: DatagramBurst, now: number): void {
    const { textBatch, store } = this.#state
    const milliseconds = Math.floor(now / 1e6)
    this.#executor.flushIfDue(milliseconds)
    let d = 0
    while (d < burst.count) {
      const from = d
      this.#begin()
      do {
        this.#read(burst, d, milliseconds)
        d++
      } while (d < burst.count && textBatch.count < TEXT_CHUNK && this.#commands.count < TEXT_CHUNK)
      if (textBatch.count > 0) store.prepare(textBatch, milliseconds)
      for (let answered = from; answered < d; answered++) this.#answer(burst, answered, milliseconds)
    }
    this.#outbox.flush()
  }

  /** A request that another partition sent here; its bytes lie at `address` in `frame`, which the caller holds. */
  handleJourney(journey: Journey, frame: number, address: number, now: number): void {
    const milliseconds = Math.floor(now / 1e6)
    this.#executor.flushIfDue(milliseconds)
    this.#begin()
    const { textBatch, store } = this.#state
    this.#parser.parse(address, journey.requestLength, milliseconds)
    if (textBatch.count > 0) store.prepare(textBatch, milliseconds)
    this.#reply.clear()
    this.#reply.append(journey.reply, 0, journey.replyLength)
    const next = this.#run(0, this.#commands.count, journey, milliseconds)
    journey.setReply(this.#reply.bytes, this.#reply.length)
    const { journal, pool } = this.#state
    const waitsFor = journal?.take() ?? 0
    // A journey on which nothing can be promised ends here, as a datagram is lost.
    if (waitsFor < 0) return
    const goOn = () => this.#relay?.send(next < 0 ? journey.origin : next, journey, pool.bytes, address, next < 0)
    if (waitsFor === 0) {
      goOn()
      return
    }
    journey.setReply(this.#reply.bytes.slice(0, this.#reply.length), this.#reply.length)
    pool.retain(frame)
    journal?.whenDurable(waitsFor, (isDurable) => {
      if (isDurable) goOn()
      pool.release(frame)
    })
  }

  /** The reply to a journey that is over, in the partition that the client had asked. */
  deliver(journey: Journey): void {
    this.#reply.clear()
    this.#reply.append(journey.reply, 0, journey.replyLength)
    this.#limit(journey.peerAddress, journey.requestLength + FRAME_HEADER_BYTES)
    this.#sendAll(journey.requestId, journey.peerAddress, journey.peerPort, 0)
    this.#outbox.flush()
  }

  #begin(): void {
    this.#state.textBatch.count = 0
    this.#commands.count = 0
  }

  #read(burst: DatagramBurst, d: number, milliseconds: number): void {
    const { counters, pool } = this.#state
    const values = counters.values
    const length = burst.length[d]
    const address = burst.address[d]
    burst.reply[d] = NO_REPLY
    values[C_MEMCACHED_DATAGRAMS]++
    this.#commandCount[d] = -1
    if (this.#state.isServerPort(burst.peerPort[d])) {
      values[C_FROM_SERVER_PORT]++
      return
    }
    if (length <= FRAME_HEADER_BYTES) {
      values[C_NOT_A_REQUEST]++
      return
    }
    if (totalOf(pool.view, address) !== 1) {
      this.#commandCount[d] = -2
      values[C_MALFORMED]++
      return
    }
    const before = this.#commands.count
    this.#parser.parse(address + FRAME_HEADER_BYTES, length - FRAME_HEADER_BYTES, milliseconds)
    values[C_MALFORMED] += this.#parser.errors - this.#parser.unknown
    values[C_UNKNOWN] += this.#parser.unknown
    values[C_MEMCACHED_COMMANDS] += this.#commands.count - before
    this.#firstCommand[d] = before
    this.#commandCount[d] = this.#commands.count - before
  }

  #answer(burst: DatagramBurst, d: number, milliseconds: number): void {
    const count = this.#commandCount[d]
    if (count === -1) return
    const reply = this.#reply
    reply.clear()
    const address = burst.address[d]
    const { pool } = this.#state
    const id = requestIdOf(pool.view, address)
    let waitsFor = 0
    if (count === -2) reply.text(TEXT_MULTI_PACKET)
    else {
      const first = this.#firstCommand[d]
      const next = this.#run(first, first + count, undefined, milliseconds)
      waitsFor = this.#state.journal?.take() ?? 0
      // The log took nothing: of these writes nothing is promised.
      if (waitsFor < 0) return
      if (next >= 0) {
        if (this.#depart(burst, d, id, next, waitsFor)) return
        reply.clear()
        reply.text(TEXT_BUSY)
      }
    }
    this.#limit(burst.peerAddress[d], burst.length[d])
    if (reply.length === 0) return
    if (waitsFor > 0) {
      this.#sendAll(id, burst.peerAddress[d], burst.peerPort[d], 0, waitsFor)
      return
    }
    if (FRAME_HEADER_BYTES + reply.length <= Math.min(burst.room[d], this.#frames.room)) {
      // The request has been read: its frame takes the reply.
      this.#write(address, id, 0, 1, 0, reply.length)
      burst.reply[d] = FRAME_HEADER_BYTES + reply.length
      this.#state.counters.values[C_IN_PLACE]++
      return
    }
    const frame = pool.allocate()
    if (frame < 0) {
      this.#state.counters.values[C_NO_FRAME]++
      return
    }
    const chunk = this.#frames.room - FRAME_HEADER_BYTES
    const first = Math.min(chunk, reply.length)
    this.#write(this.#frames.address(frame), id, 0, Math.ceil(reply.length / chunk), 0, first)
    this.#frames.replyFrom(burst, d, frame, FRAME_HEADER_BYTES + first)
    this.#state.counters.values[C_SPARE]++
    this.#sendAll(id, burst.peerAddress[d], burst.peerPort[d], 1)
  }

  /** What a command still has to do after where `#run` stopped. */
  #command = 0
  #step = 0

  /** Runs commands until one needs another partition, which is returned; -1 when all are done. */
  #run(first: number, end: number, journey: Journey | undefined, milliseconds: number): number {
    const { index } = this.#state
    const executor = this.#executor
    let step = journey === undefined ? 0 : journey.step
    for (let c = first + (journey === undefined ? 0 : journey.command); c < end; c++) {
      const steps = executor.steps(c)
      for (; step < steps; step++) {
        const owner = executor.ownerOf(c, step)
        if (owner !== index) {
          this.#command = c - first
          this.#step = step
          if (journey !== undefined) journey.goOn(this.#command, step)
          return owner
        }
        executor.step(c, step, milliseconds, this.#reply)
      }
      executor.finish(c, this.#reply)
      step = 0
    }
    return -1
  }

  /** Sends the request on its way to `owner`, when what it has written here is durable; false when there is no way. */
  #depart(burst: DatagramBurst, d: number, id: number, owner: number, waitsFor: number): boolean {
    const { counters, pool, journal } = this.#state
    const address = burst.address[d] + FRAME_HEADER_BYTES
    const length = burst.length[d] - FRAME_HEADER_BYTES
    const departure = {
      id,
      peerAddress: burst.peerAddress[d],
      peerPort: burst.peerPort[d],
      command: this.#command,
      step: this.#step,
    }
    const depart = (reply: { readonly bytes: Uint8Array; readonly length: number }) => {
      const sent = this.#relay?.depart(owner, departure, pool.bytes, address, length, reply) ?? false
      counters.values[sent ? C_HANDED_OVER : C_HAND_OVER_REFUSED]++
      return sent
    }
    if (waitsFor === 0) return depart(this.#reply)
    const frame = burst.frame[d]
    const soFar = { bytes: this.#reply.bytes.slice(0, this.#reply.length), length: this.#reply.length }
    pool.retain(frame)
    journal?.whenDurable(waitsFor, (isDurable) => {
      if (isDurable) depart(soFar)
      pool.release(frame)
    })
    return true
  }

  /** Keeps a large reply from an address without trust. memcached's protocol has no cookies, so only the network counts. */
  #limit(peerAddress: number, requestLength: number): void {
    const reply = this.#reply
    if (reply.overflowed) {
      reply.clear()
      reply.text(TEXT_RESPONSE_TOO_LARGE)
    }
    if (FRAME_HEADER_BYTES + reply.length <= Math.max(requestLength, SMALL_REPLY)) return
    if (this.#state.guard.trustsAddress(peerAddress)) return
    reply.clear()
    reply.text(TEXT_DENIED)
    this.#state.counters.values[C_COOKIE_REQUIRED]++
  }

  /** The reply's datagrams from number `from` on, through the outbox, when `waitsFor` is durable. */
  #sendAll(id: number, peerAddress: number, peerPort: number, from: number, waitsFor = 0): void {
    const { pool, counters } = this.#state
    const chunk = this.#frames.room - FRAME_HEADER_BYTES
    const total = Math.ceil(this.#reply.length / chunk)
    for (let sequence = from; sequence < total; sequence++) {
      const frame = pool.allocate()
      if (frame < 0) {
        counters.values[C_NO_FRAME]++
        return
      }
      const start = sequence * chunk
      const length = Math.min(chunk, this.#reply.length - start)
      const address = this.#frames.address(frame)
      this.#write(address, id, sequence, total, start, length)
      const bytes = FRAME_HEADER_BYTES + length
      if (waitsFor === 0) this.#outbox.add(frame, address, bytes, peerAddress, peerPort)
      else this.#state.journal?.hold(waitsFor, frame, address, bytes, peerAddress, peerPort, this.#outbox)
      if (sequence > 0) counters.values[C_OVERFLOW]++
    }
  }

  #write(address: number, id: number, sequence: number, total: number, start: number, length: number): void {
    const { view, bytes } = this.#state.pool
    writeFrameHeader(view, address, id, sequence, total)
    bytes.set(this.#reply.bytes.subarray(start, start + length), address + FRAME_HEADER_BYTES)
  }
}
