import { foreign } from '@parakernel/linux'

/** Bytes of `struct iovec`: address u64, length u64. */
const IOVEC_WORDS = 4
const UPPER = 2 ** 32

/** An array of `struct iovec`, made once: the pieces of memory of one packet, in the order in which they are filled or sent. */
export class Vector {
  /** Where the array lies, for the system call. */
  readonly address: number
  readonly capacity: number
  readonly #words: Uint32Array

  constructor(capacity: number) {
    this.capacity = capacity
    this.#words = new Uint32Array(new ArrayBuffer(capacity * IOVEC_WORDS * 4))
    this.address = foreign().addressOf(this.#words)
  }

  set(i: number, address: number, length: number): void {
    const words = this.#words
    const at = i * IOVEC_WORDS
    words[at] = address
    words[at + 1] = address / UPPER
    words[at + 2] = length
  }

  /** Only where the piece is, its length stays. */
  move(i: number, address: number): void {
    const words = this.#words
    words[i * IOVEC_WORDS] = address
    words[i * IOVEC_WORDS + 1] = address / UPPER
  }
}
