/**
 * TCP header (RFC 9293 section 3.1), 20 bytes and up to 40 of options.
 *
 *      0             2                  4          8                12                       14       16         18
 *     | source port | destination port | sequence | acknowledgment | offset, rsvd., flags | window | checksum | urgent |
 */
import { DROP_TCP_BAD_HEADER_LENGTH, DROP_TCP_BAD_PORT, DROP_TCP_TRUNCATED } from './input-counters.ts'
import type { Segment } from './segment.ts'

export const HEADER_LENGTH = 20
/** With all the options that fit. */
export const MAX_HEADER_LENGTH = 60
/** Offset of the checksum in the header: what `checksumOffset` of a burst is set to. */
export const CHECKSUM = 16

export const HEADER_OK = -1

export const sourcePort = (view: DataView, at: number): number => view.getUint16(at)
export const destinationPort = (view: DataView, at: number): number => view.getUint16(at + 2)
/** The source port in the upper half. */
export const ports = (view: DataView, at: number): number => view.getInt32(at)
export const sequence = (view: DataView, at: number): number => view.getInt32(at + 4)
export const acknowledgment = (view: DataView, at: number): number => view.getInt32(at + 8)
/** In bytes, options included. */
export const headerLength = (view: DataView, at: number): number => (view.getUint8(at + 12) >>> 4) << 2
export const flags = (view: DataView, at: number): number => view.getUint8(at + 13)
/** Not scaled. */
export const window = (view: DataView, at: number): number => view.getUint16(at + 14)
export const checksum = (view: DataView, at: number): number => view.getUint16(at + CHECKSUM)

export function setChecksum(view: DataView, at: number, value: number): void {
  view.setUint16(at + CHECKSUM, value)
}

/**
 * What the header alone can be wrong in: `HEADER_OK`, or the counter of the first rule that is broken. Reserved bits are
 * ignored (RFC 9293 section 3.1).
 * @param length bytes of the segment, header included
 */
export function checkHeader(view: DataView, at: number, length: number): number {
  if (length < HEADER_LENGTH) return DROP_TCP_TRUNCATED
  const header = headerLength(view, at)
  if (header < HEADER_LENGTH) return DROP_TCP_BAD_HEADER_LENGTH
  if (header > length) return DROP_TCP_TRUNCATED
  // Port 0 is reserved: no socket can be bound to it (RFC 6335 section 6).
  if (sourcePort(view, at) === 0 || destinationPort(view, at) === 0) return DROP_TCP_BAD_PORT
  return HEADER_OK
}

/** Reads the fixed part of a checked header; the options and the payload are the caller's. */
export function parseHeader(view: DataView, at: number, into: Segment): void {
  into.sequence = sequence(view, at)
  into.acknowledgment = acknowledgment(view, at)
  into.flags = flags(view, at)
  into.window = window(view, at)
}

/**
 * Writes the fixed part, checksum 0 and urgent pointer 0.
 * @param header bytes, options included; a multiple of 4
 */
export function emitHeader(
  view: DataView,
  at: number,
  from: Segment,
  source: number,
  to: number,
  header: number,
): void {
  view.setInt32(at, (source << 16) | to)
  view.setInt32(at + 4, from.sequence)
  view.setInt32(at + 8, from.acknowledgment)
  view.setInt32(at + 12, (header << 26) | (from.flags << 16) | from.window)
  view.setInt32(at + 16, 0)
}
