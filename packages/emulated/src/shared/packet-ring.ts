import type { NetworkMemory } from './network-memory.ts'

/**
 * A single-producer single-consumer ring of packets of any length, from one transmitting queue to one receiving queue.
 *
 *     header (256 bytes)                      data (`size` bytes, a power of two)
 *     | tail .. | head .. | size, version |   | record | record |..        ..| record | skip |
 *
 * A record is 48 bytes of metadata and the packet, contiguous, aligned to 16; where one does not fit before the end, a zero
 * word says that the next is at the start. Positions are int32 byte counts that run freely and wrap. Each side keeps its own
 * position and a copy of the other's, and publishes by one atomic store a burst; records are plain loads and stores.
 */
const TAIL = 0
/** The consumer's words lie two cache lines away from the producer's, out of reach of the prefetcher. */
const HEAD = 32
const CONSUMED = 33
const PRODUCED = 1
const SIZE = 48
const ENTRIES = 49
/** Tells a ring from an earlier one at the same place. */
const VERSION = 50

const HEADER_BYTES = 256
const SKIP = 0

// Words of a record's metadata.
/** Bytes from this record to the next, or SKIP: word 0. */
const RECORD_STRIDE = 0
export const RECORD_LENGTH = 1
export const RECORD_FLAGS = 2
export const RECORD_HASH = 3
export const RECORD_VLAN = 4
export const RECORD_CHECKSUM_START = 5
export const RECORD_CHECKSUM_OFFSET = 6
export const RECORD_SEGMENT_SIZE = 7
export const RECORD_HEADER_LENGTH = 8
/** A double: when the packet arrives, in nanoseconds; 0 where nobody asked. */
export const RECORD_TIME = 10
export const RECORD_BYTES = 48

/** Bytes of a ring that holds `entries` packets of up to `longest` bytes, and four of up to `longestSuper`. */
export function ringDataBytes(entries: number, longest: number, longestSuper: number): number {
  const record = (bytes: number) => RECORD_BYTES + Math.ceil(bytes / 16) * 16
  const wanted = Math.max(entries * record(longest), 4 * record(longestSuper))
  return 2 ** Math.ceil(Math.log2(wanted))
}

export function ringBytes(dataBytes: number): number {
  return HEADER_BYTES + dataBytes
}

let versions = 0

/** Control thread: makes an empty ring at byte offset `at`. Nobody else knows of it yet. */
export function createRing(memory: NetworkMemory, at: number, dataBytes: number, entries: number): void {
  const start = at >> 2
  memory.words.fill(0, start, start + (HEADER_BYTES >> 2))
  memory.words[start + SIZE] = dataBytes
  memory.words[start + ENTRIES] = entries
  memory.words[start + VERSION] = ++versions
}

export function ringVersion(memory: NetworkMemory, at: number): number {
  return memory.words[(at >> 2) + VERSION]
}

/** Packets that were published and not taken yet, as any thread may ask. */
export function ringBacklog(memory: NetworkMemory, at: number): number {
  const start = at >> 2
  return (memory.words[start + PRODUCED] - memory.words[start + CONSUMED]) | 0
}

/** Arrival time of the first packet that was published and not taken yet; Infinity without one. */
export function ringNextTime(memory: NetworkMemory, at: number): number {
  return new RingConsumer(memory, at).nextTime()
}

export class RingProducer {
  readonly at: number
  readonly version: number
  /** Records reserved and committed since the last `publish`. */
  pending = 0
  readonly #words: Int32Array
  readonly #header: number
  readonly #data: number
  readonly #size: number
  readonly #limit: number
  #tail: number
  #produced: number
  #head: number
  #consumed: number

  constructor(memory: NetworkMemory, at: number) {
    const words = memory.words
    const header = at >> 2
    this.at = at
    this.version = words[header + VERSION]
    this.#words = words
    this.#header = header
    this.#data = at + HEADER_BYTES
    this.#size = words[header + SIZE]
    this.#limit = words[header + ENTRIES]
    this.#tail = Atomics.load(words, header + TAIL)
    this.#produced = words[header + PRODUCED]
    this.#head = Atomics.load(words, header + HEAD)
    this.#consumed = words[header + CONSUMED]
  }

