const CHUNK_BITS = 20
const CHUNK = 1 << CHUNK_BITS
const MASK = CHUNK - 1
const ROUND = 8

/**
 * The bytes of keys, in chunks of 1 MiB outside of the JavaScript heap. A key is named by a number: chunk and offset. What is
 * freed is taken again by a key of the same length, rounded up to 8 bytes.
 */
export class KeyArena {
  readonly #chunks: Uint8Array[] = []
  /** Bytes used of the last chunk. */
  #used = CHUNK
  /** Freed places by rounded length over 8. */
  readonly #free: (number[] | undefined)[] = []

  get byteLength(): number {
    return this.#chunks.length * CHUNK
  }

  /** Copies `length` bytes from `from` of an array. Returns the name. */
  store(bytes: Uint8Array, from: number, length: number): number {
    const size = (length + ROUND - 1) >>> 3
    const at = this.#free[size]?.pop() ?? this.#extend(size * ROUND)
    const chunk = this.#chunks[at >>> CHUNK_BITS]
    const to = at & MASK
    for (let i = 0; i < length; i++) chunk[to + i] = bytes[from + i]
    return at
  }

  release(at: number, length: number): void {
    const size = (length + ROUND - 1) >>> 3
    const free = this.#free[size]
    if (free === undefined) this.#free[size] = [at]
    else free.push(at)
  }

  /** Bytewise: negative, 0 or positive as the stored key is before, equal to or behind the given one. */
  compare(at: number, length: number, key: Uint8Array, from: number, keyLength: number): number {
    const chunk = this.#chunks[at >>> CHUNK_BITS]
    const start = at & MASK
    const shorter = Math.min(length, keyLength)
    for (let i = 0; i < shorter; i++) {
      const difference = chunk[start + i] - key[from + i]
      if (difference !== 0) return difference
    }
    return length - keyLength
  }

  copyOut(at: number, length: number, to: Uint8Array, position = 0): void {
    const start = at & MASK
    const chunk = this.#chunks[at >>> CHUNK_BITS]
    for (let i = 0; i < length; i++) to[position + i] = chunk[start + i]
  }

  #extend(size: number): number {
    if (this.#used + size > CHUNK) {
      this.#chunks.push(new Uint8Array(CHUNK))
      this.#used = 0
    }
    const at = ((this.#chunks.length - 1) << CHUNK_BITS) | this.#used
    this.#used += size
    return at >>> 0
  }
}
