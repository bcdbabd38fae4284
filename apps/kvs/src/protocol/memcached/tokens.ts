/** More words than any command but the retrievals has; the rest of a line is not looked at. */
const MAX_TOKENS = 8

const SPACE = 0x20
const NEWLINE = 0x0a
const RETURN = 0x0d

/** Cuts a command line into words, by address: no strings are made. */
export class Tokens {
  readonly #bytes: Uint8Array
  count = 0
  readonly start = new Int32Array(MAX_TOKENS)
  readonly length = new Int32Array(MAX_TOKENS)
  /** Behind the newline; where data or the next command starts. */
  next = 0
  /** Behind the last byte of the line, its end removed. */
  lineEnd = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  /** Reads the line at `at`; false when no newline comes before `end`. */
  read(at: number, end: number): boolean {
    const bytes = this.#bytes
    let newline = at
    while (newline < end && bytes[newline] !== NEWLINE) newline++
    if (newline === end) return false
    this.next = newline + 1
    this.lineEnd = newline > at && bytes[newline - 1] === RETURN ? newline - 1 : newline
    this.count = 0
    let from = at
    while (this.count < MAX_TOKENS && this.word(from)) {
      this.start[this.count] = this.wordStart
      this.length[this.count] = this.wordLength
      this.count++
      from = this.wordStart + this.wordLength
    }
    return true
  }

  // The word that `word` found.
  wordStart = 0
  wordLength = 0

  /** Finds the first word of the line from `from` on; false when there is none. */
  word(from: number): boolean {
    const bytes = this.#bytes
    const end = this.lineEnd
    let start = from
    while (start < end && bytes[start] === SPACE) start++
    if (start === end) return false
    let stop = start
    while (stop < end && bytes[stop] !== SPACE) stop++
    this.wordStart = start
    this.wordLength = stop - start
    return true
  }

  /** Whether word `index` is `text` (ASCII). */
  is(index: number, text: Uint8Array): boolean {
    if (index >= this.count || this.length[index] !== text.length) return false
    const start = this.start[index]
    for (let i = 0; i < text.length; i++) if (this.#bytes[start + i] !== text[i]) return false
    return true
  }

  /** Word `index` as a whole number, with a sign if `signed`; NaN if it is none or beyond 2^53. */
  number(index: number, signed = false): number {
    if (index >= this.count) return Number.NaN
    const bytes = this.#bytes
    let at = this.start[index]
    const end = at + this.length[index]
    const negative = signed && bytes[at] === 0x2d
    if (negative) at++
    if (at === end || end - at > 16) return Number.NaN
    let value = 0
    for (; at < end; at++) {
      const digit = bytes[at] - 0x30
      if (digit < 0 || digit > 9) return Number.NaN
      value = value * 10 + digit
    }
    if (value > Number.MAX_SAFE_INTEGER) return Number.NaN
    return negative ? -value : value
  }

  /** Word `index` as a u64; undefined if it is none. */
  u64(index: number): bigint | undefined {
    return index < this.count ? parseU64(this.#bytes, this.start[index], this.length[index]) : undefined
  }
}

/** A decimal u64; undefined for anything else. */
export function parseU64(bytes: Uint8Array, at: number, length: number): bigint | undefined {
  if (length < 1 || length > 20) return undefined
  let high = 0
  let low = 0
  // Two halves of ten digits each are exact as doubles.
  for (let i = 0; i < length; i++) {
    const digit = bytes[at + i] - 0x30
    if (digit < 0 || digit > 9) return undefined
    if (i < length - 10) high = high * 10 + digit
    else low = low * 10 + digit
  }
  const value = BigInt(high) * 10_000_000_000n + BigInt(low)
  return value <= 0xffff_ffff_ffff_ffffn ? value : undefined
}
