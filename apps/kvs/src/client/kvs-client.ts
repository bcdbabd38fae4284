import { ParakernelError } from '@parakernel/hal'
import {
  keyhash,
  OP_ADD,
  OP_APPEND,
  OP_CAS,
  OP_DECREMENT,
  OP_DELETE,
  OP_GET,
  OP_GET_AND_TOUCH,
  OP_INCREMENT,
  OP_PREPEND,
  OP_REPLACE,
  OP_SET,
  OP_TEST,
  OP_TOUCH,
} from '@parakernel/mica'
import { pad8 } from '../protocol/native/layout.ts'
import { OperationFields } from '../protocol/native/request-writer.ts'
import type { ResponseReader } from '../protocol/native/response-reader.ts'
import { type Callback, type Operation, type Outcome, outcomeOf } from './outcome.ts'
import { BUSY, type ClientStatistics, RequestEngine, type RequestEngineOptions } from './request-engine.ts'
import type { ClientTransport } from './transport.ts'

export interface WriteOptions {
  /** Milliseconds to live, up to 2^32 - 1; 0 (default) = for ever. */
  readonly ttl?: number
  /** 32 bits that are kept with the value. */
  readonly flags?: number
}

export interface Item {
  readonly value: Uint8Array<ArrayBuffer>
  readonly flags: number
  /** Changes with every write; what `cas` compares. */
  readonly version: bigint
}

export interface KvsClientOptions extends RequestEngineOptions {
  /** Milliseconds that operations wait for others to share a datagram. Default 0: until the current turn of the loop ends. */
  readonly linger?: number
}

const NO_VALUE = new Uint8Array(0)
const encoder = new TextEncoder()

/**
 * A client of the key-value server. Operations that are issued in one turn of the event loop share datagrams; unanswered ones are
 * sent again. Every method answers with a promise, or, given a callback as `submit` takes it, without one.
 *
 * Writes run at least once: one whose answer was lost runs again, and a copy that the network delayed may arrive late. Use
 * `cas` where that matters.
 *
 * Errors are `ParakernelError`s: ETIMEDOUT (unanswered after all retries), EMSGSIZE (too long for a datagram, or for the
 * store), EINVAL (key length), ENOSPC (a lossless store is full), ECANCELED (closed), EPROTO (the server refused).
 */
export class KvsClient {
  readonly #transport: ClientTransport
  readonly #engine: RequestEngine
  readonly #fields = new OperationFields()
  readonly #lanes = new Int32Array(2)
  readonly #linger: number
  readonly #stopPolling: () => void
  /** Callbacks by tag; tags are reused. */
  readonly #callbacks: (Callback | undefined)[]
  readonly #freeTags: number[]
  /** Operations that found every slot in use. */
  readonly #waiting: { readonly operation: Operation; readonly callback: Callback }[] = []
  #flushScheduled = false
  #closed = false

