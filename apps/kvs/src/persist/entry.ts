import type { FramePool } from '@parakernel/hal'

/**
 * One change of the store in a record of the log, little-endian, a multiple of 8 bytes long. What is kept is what a change came to,
 * not the request: an append is the whole new value. So replaying is putting and deleting, in order, and may be done twice.
 *
 *      0  u8   type     1  u8 length of the key     2  u16 0
 *      4  u32  flags
 *      8  f64  expiry, milliseconds since 1970; 0: never
 *     16  u32  length of the value                 20  u32 0
 *     24  key, value, zeroes
 */
export const ENTRY_HEADER = 24
export const ENTRY_PUT = 1
export const ENTRY_DELETE = 2
export const ENTRY_CLEAR = 3

/** Longest value that is kept: longer ones are refused by a store with persistence. */
export const LONGEST_VALUE = 120 * 1024
/** Room for the longest entry and for many short ones. */
export const ENTRY_AREA = 128 * 1024

export const entryLength = (keyLength: number, valueLength: number) => (ENTRY_HEADER + keyLength + valueLength + 7) & ~7

/** Entries one behind the other in an area of the pool's region. */
export class EntryWriter {
  length = 0
  readonly address: number
  readonly #pool: FramePool

  constructor(pool: FramePool, address: number) {
    this.#pool = pool
    this.address = address
  }

  fits(keyLength: number, valueLength: number): boolean {
    return this.length + entryLength(keyLength, valueLength) <= ENTRY_AREA
  }

  /** Addresses are of the region. */
  add(
    type: number,
    keyAddress: number,
    keyLength: number,
    valueAddress: number,
    valueLength: number,
    flags: number,
    expiresAt: number,
  ): void {
    const pool = this.#pool
    const { view } = pool
    const at = this.address + this.length
    const end = at + entryLength(keyLength, valueLength)
    view.setUint32(at, type | (keyLength << 8), true)
    view.setUint32(at + 4, flags, true)
    view.setFloat64(at + 8, expiresAt, true)
    view.setUint32(at + 16, valueLength, true)
    view.setUint32(at + 20, 0, true)
    const value = at + ENTRY_HEADER + keyLength
    pool.copy(at + ENTRY_HEADER, keyAddress, keyLength)
    pool.copy(value, valueAddress, valueLength)
    pool.bytes.fill(0, value + valueLength, end)
    this.length = end - this.address
  }
}

/** Reads the entries of a record; `next` moves to the first, then to each that follows. */
export class EntryReader {
  type = 0
  flags = 0
  expiresAt = 0
  keyLength = 0
  valueLength = 0
  /** In the record's bytes. */
  keyAt = 0
  valueAt = 0
  /** Behind the entry. */
  to = 0
  #view: DataView = new DataView(new ArrayBuffer(0))
  #end = 0

  open(bytes: Uint8Array, at: number, length: number): this {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.to = at
    this.#end = at + length
    return this
  }

  /** False at the end, and at an entry that no version of this program has written. */
  next(): boolean {
    const view = this.#view
    const at = this.to
    if (at + ENTRY_HEADER > this.#end) return false
    const word = view.getUint32(at, true)
    this.type = word & 0xff
    this.keyLength = (word >>> 8) & 0xff
    this.flags = view.getUint32(at + 4, true)
    this.expiresAt = view.getFloat64(at + 8, true)
    this.valueLength = view.getUint32(at + 16, true)
    this.keyAt = at + ENTRY_HEADER
    this.valueAt = this.keyAt + this.keyLength
    this.to = at + entryLength(this.keyLength, this.valueLength)
    const isKnown = this.type >= ENTRY_PUT && this.type <= ENTRY_CLEAR
    return isKnown && this.valueLength <= LONGEST_VALUE && this.to <= this.#end
  }
}
