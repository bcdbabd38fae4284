import { ParakernelError, type WasmMemory } from '@parakernel/hal'

/** Bytes of the batch's own header; its columns follow. */
const BATCH_HEADER_BYTES = 64
// Words of the batch header.
const B_CAPACITY = 0
const B_COUNT = 1
/** Address behind the last response of the last `execute`. */
const B_OUT_END = 2
/** 1: `execute` stops before the first request whose response does not fit. */
const B_STOP_WHEN_FULL = 3
/** Float64 at byte 16: the clock of `prepare`, ms. */
const B_NOW_OFFSET = 16

// Columns, each `capacity` long: first two of Float64, then these of u32, in the order of the class.
const F64_COLUMNS = 2
const U32_COLUMNS = 18
/** Bytes between two columns: at a distance of a power of two they would all compete for one set of the cache. */
const COLUMN_GAP = 64

function f64Column(capacity: number, column: number): number {
  return BATCH_HEADER_BYTES + column * (8 * capacity + COLUMN_GAP)
}

function u32Column(capacity: number, column: number): number {
  return f64Column(capacity, F64_COLUMNS) + column * (4 * capacity + COLUMN_GAP)
}

/**
 * Requests and their responses as a struct of arrays, in the same memory as the partition, allocated once. A codec
 * writes the request columns straight from received frames (key and value stay where they are: only their addresses
 * are written), then sets `count`.
 *
 * Addresses are absolute byte addresses in `memory`; any alignment is correct, multiples of 8 are fastest.
 */
export class RequestBatch {
  readonly memory: WasmMemory
  readonly byteOffset: number
  /** Most requests that the batch holds; rounded up to a multiple of 16. */
  readonly capacity: number

  // Request columns, written by the caller.
  /** One of OP_*. */
  readonly opcode: Int32Array
  readonly hashLo: Int32Array
  readonly hashHi: Int32Array
  readonly keyAddress: Int32Array
  readonly keyLength: Int32Array
  readonly valueAddress: Int32Array
  readonly valueLength: Int32Array
  /** Opaque 32 bits kept with the item (memcached's client flags). */
  readonly flags: Int32Array
  /** Expiry in ms on the clock that `prepare` is given; 0 = never. */
  readonly expiresAt: Float64Array
  /** CAS: expected version; INCREMENT and DECREMENT: delta. */
  readonly operandLo: Int32Array
  readonly operandHi: Int32Array

  // Response columns, written by `execute`.
  /** One of RESULT_*. */
  readonly result: Int32Array
  /** Address behind this response's gap: the value lies here, and the `gap` bytes before are the codec's. */
  readonly responseAddress: Int32Array
  /** Value length; 0 where the response carries none. With RESULT_NO_ROOM the length that was wanted. */
  readonly responseLength: Int32Array
  /** Version of the item after the request; 0 if there is none. */
  readonly versionLo: Int32Array
  readonly versionHi: Int32Array
  readonly responseFlags: Int32Array
  /** The item's expiry; 0 = never. */
  readonly responseExpiresAt: Float64Array
  /** Address of the value inside the store, valid until the next mutation of the partition; 0 if not found. */
  readonly storedAddress: Int32Array
  /** The kernel's own: word index of the slot that `prepare` found, 0 if none. */
  readonly hint: Int32Array

  readonly #header: Int32Array
  readonly #now: Float64Array

  /** Bytes that a batch of `capacity` requests takes. */
  static byteLength(capacity: number): number {
    const rounded = (capacity + 15) & ~15
    return u32Column(rounded, U32_COLUMNS)
  }

  /**
   * Lays a batch at `byteOffset` (a multiple of 64) of `memory` and clears it. The caller owns those bytes.
   * Throws EINVAL for a bad offset or capacity.
   */
  constructor(memory: WasmMemory, byteOffset: number, capacity: number) {
    const buffer = memory.buffer
    const rounded = (capacity + 15) & ~15
    if (
      !(Number.isInteger(capacity) && capacity >= 1) ||
      !(Number.isInteger(byteOffset) && byteOffset >= 0 && byteOffset % 64 === 0) ||
      byteOffset + RequestBatch.byteLength(capacity) > buffer.byteLength
    ) {
      throw new ParakernelError('EINVAL', `no room for ${capacity} requests at byte ${byteOffset}`, {
        subject: 'RequestBatch',
        remedy: 'Give a 64-byte aligned offset with RequestBatch.byteLength(capacity) bytes behind it',
      })
    }
    this.memory = memory
    this.byteOffset = byteOffset
    this.capacity = rounded
    this.#header = new Int32Array(buffer, byteOffset, BATCH_HEADER_BYTES / 4)
    this.#now = new Float64Array(buffer, byteOffset + B_NOW_OFFSET, 1)
    const column = (index: number) => new Int32Array(buffer, byteOffset + u32Column(rounded, index), rounded)
    this.expiresAt = new Float64Array(buffer, byteOffset + f64Column(rounded, 0), rounded)
    this.responseExpiresAt = new Float64Array(buffer, byteOffset + f64Column(rounded, 1), rounded)
    this.opcode = column(0)
    this.hashLo = column(1)
    this.hashHi = column(2)
    this.keyAddress = column(3)
    this.keyLength = column(4)
    this.valueAddress = column(5)
    this.valueLength = column(6)
    this.flags = column(7)
    this.operandLo = column(8)
    this.operandHi = column(9)
    this.result = column(10)
    this.responseAddress = column(11)
    this.responseLength = column(12)
    this.versionLo = column(13)
    this.versionHi = column(14)
    this.responseFlags = column(15)
    this.storedAddress = column(16)
    this.hint = column(17)
    new Uint8Array(buffer, byteOffset, RequestBatch.byteLength(capacity)).fill(0)
    this.#header[B_CAPACITY] = rounded
  }

  /** Requests in the batch. */
  get count(): number {
    return this.#header[B_COUNT]
  }

  set count(value: number) {
    this.#header[B_COUNT] = value
  }

  /** Address behind the last response of the last `execute`: where the packet ends. */
  get outEnd(): number {
    return this.#header[B_OUT_END]
  }

  set outEnd(value: number) {
    this.#header[B_OUT_END] = value
  }

  /**
   * What `execute` does when a response does not fit in the output area. False (default): RESULT_NO_ROOM for that
   * request, room for the gaps of the others is kept. True: it stops before that request, unless it is the first.
   */
  get stopWhenFull(): boolean {
    return this.#header[B_STOP_WHEN_FULL] !== 0
  }

  set stopWhenFull(value: boolean) {
    this.#header[B_STOP_WHEN_FULL] = value ? 1 : 0
  }

  /** The clock of the last `prepare`, ms. */
  get now(): number {
    return this.#now[0]
  }

  set now(value: number) {
    this.#now[0] = value
  }

  /**
   * Appends a request without value, expiry, flags and operand (set their columns at the returned index if needed).
   * For tools and tests; a codec writes the columns itself. Returns -1 if the batch is full.
   */
  add(opcode: number, hashLo: number, hashHi: number, keyAddress: number, keyLength: number): number {
    const index = this.count
    if (index >= this.capacity) return -1
    this.opcode[index] = opcode
    this.hashLo[index] = hashLo
    this.hashHi[index] = hashHi
    this.keyAddress[index] = keyAddress
    this.keyLength[index] = keyLength
    this.valueAddress[index] = 0
    this.valueLength[index] = 0
    this.flags[index] = 0
    this.expiresAt[index] = 0
    this.operandLo[index] = 0
    this.operandHi[index] = 0
    this.count = index + 1
    return index
  }
}
