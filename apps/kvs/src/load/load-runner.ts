import { OP_GET, OP_SET, RESULT_NOT_FOUND, RESULT_OK } from '@parakernel/mica'
import { BUSY, RESULT_TIMED_OUT, RequestEngine } from '../client/request-engine.ts'
import type { ClientTransport } from '../client/transport.ts'
import { pad8 } from '../protocol/native/layout.ts'
import { OperationFields } from '../protocol/native/request-writer.ts'
import type { ResponseReader } from '../protocol/native/response-reader.ts'
import { Dataset, READ_STALE, READ_WRONG } from './dataset.ts'
import type { KeyChoice } from './key-choice.ts'
import {
  L_CHECK_MISSES,
  L_CHECKED,
  L_FILLED,
  L_HITS,
  L_MISSES,
  L_OPERATIONS,
  L_PHASE,
  L_READS,
  L_REFUSED,
  L_STALE,
  L_STALE_AFTER_RETRY,
  L_TIMEOUTS,
  L_WRITES,
  L_WRONG,
  LATENCY_UNIT,
  LOAD_COUNTERS,
  type LoadStatistics,
  PHASE_DONE,
  PHASE_FILLING,
  PHASE_MEASURING,
} from './load-statistics.ts'
import { Random } from './random.ts'
import { keyChoiceOf, type Workload } from './workload.ts'

export interface LoadOptions {
  readonly workload: Workload
  readonly keys: number
  /** Measured time, milliseconds. */
  readonly duration: number
  /** Operations outstanding at most. */
  readonly outstanding: number
  /** Operations in a datagram at most. */
  readonly batch: number
  /** Operations a second (open loop); 0: as fast as answers come (closed loop). */
  readonly rate: number
  readonly seed: number
  /** Milliseconds until an unanswered operation is sent again; default 50. */
  readonly timeout?: number
  readonly partitions?: number
  /** Reads every key once between filling and measuring; default false. */
  readonly verify?: boolean
}

const KIND_READ = 0
const KIND_WRITE = 1
/** First half of a read-modify-write. */
const KIND_MODIFY = 2
const KIND_FILL = 3
/** Reads a key back after filling. */
const KIND_CHECK = 4
/** Nanoseconds between looks for overdue requests. */
const POLL_PERIOD = 2e6
/** Nanoseconds between greetings until somebody answers. */
const HELLO_PERIOD = 10e6
/** Open loop: nanoseconds that an operation waits for others to share its datagram. Part of its latency. */
const LINGER = 20e3
/** Operations that one round starts, so that responses are read in between. */
const ROUND = 256
/** Milliseconds that the last answers are waited for. */
const DRAIN = 2000

/**
 * Fills a store and then loads it, checking every value that comes back. Driven by `tick`, from a run loop or a Node loop.
 *
 * Latency counts from when an operation was meant to start: in the open loop that is the schedule, however late the
 * sender is (no coordinated omission); in the closed loop it is when its place became free.
 */
export class LoadRunner {
  readonly engine: RequestEngine
  readonly dataset: Dataset
  readonly #transport: ClientTransport
  readonly #options: LoadOptions
  readonly #statistics: LoadStatistics
  readonly #values: Float64Array
  readonly #random: Random
  readonly #choice: KeyChoice
  readonly #fields = new OperationFields()
  readonly #words: Int32Array
  /** Words over the memory that responses come in. */
  #responseWords: Int32Array = new Int32Array(0)
  readonly #aligned: Int32Array
  #keys: number

  // Operations on their way, by tag.
  readonly #kind: Uint8Array
  readonly #key: Int32Array
  readonly #floor: Uint32Array
  readonly #intended: Float64Array
  readonly #freeTags: Int32Array
  #freeCount: number

  #nextFill = 0
  #nextCheck = 0
  #nextHello = 0
  #startedAt = 0
  #endsAt = Infinity
  #scheduled = 0
  #nextPoll = 0
  #flushedAt = 0
  #nextCounters = 0
  #now = 0
  /** Nanoseconds between operations in the open loop. */
  readonly #interval: number
  /** An operation that was drawn and could not be sent yet. */
  #held = false
  #heldKind = KIND_READ
  #heldKey = 0

