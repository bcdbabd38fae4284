import { SACK_BLOCKS, type Segment, SYN } from './segment.ts'

// Kinds, from the IANA registry
const END = 0
const NO_OPERATION = 1
const MAXIMUM_SEGMENT_SIZE = 2
const WINDOW_SCALE = 3
const SACK_PERMITTED = 4
const SACK = 5
const TIMESTAMPS = 8
const USER_TIMEOUT = 28

/** Room for options in a header. */
const MAX_LENGTH = 40
/** RFC 7323 section 2.3: a larger shift is taken as this one. */
const MAX_SHIFT = 14
/** Two no-operations, then timestamps: the layout of RFC 7323 appendix A, which every system sends. */
const ALIGNED_TIMESTAMPS = 0x0101_080a
const ALIGNED_LENGTH = 12

/** `parseOptions` found an option whose length is wrong or leads out of the header. */
export const OPTIONS_MALFORMED = -1

/**
 * Reads the options from `at` to `end` into `into`, whose options are cleared (`clearOptions`) and whose flags are set. Returns how
 * many it did not know and skipped, or `OPTIONS_MALFORMED`. An option that is out of place is skipped: MSS, window
 * scale and SACK-permitted without SYN, SACK with it (RFC 9293 section 3.7.1, RFC 7323 section 2.2, RFC 2018).
 */
export function parseOptions(view: DataView, at: number, end: number, into: Segment): number {
  if (end - at === ALIGNED_LENGTH && view.getInt32(at) === ALIGNED_TIMESTAMPS) {
    into.hasTimestamp = true
    into.timestampValue = view.getInt32(at + 4)
    into.timestampEcho = view.getInt32(at + 8)
    return 0
  }
  return at === end ? 0 : parseList(view, at, end, into)
}

function parseList(view: DataView, start: number, end: number, into: Segment): number {
  const opens = (into.flags & SYN) !== 0
  let unknown = 0
  let at = start
  while (at < end) {
    const kind = view.getUint8(at)
    if (kind === END) break
    if (kind === NO_OPERATION) {
      at++
      continue
    }
    if (at + 1 >= end) return OPTIONS_MALFORMED
    const length = view.getUint8(at + 1)
    if (length < 2 || at + length > end) return OPTIONS_MALFORMED
    switch (kind) {
      case MAXIMUM_SEGMENT_SIZE:
        if (length !== 4) return OPTIONS_MALFORMED
        if (opens) into.mss = view.getUint16(at + 2)
        break
      case WINDOW_SCALE:
        if (length !== 3) return OPTIONS_MALFORMED
        if (opens) into.windowScale = Math.min(view.getUint8(at + 2), MAX_SHIFT)
        break
      case SACK_PERMITTED:
        if (length !== 2) return OPTIONS_MALFORMED
        if (opens) into.sackPermitted = true
        break
      case SACK:
        if (length < 10 || (length - 2) % 8 !== 0) return OPTIONS_MALFORMED
        if (!opens) parseSack(view, at + 2, (length - 2) >>> 3, into)
        break
      case TIMESTAMPS:
        if (length !== 10) return OPTIONS_MALFORMED
        into.hasTimestamp = true
        into.timestampValue = view.getInt32(at + 2)
        into.timestampEcho = view.getInt32(at + 6)
        break
      case USER_TIMEOUT:
        if (length !== 4) return OPTIONS_MALFORMED
        into.userTimeout = view.getUint16(at + 2)
        break
      default:
        unknown++
    }
    at += length
  }
  return unknown
}

function parseSack(view: DataView, at: number, blocks: number, into: Segment): void {
  const count = Math.min(blocks, SACK_BLOCKS)
  for (let i = 0; i < count; i++) {
    into.sackLeft[i] = view.getInt32(at + i * 8)
    into.sackRight[i] = view.getInt32(at + i * 8 + 4)
  }
  into.sackCount = count
}

/** Bytes that `emitOptions` writes for this segment, at most 40: SACK blocks that do not fit are left out. */
export function optionsLength(from: Segment): number {
  const base = baseLength(from)
  return from.sackCount === 0 ? base : base + sackLength(from, base)
}

/** Bytes of everything but SACK blocks. */
function baseLength(from: Segment): number {
  let length = 0
  if (from.mss > 0) length += 4
  if (from.hasTimestamp) length += ALIGNED_LENGTH
  else if (from.sackPermitted) length += 4
  if (from.windowScale >= 0) length += 4
  if (from.userTimeout >= 0) length += 4
  return length
}

function sackLength(from: Segment, base: number): number {
  const blocks = Math.min(from.sackCount, (MAX_LENGTH - 4 - base) >>> 3)
  return blocks > 0 ? 4 + blocks * 8 : 0
}

/**
 * Writes the options of `from` at `at`, every field on its boundary; returns the bytes, a multiple of 4. The order is that of
 * appendix A of RFC 7323: SACK-permitted fills the gap before timestamps.
 */
export function emitOptions(view: DataView, at: number, from: Segment): number {
  let to = at
  if (from.mss > 0) {
    view.setInt32(to, (MAXIMUM_SEGMENT_SIZE << 24) | (4 << 16) | from.mss)
    to += 4
  }
  if (from.hasTimestamp) {
    view.setInt32(to, from.sackPermitted ? (SACK_PERMITTED << 24) | (2 << 16) | 0x080a : ALIGNED_TIMESTAMPS)
    view.setInt32(to + 4, from.timestampValue)
    view.setInt32(to + 8, from.timestampEcho)
    to += ALIGNED_LENGTH
  } else if (from.sackPermitted) {
    view.setInt32(to, 0x0101_0000 | (SACK_PERMITTED << 8) | 2)
    to += 4
  }
  if (from.windowScale >= 0) {
    view.setInt32(to, (NO_OPERATION << 24) | (WINDOW_SCALE << 16) | (3 << 8) | from.windowScale)
    to += 4
  }
  if (from.userTimeout >= 0) {
    view.setInt32(to, (USER_TIMEOUT << 24) | (4 << 16) | from.userTimeout)
    to += 4
  }
  if (from.sackCount > 0) to += emitSack(view, to, from, sackLength(from, to - at))
  return to - at
}

function emitSack(view: DataView, at: number, from: Segment, length: number): number {
  if (length === 0) return 0
  view.setInt32(at, 0x0101_0000 | (SACK << 8) | (length - 2))
  for (let i = 0, to = at + 4; to < at + length; i++, to += 8) {
    view.setInt32(to, from.sackLeft[i])
    view.setInt32(to + 4, from.sackRight[i])
  }
  return length
}
