import {
  OP_DECREMENT,
  OP_GET,
  OP_GET_AND_TOUCH,
  OP_INCREMENT,
  RESULT_NO_ROOM,
  RESULT_OK,
  RESULT_UNKNOWN_OPCODE,
  type RequestBatch,
} from '@parakernel/mica'
import {
  MAGIC,
  OPERATION_HEADER_BYTES,
  PACKET_COOKIE,
  PACKET_RESPONSE,
  RESULT_COOKIE_REQUIRED,
  STATUS_COOKIE_REQUIRED,
  VERSION,
} from './layout.ts'
import type { RequestParser } from './request-parser.ts'

const FIRST_WORD = MAGIC | (VERSION << 16) | (PACKET_RESPONSE << 24)

/** Writes response headers around the values that the store has put into a reply. */
export class ResponseWriter {
  readonly #words: Int32Array
  readonly #batch: RequestBatch
  readonly #parser: RequestParser
  /** Operations of the last `operations` whose opcode does not exist. */
  unknown = 0
  /** Word 3 of every response: partitions, and which one this is. */
  readonly #place: number

  constructor(batch: RequestBatch, parser: RequestParser, partition: number, partitions: number) {
    this.#words = new Int32Array(batch.memory.buffer)
    this.#batch = batch
    this.#parser = parser
    this.#place = partitions | (partition << 16)
  }

  /** Packet header at `address`, a multiple of 8. */
  header(address: number, count: number, status: number, opaque: number): void {
    const words = this.#words
    const w = address >> 2
    words[w] = FIRST_WORD
    words[w + 1] = count | (status << 16)
    words[w + 2] = opaque
    words[w + 3] = this.#place
    words[w + 4] = 0
    words[w + 5] = 0
  }

  /** Adds the cookie that the client is to echo to a header that was written. */
  cookie(address: number, lo: number, hi: number): void {
    const w = address >> 2
    this.#words[w] = FIRST_WORD | (PACKET_COOKIE << 24)
    this.#words[w + 4] = lo
    this.#words[w + 5] = hi
  }

  /**
   * Operation headers of the batch's requests `from` to `to - 1`, into the gaps that the store left before their values.
   * With `unproven`, a value that did not fit is one that the cookie would have brought. Returns STATUS_COOKIE_REQUIRED
   * if there was one, else 0.
   */
  operations(from: number, to: number, unproven: boolean): number {
    const words = this.#words
    const { result, responseAddress, responseLength, versionLo, versionHi, responseFlags } = this.#batch
    const { opcode, opaque, forced } = this.#parser
    let status = 0
    let unknown = 0
    for (let i = from; i < to; i++) {
      const w = (responseAddress[i] - OPERATION_HEADER_BYTES) >> 2
      const op = opcode[i]
      let code = forced[i] !== 0 ? forced[i] : result[i]
      if (unproven && code === RESULT_NO_ROOM) {
        code = RESULT_COOKIE_REQUIRED
        status = STATUS_COOKIE_REQUIRED
      }
      if (code === RESULT_UNKNOWN_OPCODE) unknown++
      words[w] = op | (code << 8)
      words[w + 1] =
        code === RESULT_OK && (op === OP_GET || op === OP_GET_AND_TOUCH || op === OP_INCREMENT || op === OP_DECREMENT)
          ? responseLength[i]
          : 0
      words[w + 2] = versionLo[i]
      words[w + 3] = versionHi[i]
      words[w + 4] = opaque[i]
      words[w + 5] = responseFlags[i]
    }
    this.unknown = unknown
    return status
  }

  /** The header of one operation whose value somebody else puts behind it; `i` is its index in the batch. */
  operation(address: number, i: number, result: number, length: number, version: bigint, flags: number): void {
    const words = this.#words
    const w = address >> 2
    words[w] = this.#parser.opcode[i] | (result << 8)
    words[w + 1] = length
    words[w + 2] = Number(BigInt.asIntN(32, version))
    words[w + 3] = Number(BigInt.asIntN(32, version >> 32n))
    words[w + 4] = this.#parser.opaque[i]
    words[w + 5] = flags
  }
}