  constructor(transport: ClientTransport, options: LoadOptions, statistics: LoadStatistics) {
    const { workload, keys, outstanding, batch, rate, seed, timeout = 50, partitions = 1 } = options
    this.#transport = transport
    this.#options = options
    this.#statistics = statistics
    this.#values = statistics.counters.values
    this.#random = new Random(seed)
    this.#choice = keyChoiceOf(workload.distribution, keys, this.#random)
    this.#keys = keys
    // Room for inserts, as many again as there are keys.
    this.dataset = new Dataset(workload.mix.insert > 0 ? keys * 2 : keys, workload.keyBytes, workload.valueBytes)
    this.engine = new RequestEngine(
      transport,
      (tag, result, response, bytes, resent) => this.#completed(tag, result, response, bytes, resent),
      { outstanding, batch, timeout, partitions },
    )
    this.#words = new Int32Array(this.engine.bytes.buffer)
    this.#aligned = new Int32Array((workload.valueBytes >> 2) + 2)
    const tags = this.engine.capacity
    this.#kind = new Uint8Array(tags)
    this.#key = new Int32Array(tags)
    this.#floor = new Uint32Array(tags)
    this.#intended = new Float64Array(tags)
    this.#freeTags = Int32Array.from({ length: tags }, (_, tag) => tag)
    this.#freeCount = tags
    this.#interval = rate > 0 ? 1e9 / rate : 0
  }

  get done(): boolean {
    return this.#values[L_PHASE] === PHASE_DONE
  }

  /** Nanoseconds that were measured. */
  get elapsed(): number {
    return this.#startedAt === 0 ? 0 : Math.min(this.#now, this.#endsAt) - this.#startedAt
  }

