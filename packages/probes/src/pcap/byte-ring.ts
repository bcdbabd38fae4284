import { writeSync } from 'node:fs'
import { copyBytes } from '@parakernel/hal'

// Words of the header, each group on a cache line of its own.
const HEAD = 0
const CAPTURED = 1
const MISSED = 2
const TAIL = 16
const LOCK = 32
const FAILED = 33
const HEADER_BYTES = 256

export function byteRingBuffer(capacity: number): SharedArrayBuffer {
  return new SharedArrayBuffer(HEADER_BYTES + capacity)
}

/**
 * Bytes on their way to a file, in shared memory. The queue's holder writes records and publishes them; whoever comes
 * first takes them out and writes them: the writer thread, or a holder that detaches, or the process on its way out. Head and
 * tail count bytes and wrap at 2^32; the capacity is a power of two.
 */
export class ByteRing {
  readonly #words: Int32Array
  readonly #bytes: Uint8Array
  readonly #mask: number
  /** Where the producer writes, ahead of what is published. */
  #position: number

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer, 0, HEADER_BYTES / 4)
    this.#bytes = new Uint8Array(buffer, HEADER_BYTES)
    this.#mask = this.#bytes.length - 1
    this.#position = Atomics.load(this.#words, HEAD)
  }

  get captured(): number {
    return Atomics.load(this.#words, CAPTURED)
  }

  /** Packets that found the ring full, or came after a write failed. */
  get missed(): number {
    return Atomics.load(this.#words, MISSED)
  }

  /** The errno text of the write that failed is lost between threads; that it failed is not. */
  get failed(): boolean {
    return Atomics.load(this.#words, FAILED) !== 0
  }

  /** Bytes that wait to be written. */
  get pending(): number {
    return (Atomics.load(this.#words, HEAD) - Atomics.load(this.#words, TAIL)) >>> 0
  }

  // The producer's side.

  get position(): number {
    return this.#position
  }

  set position(at: number) {
    this.#position = at
  }

  /** Whether `length` more bytes fit. */
  fits(length: number): boolean {
    const used = (this.#position - Atomics.load(this.#words, TAIL)) >>> 0
    return !this.failed && used + length <= this.#bytes.length
  }

  put(source: Uint8Array, start: number, length: number): void {
    const at = this.#position & this.#mask
    const first = Math.min(length, this.#bytes.length - at)
    copyBytes(source, start, first, this.#bytes, at)
    if (first < length) copyBytes(source, start + first, length - first, this.#bytes, 0)
    this.#position = (this.#position + length) | 0
  }

  /** Moves `length` bytes that are not yet published from `from` back to `to`. */
  moveBack(to: number, from: number, length: number): void {
    const bytes = this.#bytes
    const mask = this.#mask
    for (let i = 0; i < length; i++) bytes[(to + i) & mask] = bytes[(from + i) & mask]
  }

  /** Makes everything up to the position visible; answers the bytes that wait now. */
  publish(captured: number, missed: number): number {
    const words = this.#words
    words[CAPTURED] += captured
    words[MISSED] += missed
    Atomics.store(words, HEAD, this.#position)
    return this.pending
  }

  // The consumer's side.

  /**
   * Writes all that waits to `fd`. Only one thread at a time does; with `patience`, waits that many milliseconds for its turn.
   * A write that fails ends the capture: half a record cannot be continued. Answers whether it got its turn.
   */
  drain(fd: number, patience = 0): boolean {
    const words = this.#words
    const end = performance.now() + patience
    while (Atomics.compareExchange(words, LOCK, 0, 1) !== 0) {
      if (performance.now() >= end) return false
      Atomics.wait(words, LOCK, 1, 5)
    }
    try {
      let tail = Atomics.load(words, TAIL)
      for (let head = Atomics.load(words, HEAD); tail !== head; head = Atomics.load(words, HEAD)) {
        const at = tail & this.#mask
        const length = Math.min((head - tail) >>> 0, this.#bytes.length - at)
        tail = (tail + writeSync(fd, this.#bytes, at, length)) | 0
        Atomics.store(words, TAIL, tail)
      }
    } catch {
      Atomics.store(words, FAILED, 1)
    } finally {
      Atomics.store(words, LOCK, 0)
      Atomics.notify(words, LOCK)
    }
    return true
  }
}
