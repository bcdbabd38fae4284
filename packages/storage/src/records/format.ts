import { crc32c } from '../format/crc32c.ts'

export const RECORDS_VERSION = 1

/**
 * What a record of the log holds, its first byte. A batch that is longer than a record of the log may be is several of them, and
 * counts when the last is there.
 */
export const BATCH_WHOLE = 1
export const BATCH_FIRST = 2
export const BATCH_MORE = 3
export const BATCH_LAST = 4
/** Entries written again, for the room that they took further back. */
export const MOVED = 5
/** The same of values that only a snapshot sees: gone after a restart. */
export const MOVED_OLD = 6
export const CHECKPOINT = 7

/** Bytes before the entries: u8 type, three of 0, u32 number of entries; of a checkpoint, u32 its generation behind that and u32 0. */
export const PAYLOAD_HEADER = 8
export const CHECKPOINT_HEADER = 16

export const PUT = 1
export const DELETE = 2
/** Takes away all keys from `key` to `value`, both included. */
export const CLEAR = 3

/**
 * Before the key and the value of an entry, little endian; nothing is aligned.
 *
 *      0  u32  CRC-32C of all that follows: bytes 4 to 11, key and value
 *      4  u8   operation
 *      5  u24  bytes of the key
 *      8  u32  bytes of the value; 0 for a deletion
 */
export const ENTRY_HEADER = 12
export const KEY_LIMIT = 65_535

/** Before each key of a checkpoint: u64 position of the entry, u32 bytes of the value, u32 bytes of the key. */
export const CHECKPOINT_ENTRY = 16

export function entryBytes(keyLength: number, valueLength: number): number {
  return ENTRY_HEADER + keyLength + valueLength
}

export function setUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
  bytes[at + 2] = value >>> 16
  bytes[at + 3] = value >>> 24
}

export function getUint32(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0
}

export function operationAt(bytes: Uint8Array, at: number): number {
  return bytes[at + 4]
}

export function keyLengthAt(bytes: Uint8Array, at: number): number {
  return bytes[at + 5] | (bytes[at + 6] << 8) | (bytes[at + 7] << 16)
}

export function valueLengthAt(bytes: Uint8Array, at: number): number {
  return getUint32(bytes, at + 8)
}

/** Puts an entry's header before a key and a value that are in place already. Returns the bytes of the entry. */
export function sealEntry(
  bytes: Uint8Array,
  at: number,
  operation: number,
  keyLength: number,
  valueLength: number,
): number {
  setUint32(bytes, at + 4, operation | (keyLength << 8))
  setUint32(bytes, at + 8, valueLength)
  const length = entryBytes(keyLength, valueLength)
  setUint32(bytes, at, crc32c(bytes, 0, at + 4, length - 4))
  return length
}

/** Whether `length` bytes at `at` are an entry, whole. */
export function entryIsWhole(bytes: Uint8Array, at: number, length: number): boolean {
  if (length < ENTRY_HEADER) return false
  if (entryBytes(keyLengthAt(bytes, at), valueLengthAt(bytes, at)) !== length) return false
  return getUint32(bytes, at) === crc32c(bytes, 0, at + 4, length - 4) >>> 0
}
