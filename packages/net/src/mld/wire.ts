import type { IpWords } from '@parakernel/queue'
import * as icmpv6 from '../icmpv6/wire.ts'
import { writeAddress } from '../ipv6/wire.ts'

/**
 * Multicast listener discovery: version 1 messages (RFC 2710) of 24 bytes, version 2 (RFC 3810) queries and reports,
 * all ICMPv6.
 *
 *                 4                     6          8            24
 *     query, v1  | maximum delay, ms   | reserved | group      | version 2: flags, QQIC, number of sources, sources ...
 *     report, v2 | reserved            | records n | records ...
 *
 * A record: type, 0, number of sources (16 bits), group, sources.
 */
export const V1_LENGTH = 24
/** A version 2 query is at least this long; versions are told apart by it (RFC 3810 section 8.1). */
export const V2_QUERY_LENGTH = 28
export const REPORT_HEADER = 8
export const RECORD_HEADER = 20
/** All messages have hop limit 1, so that no router passes them on (section 5). */
export const HOP_LIMIT = 1

/** Record types of section 5.2.12; with no sources they say "everything from this group" and "nothing". */
export const MODE_IS_INCLUDE = 1
export const MODE_IS_EXCLUDE = 2
export const CHANGE_TO_INCLUDE = 3
export const CHANGE_TO_EXCLUDE = 4

export const GROUP = 8
export const maxResponseCode = (view: DataView, at: number): number => view.getUint16(at + 4)
export const robustness = (view: DataView, at: number): number => view.getUint8(at + 24) & 7
export const intervalCode = (view: DataView, at: number): number => view.getUint8(at + 25)
export const sourceCount = (view: DataView, at: number): number => view.getUint16(at + 26)

/** Milliseconds; codes of 32,768 and more of a version 2 query are a floating-point number (section 5.1.3). */
export function decodeResponseCode(code: number): number {
  return code < 0x8000 ? code : ((code & 0xfff) | 0x1000) << (((code >>> 12) & 7) + 3)
}

/** Seconds between queries (section 5.1.9). */
export function decodeIntervalCode(code: number): number {
  return code < 128 ? code : ((code & 15) | 16) << (((code >>> 4) & 7) + 3)
}

/** A version 1 report or done. Checksum zero: the caller sums. */
export function emitV1(view: DataView, at: number, type: number, group: IpWords): void {
  icmpv6.emit(view, at, type, 0, 0)
  writeAddress(view, at + GROUP, group)
}

/** A version 2 report's header; records follow. Checksum zero: the caller sums. */
export function emitReport(view: DataView, at: number, records: number): void {
  icmpv6.emit(view, at, icmpv6.MLD_V2_REPORT, 0, records)
}

/** Writes a record; returns its length. */
export function emitRecord(
  view: DataView,
  at: number,
  type: number,
  group: IpWords,
  sources: readonly IpWords[],
): number {
  view.setInt32(at, (type << 24) | sources.length)
  writeAddress(view, at + 4, group)
  sources.forEach((source, i) => {
    writeAddress(view, at + RECORD_HEADER + 16 * i, source)
  })
  return RECORD_HEADER + 16 * sources.length
}
