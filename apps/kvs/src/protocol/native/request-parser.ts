import { OP_DECREMENT, OP_GET, OP_GET_AND_TOUCH, OP_INCREMENT, OP_NOOP, type RequestBatch } from '@parakernel/mica'
import {
  EXTENSION_BYTES,
  MAGIC,
  OPERATION_EXTENDED,
  OPERATION_HEADER_BYTES,
  PACKET_COOKIE,
  PACKET_HEADER_BYTES,
  PACKET_RESPONSE,
  RESULT_MALFORMED,
  STATUS_BAD_VERSION,
  STATUS_MALFORMED,
  STATUS_OK,
  VERSION,
} from './layout.ts'

/** Not of this protocol, or a response: answered with silence, so that two servers cannot be made to answer each other. */
export const NOT_A_REQUEST = -1

/**
 * Reads request datagrams into the columns of a `RequestBatch`. Keys and values stay in their frames; only addresses are
 * written. Columns beside the batch keep what the store has no use for.
 */
export class RequestParser {
  readonly #words: Int32Array
  readonly #batch: RequestBatch
  /** The operations' opaques, by batch index. */
  readonly opaque: Int32Array
  /** A result that was decided without the store, by batch index; 0 = the store's. Its opcode in the batch is NOOP. */
  readonly forced: Int32Array
  /** The opcode as it was sent, for the response. */
  readonly opcode: Int32Array
  /** Where the operation starts; it ends behind its padded value. */
  readonly start: Int32Array

  // The packet that was parsed last.
  status = STATUS_OK
  packetOpaque = 0
  cookieLo = 0
  cookieHi = 0
  /** Whether an operation of the packet may return a value. */
  readsValues = false
  /** Shortest key of the operations that return values: a value no longer than that never outgrows its request. */
  shortestKey = 0

  constructor(batch: RequestBatch) {
    this.#words = new Int32Array(batch.memory.buffer)
    this.#batch = batch
    this.opaque = new Int32Array(batch.capacity)
    this.forced = new Int32Array(batch.capacity)
    this.opcode = new Int32Array(batch.capacity)
    this.start = new Int32Array(batch.capacity)
  }

  /**
   * Parses the datagram of `length` bytes at `address` (a multiple of 8), appends its operations to the batch, whose
   * capacity bounds them, and returns how many; `NOT_A_REQUEST` if it is none.
   * @param now milliseconds, the start of times to live
   */
  parse(address: number, length: number, now: number): number {
    const words = this.#words
    if (length < PACKET_HEADER_BYTES) return NOT_A_REQUEST
    let w = address >> 2
    const first = words[w]
    if ((first & 0xffff) !== MAGIC || (first & (PACKET_RESPONSE << 24)) !== 0) return NOT_A_REQUEST
    this.packetOpaque = words[w + 2]
    const cookie = (first & (PACKET_COOKIE << 24)) !== 0
    this.cookieLo = cookie ? words[w + 4] : 0
    this.cookieHi = cookie ? words[w + 5] : 0
    this.readsValues = false
    this.shortestKey = 256
    if (((first >>> 16) & 0xff) !== VERSION) {
      this.status = STATUS_BAD_VERSION
      return 0
    }
    this.status = STATUS_OK
    const wanted = words[w + 1] & 0xffff
    const batch = this.#batch
    const from = batch.count
    const room = batch.capacity - from
    const count = Math.min(wanted, room)
    const { opcode, hashLo, hashHi, keyAddress, keyLength, valueAddress, valueLength } = batch
    const { flags, expiresAt, operandLo, operandHi } = batch
    const opaque = this.opaque
    const forced = this.forced
    const sent = this.opcode
    const start = this.start
    const end = address + length
    let at = address + PACKET_HEADER_BYTES
    let i = from
    const last = from + count
    for (; i < last; i++) {
      let key = at + OPERATION_HEADER_BYTES
      if (key > end) break
      w = at >> 2
      const head = words[w]
      const op = head & 0xff
      const keyBytes = (head >>> 8) & 0xff
      const valueBytes = words[w + 1]
      const ttl = words[w + 5]
      start[i] = at
      opaque[i] = words[w + 4]
      sent[i] = op
      hashLo[i] = words[w + 2]
      hashHi[i] = words[w + 3]
      expiresAt[i] = ttl === 0 ? 0 : now + (ttl >>> 0)
      if ((head & (OPERATION_EXTENDED << 16)) !== 0) {
        key += EXTENSION_BYTES
        if (key > end) return this.#cutOff(i, from)
        operandLo[i] = words[w + 6]
        operandHi[i] = words[w + 7]
        flags[i] = words[w + 8]
      } else {
        operandLo[i] = 0
        operandHi[i] = 0
        flags[i] = 0
      }
      const value = key + ((keyBytes + 7) & ~7)
      const left = end - value
      if (valueBytes < 0 || valueBytes > left || ((valueBytes + 7) & ~7) > left) return this.#cutOff(i, from)
      opcode[i] = op
      keyAddress[i] = key
      keyLength[i] = keyBytes
      valueAddress[i] = value
      valueLength[i] = valueBytes
      forced[i] = 0
      if (op === OP_GET || op === OP_GET_AND_TOUCH || op === OP_INCREMENT || op === OP_DECREMENT) {
        this.readsValues = true
        if (keyBytes < this.shortestKey) this.shortestKey = keyBytes
      }
      at = value + ((valueBytes + 7) & ~7)
    }
    if (i - from !== wanted || at !== end) this.status = STATUS_MALFORMED
    batch.count = i
    return i - from
  }

  /** Moves operation `from` to `to`, a lower index: what is left when others of its packet are taken out. */
  move(to: number, from: number): void {
    const batch = this.#batch
    batch.opcode[to] = batch.opcode[from]
    batch.hashLo[to] = batch.hashLo[from]
    batch.hashHi[to] = batch.hashHi[from]
    batch.keyAddress[to] = batch.keyAddress[from]
    batch.keyLength[to] = batch.keyLength[from]
    batch.valueAddress[to] = batch.valueAddress[from]
    batch.valueLength[to] = batch.valueLength[from]
    batch.flags[to] = batch.flags[from]
    batch.expiresAt[to] = batch.expiresAt[from]
    batch.operandLo[to] = batch.operandLo[from]
    batch.operandHi[to] = batch.operandHi[from]
    this.opaque[to] = this.opaque[from]
    this.forced[to] = this.forced[from]
    this.opcode[to] = this.opcode[from]
    this.start[to] = this.start[from]
  }

  /** Operation `i` is readable up to its opaque, and then lies or ends: it is answered, and nothing behind it is read. */
  #cutOff(i: number, from: number): number {
    const batch = this.#batch
    batch.opcode[i] = OP_NOOP
    batch.keyLength[i] = 0
    batch.valueLength[i] = 0
    this.forced[i] = RESULT_MALFORMED
    this.status = STATUS_MALFORMED
    batch.count = i + 1
    return i + 1 - from
  }
}
