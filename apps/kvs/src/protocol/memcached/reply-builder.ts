import { TEXTS } from './texts.ts'

const VALUE = [0x56, 0x41, 0x4c, 0x55, 0x45, 0x20]
/** Longest reply to one datagram: a few values of 1 MiB. */
const LARGEST = 8 << 20

/** The text of the replies to one datagram, before it is cut into datagrams. Grows, and is reused. */
export class ReplyBuilder {
  bytes = new Uint8Array(16_384)
  length = 0
  /** More than `LARGEST` was added: the reply is to be replaced by an error. */
  overflowed = false

  clear(): void {
    this.length = 0
    this.overflowed = false
  }

  /** A fixed answer, see texts.ts. */
  text(number: number): void {
    this.append(TEXTS[number], 0, TEXTS[number].length)
  }

  append(source: Uint8Array, at: number, length: number): void {
    if (!this.#reserve(length)) return
    if (length <= 32) for (let i = 0; i < length; i++) this.bytes[this.length + i] = source[at + i]
    else this.bytes.set(source.subarray(at, at + length), this.length)
    this.length += length
  }

  /** `VALUE <key> <flags> <bytes>[ <version>]\r\n<data>\r\n`. `source` holds key and data. */
  value(
    source: Uint8Array,
    key: number,
    keyLength: number,
    data: number,
    dataLength: number,
    flags: number,
    version: bigint | undefined,
  ): void {
    if (!this.#reserve(6 + keyLength + 64 + dataLength)) return
    for (const letter of VALUE) this.bytes[this.length++] = letter
    this.append(source, key, keyLength)
    this.bytes[this.length++] = 0x20
    this.#digits(flags)
    this.bytes[this.length++] = 0x20
    this.#digits(dataLength)
    if (version !== undefined) {
      this.bytes[this.length++] = 0x20
      this.ascii(version.toString())
    }
    this.#lineEnd()
    this.append(source, data, dataLength)
    this.#lineEnd()
  }

  /** ASCII text. For answers that are not on the fast path. */
  ascii(text: string): void {
    if (!this.#reserve(text.length)) return
    for (let i = 0; i < text.length; i++) this.bytes[this.length++] = text.charCodeAt(i)
  }

  #lineEnd(): void {
    if (!this.#reserve(2)) return
    this.bytes[this.length++] = 0x0d
    this.bytes[this.length++] = 0x0a
  }

  #digits(value: number): void {
    let divisor = 1
    while (value / divisor >= 10) divisor *= 10
    for (let rest = value; divisor >= 1; divisor /= 10) {
      const digit = Math.floor(rest / divisor)
      this.bytes[this.length++] = 0x30 + digit
      rest -= digit * divisor
    }
  }

  #reserve(length: number): boolean {
    const wanted = this.length + length
    if (wanted <= this.bytes.length) return true
    if (wanted > LARGEST) {
      this.overflowed = true
      return false
    }
    const larger = new Uint8Array(Math.min(LARGEST, Math.max(wanted, this.bytes.length * 2)))
    larger.set(this.bytes.subarray(0, this.length))
    this.bytes = larger
    return true
  }
}
