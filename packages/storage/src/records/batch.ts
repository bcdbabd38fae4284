import { copyBytes, ParakernelError } from '@parakernel/hal'
import { CLEAR, DELETE, ENTRY_HEADER, entryBytes, KEY_LIMIT, PUT, sealEntry } from './format.ts'

/**
 * Puts, deletions and clearings that are there together or not at all, encoded as they lie on the medium. Later ones win. May be
 * used again after `reset`, when the write of it has settled.
 */
export class RecordBatch {
  bytes: Uint8Array
  length = 0
  /** Operations. */
  count = 0
  /** Bytes of puts: what the store may grow by. */
  growth = 0
  /** Where each operation begins. */
  readonly starts: number[] = []

  constructor(capacity = 256) {
    this.bytes = new Uint8Array(capacity)
  }

  /** Copies both. @throws EMSGSIZE for a key longer than 65,535 bytes */
  put(key: Uint8Array, value: Uint8Array): this {
    this.#add(PUT, key, value)
    this.growth += entryBytes(key.length, value.length)
    return this
  }

  delete(key: Uint8Array): this {
    this.#add(DELETE, key, NOTHING)
    return this
  }

  /** Takes away every key from `first` to `last`, both included. */
  clear(first: Uint8Array, last: Uint8Array): this {
    this.#add(CLEAR, first, last)
    return this
  }

  reset(): this {
    this.length = 0
    this.count = 0
    this.growth = 0
    this.starts.length = 0
    return this
  }

  #add(operation: number, key: Uint8Array, value: Uint8Array): void {
    if (key.length > KEY_LIMIT) {
      throw new ParakernelError('EMSGSIZE', `a key of ${key.length} bytes is longer than ${KEY_LIMIT}`, {
        subject: 'key-value records',
        remedy: 'Use a shorter key, a hash of it for instance',
      })
    }
    const at = this.length
    this.#reserve(at + entryBytes(key.length, value.length))
    const { bytes } = this
    copyBytes(key, 0, key.length, bytes, at + ENTRY_HEADER)
    copyBytes(value, 0, value.length, bytes, at + ENTRY_HEADER + key.length)
    this.length += sealEntry(bytes, at, operation, key.length, value.length)
    this.starts.push(at)
    this.count++
  }

  #reserve(size: number): void {
    if (size <= this.bytes.length) return
    const larger = new Uint8Array(Math.max(size, 2 * this.bytes.length))
    larger.set(this.bytes.subarray(0, this.length))
    this.bytes = larger
  }
}

const NOTHING = new Uint8Array(0)
