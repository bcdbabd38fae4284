import { checkPersistentCopy, type MemoryRegion, type PersistentCopy } from '@parakernel/hal'
import { regionAddress, StreamingCopy } from '@parakernel/linux'
import type { HeldRange } from './held-range.ts'

/**
 * From one memory into a range, past the caches: a third less for a short record than to store it and to write it back. What is left of
 * a length beyond multiples of 8 is stored.
 */
export class StreamedCopy implements PersistentCopy {
  readonly #range: HeldRange
  /** Held, so that its memory stays mapped. */
  readonly source: MemoryRegion
  readonly #sourceBytes: Uint8Array
  readonly #bytes: Uint8Array
  readonly #copy: StreamingCopy
  readonly #tail = [0, 0]

  constructor(range: HeldRange, source: MemoryRegion) {
    this.#range = range
    this.source = source
    this.#sourceBytes = new Uint8Array(source.buffer)
    this.#bytes = new Uint8Array(range.region.buffer, range.byteOffset, range.byteLength)
    this.#copy = new StreamingCopy(regionAddress(range.region) + range.byteOffset, regionAddress(source))
  }

  copy(offset: number, from: number, length: number): void {
    this.#check(offset, from, length)
    const rest = length & 7
    if (rest !== 0) this.#range.flush(this.#store(offset, from, length, rest))
    if (length > rest) this.#copy.copy(offset, from, length)
  }

  persist(offset: number, from: number, length: number): void {
    this.#check(offset, from, length)
    const rest = length & 7
    if (rest !== 0) this.#range.flush(this.#store(offset, from, length, rest))
    if (length > rest) this.#copy.persist(offset, from, length)
    else this.#range.drain()
  }

  close(): void {
    this.#copy.close()
  }

  #check(offset: number, from: number, length: number): void {
    this.#range.checkHeld()
    checkPersistentCopy(this.#range, this.source.byteLength, offset, from, length)
    this.#range.checkPoison(offset, length)
  }

  /** The last `rest` bytes, by stores; returns their range. */
  #store(offset: number, from: number, length: number, rest: number): number[] {
    for (let i = length - rest; i < length; i++) this.#bytes[offset + i] = this.#sourceBytes[from + i]
    this.#tail[0] = offset + length - rest
    this.#tail[1] = rest
    return this.#tail
  }
}
