import {
  EXTENSION_BYTES,
  MAGIC,
  O_FLAGS,
  O_HASH,
  O_KEY_LENGTH,
  O_OPAQUE,
  O_OPCODE,
  O_TTL,
  O_VALUE_LENGTH,
  OPERATION_EXTENDED,
  OPERATION_HEADER_BYTES,
  P_COOKIE,
  P_COUNT,
  P_FLAGS,
  P_MAGIC,
  P_OPAQUE,
  P_VERSION,
  PACKET_COOKIE,
  pad8,
  VERSION,
  X_CLIENT_FLAGS,
  X_OPERAND,
} from './layout.ts'

/** Bytes of one operation in a request. */
export function requestBytes(keyLength: number, valueLength: number, extended: boolean): number {
  return OPERATION_HEADER_BYTES + (extended ? EXTENSION_BYTES : 0) + pad8(keyLength) + pad8(valueLength)
}

/** Writes a request's packet header at `at`. A cookie of 0/0 is no cookie. */
export function writeRequestHeader(
  view: DataView,
  at: number,
  count: number,
  opaque: number,
  cookieLo: number,
  cookieHi: number,
): void {
  view.setUint16(at + P_MAGIC, MAGIC, true)
  view.setUint8(at + P_VERSION, VERSION)
  view.setUint8(at + P_FLAGS, (cookieLo | cookieHi) === 0 ? 0 : PACKET_COOKIE)
  view.setInt32(at + P_COUNT, count & 0xffff, true)
  view.setInt32(at + P_OPAQUE, opaque, true)
  view.setInt32(at + P_OPAQUE + 4, 0, true)
  view.setInt32(at + P_COOKIE, cookieLo, true)
  view.setInt32(at + P_COOKIE + 4, cookieHi, true)
}

/** An operation's header fields, reused from call to call. */
export class OperationFields {
  opcode = 0
  keyLength = 0
  valueLength = 0
  hashLo = 0
  hashHi = 0
  opaque = 0
  /** Milliseconds; 0 = for ever. */
  ttl = 0
  /** Whether operand and client flags are sent. */
  extended = false
  operandLo = 0
  operandHi = 0
  clientFlags = 0
}

/**
 * Writes an operation's header (and extension) at `at` and returns the address of the key. The caller puts the key
 * there and the value `pad8(keyLength)` behind it, each padded with zeros.
 */
export function writeOperation(view: DataView, at: number, fields: OperationFields): number {
  view.setUint8(at + O_OPCODE, fields.opcode)
  view.setUint8(at + O_KEY_LENGTH, fields.keyLength)
  view.setUint16(at + O_FLAGS, fields.extended ? OPERATION_EXTENDED : 0, true)
  view.setInt32(at + O_VALUE_LENGTH, fields.valueLength, true)
  view.setInt32(at + O_HASH, fields.hashLo, true)
  view.setInt32(at + O_HASH + 4, fields.hashHi, true)
  view.setInt32(at + O_OPAQUE, fields.opaque, true)
  view.setInt32(at + O_TTL, fields.ttl, true)
  if (!fields.extended) return at + OPERATION_HEADER_BYTES
  const extension = at + OPERATION_HEADER_BYTES
  view.setInt32(extension + X_OPERAND, fields.operandLo, true)
  view.setInt32(extension + X_OPERAND + 4, fields.operandHi, true)
  view.setInt32(extension + X_CLIENT_FLAGS, fields.clientFlags, true)
  view.setInt32(extension + X_CLIENT_FLAGS + 4, 0, true)
  return extension + EXTENSION_BYTES
}
