import {
  MAGIC,
  O_CLIENT_FLAGS,
  O_ITEM_VERSION,
  O_OPAQUE,
  O_OPCODE,
  O_RESULT,
  O_VALUE_LENGTH,
  OPERATION_HEADER_BYTES,
  P_COOKIE,
  P_COUNT,
  P_FLAGS,
  P_MAGIC,
  P_OPAQUE,
  P_PARTITION,
  P_PARTITIONS,
  P_STATUS,
  P_VERSION,
  PACKET_COOKIE,
  PACKET_HEADER_BYTES,
  PACKET_RESPONSE,
  pad8,
  VERSION,
} from './layout.ts'

/**
 * A cursor over a response datagram: `open` it, then call `next` until it answers false; the fields hold the packet's
 * header and the current operation. Allocates nothing.
 */
export class ResponseReader {
  count = 0
  status = 0
  opaque = 0
  partitions = 0
  partition = 0
  /** 0/0 when the packet carries none. */
  cookieLo = 0
  cookieHi = 0

  opcode = 0
  result = 0
  /** The current operation's opaque, as a signed int32. */
  operationOpaque = 0
  versionLo = 0
  versionHi = 0
  clientFlags = 0
  /** Offset of the value from the start of the view. */
  valueOffset = 0
  valueLength = 0
  /** The packet ended before its count of operations, or has trailing bytes. */
  truncated = false

  #view: DataView = new DataView(new ArrayBuffer(0))
  #at = 0
  #end = 0
  #left = 0

  /** False if these bytes are no response of this protocol's version. */
  open(view: DataView, at: number, length: number): boolean {
    this.truncated = false
    if (length < PACKET_HEADER_BYTES) return false
    if (view.getUint16(at + P_MAGIC, true) !== MAGIC || view.getUint8(at + P_VERSION) !== VERSION) return false
    const flags = view.getUint8(at + P_FLAGS)
    if ((flags & PACKET_RESPONSE) === 0) return false
    this.count = view.getUint16(at + P_COUNT, true)
    this.status = view.getUint8(at + P_STATUS)
    this.opaque = view.getInt32(at + P_OPAQUE, true)
    this.partitions = view.getUint16(at + P_PARTITIONS, true)
    this.partition = view.getUint16(at + P_PARTITION, true)
    this.cookieLo = (flags & PACKET_COOKIE) === 0 ? 0 : view.getInt32(at + P_COOKIE, true)
    this.cookieHi = (flags & PACKET_COOKIE) === 0 ? 0 : view.getInt32(at + P_COOKIE + 4, true)
    this.#view = view
    this.#at = at + PACKET_HEADER_BYTES
    this.#end = at + length
    this.#left = this.count
    return true
  }

  next(): boolean {
    const at = this.#at
    if (this.#left === 0) {
      this.truncated = at !== this.#end
      return false
    }
    const view = this.#view
    const value = at + OPERATION_HEADER_BYTES
    if (value > this.#end) {
      this.truncated = true
      return false
    }
    const length = view.getInt32(at + O_VALUE_LENGTH, true)
    if (length < 0 || length > this.#end - value || pad8(length) > this.#end - value) {
      this.truncated = true
      return false
    }
    this.opcode = view.getUint8(at + O_OPCODE)
    this.result = view.getUint8(at + O_RESULT)
    this.versionLo = view.getInt32(at + O_ITEM_VERSION, true)
    this.versionHi = view.getInt32(at + O_ITEM_VERSION + 4, true)
    this.operationOpaque = view.getInt32(at + O_OPAQUE, true)
    this.clientFlags = view.getInt32(at + O_CLIENT_FLAGS, true)
    this.valueOffset = value
    this.valueLength = length
    this.#at = value + pad8(length)
    this.#left--
    return true
  }
}