  /** One round: starts what is due, looks after what is overdue. Returns the operations started. */
  tick(): number {
    const now = this.#transport.now()
    this.#now = now
    if (now >= this.#nextPoll) {
      this.#nextPoll = now + POLL_PERIOD
      this.engine.poll()
    }
    if (now >= this.#nextCounters) {
      this.#nextCounters = now + 20e6
      this.#publish()
    }
    const phase = this.#values[L_PHASE]
    if (phase === PHASE_DONE) return 0
    if (phase < PHASE_MEASURING) return this.#fill(now)
    if (now >= this.#endsAt) {
      if (this.engine.outstanding === 0 || now > this.#endsAt + DRAIN * 1e6) this.#finish()
      return 0
    }
    return this.#load(now)
  }

  #fill(now: number): number {
    if (this.engine.received === 0) {
      // The first answer says that the way is clear (addresses are resolved) and how many partitions there are.
      if (now >= this.#nextHello) {
        this.#nextHello = now + HELLO_PERIOD
        this.engine.hello()
      }
      return 0
    }
    if (this.#values[L_PHASE] < PHASE_FILLING) this.#values[L_PHASE] = PHASE_FILLING
    let started = 0
    while (this.#nextFill < this.#options.keys && started < ROUND) {
      if (!this.#start(KIND_FILL, this.#nextFill, now)) break
      this.#nextFill++
      started++
    }
    this.engine.flush()
    if (this.#nextFill === this.#options.keys && (this.#nextCheck > 0 || this.engine.outstanding === 0)) {
      while (this.#options.verify === true && this.#nextCheck < this.#options.keys && started < ROUND) {
        if (!this.#start(KIND_CHECK, this.#nextCheck, now)) break
        this.#nextCheck++
        started++
      }
      this.engine.flush()
    }
    const checked = this.#options.verify !== true || this.#nextCheck === this.#options.keys
    if (this.#nextFill === this.#options.keys && checked && this.engine.outstanding === 0) {
      this.#startedAt = now
      this.#scheduled = now
      this.#endsAt = now + this.#options.duration * 1e6
      this.#values[L_PHASE] = PHASE_MEASURING
    }
    return started
  }

  #load(now: number): number {
    let started = 0
    const interval = this.#interval
    while (started < ROUND) {
      if (interval > 0 && this.#scheduled > now) break
      if (!this.#held) this.#draw()
      if (!this.#start(this.#heldKind, this.#heldKey, interval > 0 ? this.#scheduled : now)) break
      this.#held = false
      if (interval > 0) this.#scheduled += interval
      started++
    }
    // A schedule brings operations one by one: they wait a little for company, as a batching client's would.
    if (interval === 0 || now - this.#flushedAt >= LINGER) {
      this.#flushedAt = now
      this.engine.flush()
    }
    return started
  }

  #draw(): void {
    const { mix } = this.#options.workload
    const dice = this.#random.unit()
    this.#held = true
    if (dice < mix.read) this.#heldKind = KIND_READ
    else if (dice < mix.read + mix.update) this.#heldKind = KIND_WRITE
    else if (dice < mix.read + mix.update + mix.readModifyWrite) this.#heldKind = KIND_MODIFY
    else {
      this.#heldKind = KIND_WRITE
      if (this.#keys < this.dataset.capacity) {
        this.#heldKey = this.#keys++
        this.#choice.grow(this.#keys)
        return
      }
    }
    this.#heldKey = this.#choice.next(this.#random)
    // A key takes one write at a time, or nobody could say which version is the last: then it is read.
    if (this.#heldKind !== KIND_READ && this.dataset.writing[this.#heldKey] !== 0) this.#heldKind = KIND_READ
  }

  /** False when the engine has no room. */
  #start(kind: number, key: number, intended: number): boolean {
    if (this.#freeCount === 0) return false
    const tag = this.#freeTags[this.#freeCount - 1]
    const writes = kind === KIND_WRITE || kind === KIND_FILL
    if (!this.#reserve(writes, key, tag)) return false
    this.#freeCount--
    const { dataset } = this
    this.#kind[tag] = kind
    this.#key[tag] = key
    this.#intended[tag] = intended
    this.#floor[tag] = dataset.acknowledged[key]
    if (kind !== KIND_READ && kind !== KIND_CHECK) dataset.writing[key] = 1
    return true
  }

  #reserve(writes: boolean, key: number, tag: number): boolean {
    const { dataset, engine } = this
    const fields = this.#fields
    fields.opcode = writes ? OP_SET : OP_GET
    fields.keyLength = dataset.keyBytes
    fields.valueLength = writes ? dataset.valueBytes : 0
    fields.hashLo = dataset.hashLo[key]
    fields.hashHi = dataset.hashHi[key]
    const at = engine.reserve(fields, tag)
    if (at === BUSY) return false
    dataset.writeKey(this.#words, at >> 2, key)
    if (writes) {
      const version = ++dataset.issued[key]
      dataset.writeValue(this.#words, (at + pad8(dataset.keyBytes)) >> 2, key, version)
    }
    return true
  }

  #completed(tag: number, result: number, response: ResponseReader, bytes: Uint8Array, resent: boolean): void {
    const values = this.#values
    const key = this.#key[tag]
    const kind = this.#kind[tag]
    const { dataset } = this
    if (result === RESULT_TIMED_OUT) values[L_TIMEOUTS]++
    else if (result !== RESULT_OK && result !== RESULT_NOT_FOUND) values[L_REFUSED]++
    if (kind === KIND_CHECK) {
      if (result === RESULT_OK) {
        values[L_CHECKED]++
        this.#verify(response, bytes, key, this.#floor[tag])
      } else values[L_CHECK_MISSES]++
      this.#freeTags[this.#freeCount++] = tag
      return
    }
    if (kind === KIND_READ || kind === KIND_MODIFY) {
      values[L_READS]++
      if (result === RESULT_OK) {
        values[L_HITS]++
        this.#verify(response, bytes, key, this.#floor[tag])
      } else if (result === RESULT_NOT_FOUND) values[L_MISSES]++
      if (kind === KIND_MODIFY) {
        // The second half is timed from the start of the first; without room for it the whole is over.
        if (this.#reserve(true, key, tag)) {
          this.#kind[tag] = KIND_WRITE
          return
        }
        dataset.writing[key] = 0
      }
    } else {
      dataset.writing[key] = 0
      if (result === RESULT_OK) {
        // Exactly one write was on its way, and it was the last that was issued.
        dataset.acknowledged[key] = dataset.issued[key]
      }
      if (resent || result === RESULT_TIMED_OUT) dataset.ambiguous[key] = 1
      if (kind === KIND_FILL) {
        values[L_FILLED]++
        this.#freeTags[this.#freeCount++] = tag
        return
      }
      values[L_WRITES]++
    }
    values[L_OPERATIONS]++
    const latency = (this.#transport.now() - this.#intended[tag]) / LATENCY_UNIT
    this.#statistics.latency.record(latency < 0x7fffffff ? latency | 0 : 0x7fffffff)
    this.#freeTags[this.#freeCount++] = tag
  }

  #verify(response: ResponseReader, bytes: Uint8Array, key: number, floor: number): void {
    if (this.#responseWords.buffer !== bytes.buffer) this.#responseWords = new Int32Array(bytes.buffer)
    let words: Int32Array = this.#responseWords
    let w = response.valueOffset >> 2
    if ((response.valueOffset & 3) !== 0) {
      words = this.#aligned
      w = 0
      const length = Math.min(response.valueLength, words.byteLength)
      new Uint8Array(words.buffer).set(bytes.subarray(response.valueOffset, response.valueOffset + length))
    }
    const found = this.dataset.check(words, w, response.valueLength, key, floor)
    if (found === READ_WRONG) this.#values[L_WRONG]++
    else if (found === READ_STALE) this.#values[this.dataset.ambiguous[key] === 1 ? L_STALE_AFTER_RETRY : L_STALE]++
  }

  #publish(): void {
    const { datagramsSent, datagramsReceived, retries, lateResponses, malformedResponses, sendDrops } =
      this.engine.statistics()
    const set = (name: (typeof LOAD_COUNTERS)[number], value: number) => {
      this.#values[LOAD_COUNTERS.indexOf(name)] = value
    }
    set('datagramsSent', datagramsSent)
    set('datagramsReceived', datagramsReceived)
    set('retries', retries)
    set('lateResponses', lateResponses)
    set('malformedResponses', malformedResponses)
    set('sendDrops', sendDrops)
  }

  #finish(): void {
    this.#publish()
    this.#values[L_PHASE] = PHASE_DONE
    this.engine.close()
  }
}
