/**
 * IGMP: version 1 and 2 messages (RFC 1112, RFC 2236) of 8 bytes, version 3 (RFC 3376) queries and reports.
 *
 *      0      1                2          4               8
 *     | type | max response   | checksum | group         | version 3 query: flags, QQIC, sources ...
 *     | 0x22 | 0              | checksum | 0 | records n | group records ...
 *
 * A group record without sources: type, 0, 0, 0, group.
 */
export const LENGTH = 8
/** A version 3 query is at least this long; it is how versions are told apart (RFC 3376 section 7.1). */
export const V3_QUERY_LENGTH = 12
export const RECORD_LENGTH = 8

export const QUERY = 0x11
export const V1_REPORT = 0x12
export const V2_REPORT = 0x16
export const V2_LEAVE = 0x17
export const V3_REPORT = 0x22

/** Record types of RFC 3376 section 4.2.12; with no sources they say "everything from this group" and "nothing". */
export const MODE_IS_EXCLUDE = 2
export const CHANGE_TO_INCLUDE = 3
export const CHANGE_TO_EXCLUDE = 4

export const type = (view: DataView, at: number): number => view.getUint8(at)
/** Tenths of a second; codes of 128 and more of a version 3 query are a floating-point number (RFC 3376 section 4.1.1). */
export const maxResponse = (view: DataView, at: number): number => view.getUint8(at + 1)
export const group = (view: DataView, at: number): number => view.getInt32(at + 4)

export function decodeResponseCode(code: number): number {
  return code < 128 ? code : ((code & 15) | 16) << (((code >>> 4) & 7) + 3)
}

/** Writes an 8-byte message with checksum. */
export function emit(view: DataView, at: number, typeNumber: number, groupAddress: number): void {
  const sum = (typeNumber << 8) + (groupAddress >>> 16) + (groupAddress & 0xffff)
  view.setUint16(at, typeNumber << 8)
  view.setUint16(at + 2, ~((sum & 0xffff) + (sum >>> 16)) & 0xffff)
  view.setInt32(at + 4, groupAddress)
}

/** Writes a version 3 report's header with a zero checksum; records follow at `at + 8`. */
export function emitV3Report(view: DataView, at: number, records: number): void {
  view.setInt32(at, V3_REPORT << 24)
  view.setInt32(at + 4, records)
}

export function emitRecord(view: DataView, at: number, recordType: number, groupAddress: number): void {
  view.setInt32(at, recordType << 24)
  view.setInt32(at + 4, groupAddress)
}

export function setChecksum(view: DataView, at: number, value: number): void {
  view.setUint16(at + 2, value)
}
