import { ParakernelError } from '@parakernel/hal'
import { keyhash } from './keyhash.ts'
import { MAX_KEY_BYTES } from './layout.ts'
import {
  OP_ADD,
  OP_APPEND,
  OP_CAS,
  OP_DECREMENT,
  OP_DELETE,
  OP_GET,
  OP_INCREMENT,
  OP_PREPEND,
  OP_REPLACE,
  OP_SET,
  OP_TOUCH,
  RESULT_EXISTS,
  RESULT_INDEX_FULL,
  RESULT_NAMES,
  RESULT_NO_SPACE,
  RESULT_NOT_FOUND,
  RESULT_OK,
} from './operations.ts'
import type { MicaPartition } from './partition.ts'
import { RequestBatch } from './request-batch.ts'
import type { MicaStatistics } from './statistics.ts'

/** What `store.get` and friends accept: bytes, or text as UTF-8. */
export type Bytes = Uint8Array | string

export interface SetOptions {
  /** Life in ms; absent or 0: until deleted or evicted. */
  readonly ttl?: number
  /** 32 bits kept with the item. */
  readonly flags?: number
}

export interface StoredItem {
  /** A copy. */
  readonly value: Uint8Array
  /** For `cas`. */
  readonly version: bigint
  readonly flags: number
  /** Clock time in ms, 0 = never. */
  readonly expiresAt: number
}

/**
 * One operation at a time over a partition, with values copied in and out: the friendly face. It stages keys and values
 * in the partition's window, so it can be used between batches of the same thread.
 *
 * Refusals that the caller cannot answer throw: EINVAL for a bad key, counter or time to live, EMSGSIZE for a value over
 * `maxValueBytes`, ENOSPC when store mode is full.
 */
export class MicaStore {
  readonly partition: MicaPartition
  readonly #batch: RequestBatch
  readonly #bytes: Uint8Array
  readonly #clock: () => number
  readonly #key: number
  readonly #value: number
  readonly #lanes = new Int32Array(2)
  readonly #encoder = new TextEncoder()

  /** @param clock ms on which `ttl` counts; default Date.now. It must be the one that `prepare` is given elsewhere. */
  constructor(partition: MicaPartition, clock: () => number = Date.now) {
    const { memory, byteOffset, geometry } = partition
    this.partition = partition
    this.#clock = clock
    this.#batch = new RequestBatch(memory, byteOffset + geometry.batchOffset, 1)
    this.#bytes = new Uint8Array(memory.buffer)
    this.#key = byteOffset + geometry.stagingOffset
    this.#value = this.#key + MAX_KEY_BYTES + 1
  }

  /** A copy of the value, or undefined. */
  get(key: Bytes): Uint8Array | undefined {
    this.#begin(OP_GET, key)
    return this.#run() === RESULT_OK ? this.#responseValue() : undefined
  }

