import { copyBytes } from '@parakernel/hal'
import type { Slots } from './index/slots.ts'

/**
 * Values that were written or read lately, one behind the other in a ring of bytes outside of the JavaScript heap; the oldest make
 * room. What is asked for and about to go is put in again, so that what is used stays.
 */
export class ValueCache {
  readonly #bytes: Uint8Array
  readonly #slots: Slots
  /** Longest value that is kept. */
  readonly limit: number
  /** Bytes that ever went in, each value in one piece. */
  #end = 0

  constructor(slots: Slots, byteLength: number, limit: number) {
    this.#bytes = new Uint8Array(byteLength)
    this.#slots = slots
    this.limit = Math.min(limit, byteLength >>> 3)
  }

  /** Keeps the value of a slot. */
  keep(slot: number, from: Uint8Array, at: number, length: number): void {
    const size = this.#bytes.length
    if (length > this.limit || size === 0) return
    const room = size - (this.#end % size)
    if (length > room) this.#end += room
    copyBytes(from, at, length, this.#bytes, this.#end % size)
    this.#slots.cachedAt[slot] = this.#end
    this.#end += length
  }

  /** The value, the caller's own; undefined when it is not here. */
  get(slot: number): Uint8Array | undefined {
    const at = this.#slots.cachedAt[slot]
    const size = this.#bytes.length
    if (at < 0 || this.#end - at > size) return undefined
    const length = this.#slots.valueLength[slot]
    const value = new Uint8Array(length)
    copyBytes(this.#bytes, at % size, length, value, 0)
    if (this.#end - at > (size >>> 1) + (size >>> 2)) this.keep(slot, value, 0, length)
    return value
  }
}