  /**
   * Whether `packets` more records of `bytes` data bytes in all would fit, however they fall. More than the ring ever holds wait for
   * it to be empty, and no longer.
   */
  fits(packets: number, bytes: number): boolean {
    // Each record is padded by at most 15 bytes, and at most one skip wastes less than one record.
    const worst = bytes + packets * (RECORD_BYTES + 15)
    const longest = packets === 1 ? worst : worst - (packets - 1) * RECORD_BYTES
    const most = Math.min(packets, this.#limit)
    const room = Math.min(worst + longest, this.#size)
    if (this.#has(most, room)) return true
    this.#look()
    return this.#has(most, room)
  }

  /** Byte address of a record with room for `length` bytes of packet behind its metadata; -1 when the ring is full. */
  reserve(length: number): number {
    const stride = (length + RECORD_BYTES + 15) & ~15
    const offset = this.#tail & (this.#size - 1)
    const skipped = offset + stride > this.#size ? this.#size - offset : 0
    if (!this.#has(1, stride + skipped)) {
      this.#look()
      if (!this.#has(1, stride + skipped)) return -1
    }
    let record = this.#data + offset
    if (skipped > 0) {
      this.#words[(record >> 2) + RECORD_STRIDE] = SKIP
      this.#tail = (this.#tail + skipped) | 0
      record = this.#data
    }
    this.#words[(record >> 2) + RECORD_STRIDE] = stride
    return record
  }

  /** Takes the record that `reserve` answered into the next `publish`. */
  commit(record: number): void {
    this.#tail = (this.#tail + this.#words[(record >> 2) + RECORD_STRIDE]) | 0
    this.#produced = (this.#produced + 1) | 0
    this.pending++
  }

  publish(): void {
    this.#words[this.#header + PRODUCED] = this.#produced
    Atomics.store(this.#words, this.#header + TAIL, this.#tail)
    this.pending = 0
  }

  #has(packets: number, bytes: number): boolean {
    return (
      ((this.#tail - this.#head) | 0) + bytes <= this.#size &&
      ((this.#produced - this.#consumed) | 0) + packets <= this.#limit
    )
  }

  #look(): void {
    this.#head = Atomics.load(this.#words, this.#header + HEAD)
    this.#consumed = this.#words[this.#header + CONSUMED]
  }
}

export class RingConsumer {
  readonly at: number
  readonly version: number
  readonly #words: Int32Array
  readonly #doubles: Float64Array
  readonly #header: number
  readonly #data: number
  readonly #size: number
  #head: number
  #consumed: number
  #published: number
  #tail: number

  constructor(memory: NetworkMemory, at: number) {
    const words = memory.words
    const header = at >> 2
    this.at = at
    this.version = words[header + VERSION]
    this.#words = words
    this.#doubles = memory.doubles
    this.#header = header
    this.#data = at + HEADER_BYTES
    this.#size = words[header + SIZE]
    this.#head = Atomics.load(words, header + HEAD)
    this.#published = this.#head
    this.#consumed = words[header + CONSUMED]
    this.#tail = Atomics.load(words, header + TAIL)
  }

  /** Byte address of the next record; -1 when there is none. */
  peek(): number {
    if (this.#head === this.#tail) {
      this.#tail = Atomics.load(this.#words, this.#header + TAIL)
      if (this.#head === this.#tail) return -1
    }
    const offset = this.#head & (this.#size - 1)
    if (this.#words[((this.#data + offset) >> 2) + RECORD_STRIDE] !== SKIP) return this.#data + offset
    this.#head = (this.#head + this.#size - offset) | 0
    return this.#data
  }

  nextTime(): number {
    const record = this.peek()
    return record < 0 ? Number.POSITIVE_INFINITY : this.#doubles[(record >> 3) + (RECORD_TIME >> 1)]
  }

  /** Done with the record that `peek` answered. */
  pop(record: number): void {
    this.#head = (this.#head + this.#words[(record >> 2) + RECORD_STRIDE]) | 0
    this.#consumed = (this.#consumed + 1) | 0
  }

  /** Gives the room of all popped records back to the producer. */
  publish(): void {
    if (this.#head === this.#published) return
    this.#published = this.#head
    this.#words[this.#header + CONSUMED] = this.#consumed
    Atomics.store(this.#words, this.#header + HEAD, this.#head)
  }
}