  /** The value with its version, flags and expiry, or undefined. */
  getItem(key: Bytes): StoredItem | undefined {
    this.#begin(OP_GET, key)
    if (this.#run() !== RESULT_OK) return undefined
    const { versionLo, versionHi, responseFlags, responseExpiresAt } = this.#batch
    return {
      value: this.#responseValue(),
      version: join(versionLo[0], versionHi[0]),
      flags: responseFlags[0] >>> 0,
      expiresAt: responseExpiresAt[0],
    }
  }

  set(key: Bytes, value: Bytes, options: SetOptions = {}): void {
    this.#begin(OP_SET, key, value, options)
    this.#run()
  }

  /** Stores only a new key; false if it exists. */
  add(key: Bytes, value: Bytes, options: SetOptions = {}): boolean {
    this.#begin(OP_ADD, key, value, options)
    return this.#run() === RESULT_OK
  }

  /** Stores only under an existing key; false if there is none. */
  replace(key: Bytes, value: Bytes, options: SetOptions = {}): boolean {
    this.#begin(OP_REPLACE, key, value, options)
    return this.#run() === RESULT_OK
  }

  /** Stores only if the item still has this version. */
  cas(key: Bytes, value: Bytes, version: bigint, options: SetOptions = {}): 'stored' | 'changed' | 'absent' {
    this.#begin(OP_CAS, key, value, options)
    this.#operand(version)
    const result = this.#run()
    return result === RESULT_OK ? 'stored' : result === RESULT_EXISTS ? 'changed' : 'absent'
  }

  delete(key: Bytes): boolean {
    this.#begin(OP_DELETE, key)
    return this.#run() === RESULT_OK
  }

  /** Adds to an 8-byte little-endian counter, modulo 2^64. The new value, or undefined if there is no such key. */
  increment(key: Bytes, delta: bigint | number = 1n): bigint | undefined {
    return this.#count(OP_INCREMENT, key, BigInt(delta))
  }

  /** Subtracts from a counter, down to zero. */
  decrement(key: Bytes, delta: bigint | number = 1n): bigint | undefined {
    return this.#count(OP_DECREMENT, key, BigInt(delta))
  }

  append(key: Bytes, suffix: Bytes): boolean {
    this.#begin(OP_APPEND, key, suffix)
    return this.#run() === RESULT_OK
  }

  prepend(key: Bytes, prefix: Bytes): boolean {
    this.#begin(OP_PREPEND, key, prefix)
    return this.#run() === RESULT_OK
  }

  /** Gives an item a new life of `ttl` ms; 0 = for ever. */
  touch(key: Bytes, ttl: number): boolean {
    this.#begin(OP_TOUCH, key, undefined, { ttl })
    return this.#run() === RESULT_OK
  }

  clear(): void {
    this.partition.clear()
  }

  statistics(): MicaStatistics {
    return this.partition.statistics()
  }

  #begin(opcode: number, key: Bytes, value?: Bytes, options: SetOptions = {}): void {
    const keyLength = this.#stage(this.#key, key, MAX_KEY_BYTES, 'EINVAL', 'key')
    if (keyLength === 0) throw this.#error('EINVAL', 'the key is empty')
    keyhash(this.#bytes, this.#key, keyLength, this.#lanes)
    const batch = this.#batch
    batch.count = 0
    batch.add(opcode, this.#lanes[0], this.#lanes[1], this.#key, keyLength)
    if (value !== undefined) {
      batch.valueAddress[0] = this.#value
      batch.valueLength[0] = this.#stage(this.#value, value, this.partition.geometry.maxValueBytes, 'EMSGSIZE', 'value')
    }
    const { flags = 0, ttl = 0 } = options
    if (!(ttl >= 0)) throw this.#error('EINVAL', `a time to live of ${ttl} ms; 0 is for ever`)
    batch.flags[0] = flags | 0
    batch.expiresAt[0] = ttl === 0 ? 0 : this.#clock() + ttl
  }

  #stage(address: number, data: Bytes, most: number, code: 'EINVAL' | 'EMSGSIZE', what: string): number {
    const bytes = typeof data === 'string' ? this.#encoder.encode(data) : data
    if (bytes.length > most) throw this.#error(code, `a ${what} of ${bytes.length} bytes; the most is ${most}`)
    this.#bytes.set(bytes, address)
    return bytes.length
  }

  #run(): number {
    const batch = this.#batch
    this.partition.prepare(batch, this.#clock())
    this.partition.execute(batch, 0, 1, this.#value, this.#value + this.partition.geometry.maxValueBytes + 7, 0)
    const result = batch.result[0]
    if (result === RESULT_OK || result === RESULT_NOT_FOUND || result === RESULT_EXISTS) return result
    const code = result === RESULT_NO_SPACE || result === RESULT_INDEX_FULL ? 'ENOSPC' : 'EINVAL'
    throw this.#error(code, RESULT_NAMES[result])
  }

  #count(opcode: number, key: Bytes, delta: bigint): bigint | undefined {
    this.#begin(opcode, key)
    this.#operand(delta)
    if (this.#run() !== RESULT_OK) return undefined
    const value = this.#responseValue()
    return new DataView(value.buffer).getBigUint64(0, true)
  }

  #operand(value: bigint): void {
    this.#batch.operandLo[0] = Number(BigInt.asIntN(32, value))
    this.#batch.operandHi[0] = Number(BigInt.asIntN(32, value >> 32n))
  }

  #responseValue(): Uint8Array<ArrayBuffer> {
    const address = this.#batch.responseAddress[0]
    const copy = new Uint8Array(this.#batch.responseLength[0])
    copy.set(this.#bytes.subarray(address, address + copy.length))
    return copy
  }

  #error(code: 'EINVAL' | 'EMSGSIZE' | 'ENOSPC', message: string): ParakernelError {
    return new ParakernelError(code, message, { subject: this.partition.name })
  }
}

function join(lo: number, hi: number): bigint {
  return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0)
}
