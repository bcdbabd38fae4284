import { keyhash } from '@parakernel/mica'

/** What a value read back turned out to be. */
export const READ_RIGHT = 0
/** An older version than one whose write had been acknowledged before the read was issued. */
export const READ_STALE = 1
/** Never written under this key: damaged, or another key's, or from the future. */
export const READ_WRONG = 2

function mix(a: number, b: number): number {
  let h = Math.imul(a ^ 0x7f4a7c15, 0x9e3779b1) ^ Math.imul(b + 0x165667b1, 0x85ebca77)
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d)
  return h ^ (h >>> 13)
}

/**
 * Keys and values by number, so that every byte that comes back can be checked without a copy of what was sent. A value
 * carries its version, a checksum over key and version, and a pattern that follows from both.
 *
 * For each key it knows the highest version written (issued) and acknowledged.
 */
export class Dataset {
  readonly keyBytes: number
  readonly valueBytes: number
  readonly capacity: number
  readonly hashLo: Int32Array
  readonly hashHi: Int32Array
  readonly issued: Uint32Array
  readonly acknowledged: Uint32Array
  /** 1 while a write is on its way: there is never more than one for a key. */
  readonly writing: Uint8Array
  /** 1 after a write was sent more than once: an early copy may still arrive and bring an old version back. */
  readonly ambiguous: Uint8Array
  /** Whole words of a value. */
  readonly #words: number

  /** @param valueBytes at least 8 */
  constructor(capacity: number, keyBytes: number, valueBytes: number) {
    this.capacity = capacity
    this.keyBytes = keyBytes
    this.valueBytes = valueBytes
    this.#words = valueBytes >> 2
    this.hashLo = new Int32Array(capacity)
    this.hashHi = new Int32Array(capacity)
    this.issued = new Uint32Array(capacity)
    this.acknowledged = new Uint32Array(capacity)
    this.writing = new Uint8Array(capacity)
    this.ambiguous = new Uint8Array(capacity)
    const words = new Int32Array((keyBytes + 7) >> 2)
    const bytes = new Uint8Array(words.buffer)
    const lanes = new Int32Array(2)
    for (let key = 0; key < capacity; key++) {
      this.writeKey(words, 0, key)
      keyhash(bytes, 0, keyBytes, lanes)
      this.hashLo[key] = lanes[0]
      this.hashHi[key] = lanes[1]
    }
  }

  /** Writes a key at word `w`; bytes beyond its length up to the word stay the caller's to clear. */
  writeKey(words: Int32Array, w: number, key: number): void {
    words[w] = key
    words[w + 1] = mix(key, 0x6b6579)
    const end = w + (this.keyBytes >> 2)
    for (let at = w + 2; at < end; at++) words[at] = words[at - 1] + 0x9e3779b1
    const rest = this.keyBytes & 3
    if (rest !== 0) words[end] = mix(key, rest) & ((1 << (rest * 8)) - 1)
  }

  writeValue(words: Int32Array, w: number, key: number, version: number): void {
    const check = mix(key, version)
    words[w] = version
    words[w + 1] = check
    let pattern = check
    const end = w + this.#words
    for (let at = w + 2; at < end; at++) {
      pattern = (pattern + 0x9e3779b1) | 0
      words[at] = pattern
    }
    if ((this.valueBytes & 3) !== 0) words[end] = 0
  }

  /**
   * Checks a value that was read for `key`.
   * @param floor version that was acknowledged when the read was issued
   */
  check(words: Int32Array, w: number, length: number, key: number, floor: number): number {
    if (length !== this.valueBytes) return READ_WRONG
    const version = words[w] >>> 0
    const check = mix(key, version)
    let difference = words[w + 1] ^ check
    let pattern = check
    const end = w + this.#words
    for (let at = w + 2; at < end; at++) {
      pattern = (pattern + 0x9e3779b1) | 0
      difference |= words[at] ^ pattern
    }
    if (difference !== 0 || version === 0 || version > this.issued[key]) return READ_WRONG
    return version < floor ? READ_STALE : READ_RIGHT
  }
}