  constructor(transport: ClientTransport, options: KvsClientOptions = {}) {
    this.#transport = transport
    this.#linger = options.linger ?? 0
    this.#engine = new RequestEngine(
      transport,
      (tag, result, response, bytes) => this.#completed(tag, result, response, bytes),
      options,
    )
    this.#callbacks = new Array(this.#engine.capacity).fill(undefined)
    this.#freeTags = Array.from(this.#callbacks, (_, tag) => tag)
    this.#stopPolling = transport.every(Math.max(1, (options.timeout ?? 20) / 4), () => this.#engine.poll())
  }

  /**
   * Learns the number of partitions, and a cookie if one is needed. Optional: any response brings both.
   * @param timeout milliseconds; default 2000
   * @throws ETIMEDOUT
   */
  async connect(timeout = 2000): Promise<void> {
    const before = this.#engine.received
    const deadline = this.#transport.now() + timeout * 1e6
    while (this.#engine.received === before) {
      if (this.#transport.now() > deadline) {
        throw new ParakernelError('ETIMEDOUT', `no answer within ${timeout} ms`, {
          subject: 'KvsClient',
          remedy: 'Check that the server runs, and its address and port',
        })
      }
      this.#engine.hello()
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  /** Partitions of the server, as far as this client knows. */
  get partitions(): number {
    return this.#engine.partitions
  }

  async get(key: string | Uint8Array): Promise<Item | undefined> {
    return itemOf(await this.#run({ opcode: OP_GET, key }))
  }

  /** Reads, and sets a new time to live. */
  async getAndTouch(key: string | Uint8Array, ttl: number): Promise<Item | undefined> {
    return itemOf(await this.#run({ opcode: OP_GET_AND_TOUCH, key, ttl }))
  }

  /** Version and flags of a key without its value. */
  async test(key: string | Uint8Array): Promise<Omit<Item, 'value'> | undefined> {
    const outcome = await this.#run({ opcode: OP_TEST, key })
    return outcome.status === 'ok' ? { version: outcome.version, flags: outcome.flags } : undefined
  }

  /** Returns the new version. */
  async set(key: string | Uint8Array, value: string | Uint8Array, options?: WriteOptions): Promise<bigint> {
    return (await this.#run({ opcode: OP_SET, key, value, ...options })).version
  }

  /** False if the key exists. */
  async add(key: string | Uint8Array, value: string | Uint8Array, options?: WriteOptions): Promise<boolean> {
    return (await this.#run({ opcode: OP_ADD, key, value, ...options })).status === 'ok'
  }

  /** False if the key does not exist. */
  async replace(key: string | Uint8Array, value: string | Uint8Array, options?: WriteOptions): Promise<boolean> {
    return (await this.#run({ opcode: OP_REPLACE, key, value, ...options })).status === 'ok'
  }

  /** Stores if the version is still `version`. */
  async cas(
    key: string | Uint8Array,
    value: string | Uint8Array,
    version: bigint,
    options?: WriteOptions,
  ): Promise<'stored' | 'exists' | 'not-found'> {
    const { status } = await this.#run({ opcode: OP_CAS, key, value, operand: version, ...options })
    return status === 'ok' ? 'stored' : status
  }

  /** False if the key does not exist. */
  async append(key: string | Uint8Array, value: string | Uint8Array): Promise<boolean> {
    return (await this.#run({ opcode: OP_APPEND, key, value })).status === 'ok'
  }

  /** False if the key does not exist. */
  async prepend(key: string | Uint8Array, value: string | Uint8Array): Promise<boolean> {
    return (await this.#run({ opcode: OP_PREPEND, key, value })).status === 'ok'
  }

  /** Adds to an 8-byte little-endian counter, modulo 2^64; undefined if the key does not exist. @throws EPROTO if it is none */
  async increment(key: string | Uint8Array, delta = 1n): Promise<bigint | undefined> {
    return counterOf(await this.#run({ opcode: OP_INCREMENT, key, operand: delta }))
  }

  /** As `increment`, and stops at zero. */
  async decrement(key: string | Uint8Array, delta = 1n): Promise<bigint | undefined> {
    return counterOf(await this.#run({ opcode: OP_DECREMENT, key, operand: delta }))
  }

  /** False if the key does not exist. */
  async touch(key: string | Uint8Array, ttl: number): Promise<boolean> {
    return (await this.#run({ opcode: OP_TOUCH, key, ttl })).status === 'ok'
  }

  /** False if the key did not exist. */
  async delete(key: string | Uint8Array): Promise<boolean> {
    return (await this.#run({ opcode: OP_DELETE, key })).status === 'ok'
  }

  /**
   * The callback face: no promise is made. `outcome.value` is a copy. Errors that `operation` itself has (lengths) are
   * given to the callback too, before `submit` returns.
   */
  submit(operation: Operation, callback: Callback): void {
    if (this.#closed) {
      callback(new ParakernelError('ECANCELED', 'the client is closed', { subject: 'KvsClient' }), undefined)
      return
    }
    if (this.#freeTags.length === 0 || !this.#issue(operation, callback)) this.#waiting.push({ operation, callback })
  }

  /** Sends what waits for company. */
  flush(): void {
    this.#flushScheduled = false
    this.#engine.flush()
  }

  statistics(): ClientStatistics {
    return this.#engine.statistics()
  }

  /** Fails what is pending with ECANCELED, and closes the transport. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#stopPolling()
    this.#engine.close()
    const closed = new ParakernelError('ECANCELED', 'the client was closed', { subject: 'KvsClient' })
    for (const { callback } of this.#waiting.splice(0)) callback(closed, undefined)
    await this.#transport.close()
  }

  #run(operation: Operation): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      this.submit(operation, (error, outcome) => {
        if (outcome === undefined) reject(error)
        else resolve(outcome)
      })
    })
  }

  /** False when everything is in use. */
  #issue(operation: Operation, callback: Callback): boolean {
    const { opcode, ttl = 0, flags = 0, operand = 0n } = operation
    const key = typeof operation.key === 'string' ? encoder.encode(operation.key) : operation.key
    const value = typeof operation.value === 'string' ? encoder.encode(operation.value) : (operation.value ?? NO_VALUE)
    if (key.length < 1 || key.length > 255) {
      callback(
        new ParakernelError('EINVAL', `a key of ${key.length} bytes`, { remedy: 'Use 1 to 255 bytes' }),
        undefined,
      )
      return true
    }
    if (value.length > this.#engine.longestValue(key.length)) {
      const longest = this.#engine.longestValue(key.length)
      callback(
        new ParakernelError('EMSGSIZE', `a value of ${value.length} bytes does not fit in a datagram`, {
          remedy: `Use at most ${longest} bytes with this key`,
        }),
        undefined,
      )
      return true
    }
    const fields = this.#fields
    keyhash(key, 0, key.length, this.#lanes)
    fields.opcode = opcode
    fields.keyLength = key.length
    fields.valueLength = value.length
    fields.hashLo = this.#lanes[0]
    fields.hashHi = this.#lanes[1]
    fields.ttl = ttl
    fields.extended = flags !== 0 || operand !== 0n
    fields.clientFlags = flags
    fields.operandLo = Number(BigInt.asIntN(32, operand))
    fields.operandHi = Number(BigInt.asIntN(32, operand >> 32n))
    const tag = this.#freeTags[this.#freeTags.length - 1]
    const at = this.#engine.reserve(fields, tag)
    if (at === BUSY) return false
    this.#freeTags.pop()
    this.#callbacks[tag] = callback
    this.#engine.bytes.set(key, at)
    if (value.length > 0) this.#engine.bytes.set(value, at + pad8(key.length))
    this.#scheduleFlush()
    return true
  }

  #scheduleFlush(): void {
    if (this.#flushScheduled) return
    this.#flushScheduled = true
    if (this.#linger > 0) setTimeout(() => this.flush(), this.#linger)
    else queueMicrotask(() => this.flush())
  }

  #completed(tag: number, result: number, response: ResponseReader, bytes: Uint8Array): void {
    const callback = this.#callbacks[tag]!
    this.#callbacks[tag] = undefined
    this.#freeTags.push(tag)
    const outcome = outcomeOf(result, response, bytes)
    if (outcome instanceof ParakernelError) callback(outcome, undefined)
    else callback(undefined, outcome)
    while (this.#waiting.length > 0 && this.#freeTags.length > 0 && !this.#closed) {
      if (!this.#issue(this.#waiting[0].operation, this.#waiting[0].callback)) break
      this.#waiting.shift()
    }
  }
}

function itemOf(outcome: Outcome): Item | undefined {
  return outcome.status === 'ok' ? { value: outcome.value, flags: outcome.flags, version: outcome.version } : undefined
}

function counterOf(outcome: Outcome): bigint | undefined {
  if (outcome.status !== 'ok') return undefined
  return new DataView(outcome.value.buffer).getBigUint64(0, true)
}
