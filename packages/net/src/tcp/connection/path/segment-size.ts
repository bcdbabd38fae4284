import type { Instant } from '../../segment.ts'
import { LEAST_SEGMENT } from '../../settings.ts'
import type { ControlBlock } from '../control-block.ts'
import { segmentOfMtu, TCP_HEADER } from '../path-limits.ts'

/** Bytes of the timestamps option with its padding, in every segment once it is agreed (RFC 7323 appendix A). */
const TIMESTAMP_BYTES = 12

/**
 * What no link takes less than: RFC 791 says 68 for IPv4, which only an attacker would claim; RFC 8200 section 5 for
 * IPv6.
 */
export function leastPacket(family: 4 | 6): number {
  return family === 4 ? 552 : 1280
}

/** What our MSS option says: the longest segment that our interface takes (RFC 6691), options not deducted. */
export function announcedSegment(c: ControlBlock): number {
  const { path, settings } = c
  const size = Math.min(0xffff, segmentOfMtu(path.interfaceMtu, path.ipHeader))
  return settings.maximumSegment === 0 ? size : Math.min(size, settings.maximumSegment)
}

/** Longest packet of ours that the path is believed to take. */
export function packetLimit(c: ControlBlock): number {
  const limit = c.search?.limit ?? 0
  return limit === 0 ? c.path.mtu : Math.min(limit, c.path.mtu)
}

/** Length of the IP packet of a segment with `payload` bytes. */
export function packetOf(c: ControlBlock, payload: number): number {
  return payload + c.path.ipHeader + TCP_HEADER + (c.hasTimestamps ? TIMESTAMP_BYTES : 0)
}

/** Eff.snd.MSS (RFC 9293 section 3.7.1) of what is known now. */
export function updateSegmentSize(c: ControlBlock): void {
  const { path, settings } = c
  let size = Math.min(c.remoteMss, segmentOfMtu(packetLimit(c), path.ipHeader))
  if (settings.maximumSegment > 0) size = Math.min(size, settings.maximumSegment)
  c.segmentSize = Math.max(LEAST_SEGMENT, size) - (c.hasTimestamps ? TIMESTAMP_BYTES : 0)
}

/**
 * The path takes longer or shorter packets than before: loss recovery is told, and sends what is too long in pieces.
 */
export function pathChanged(c: ControlBlock, now: Instant): void {
  const before = c.segmentSize
  updateSegmentSize(c)
  if (c.segmentSize < before) c.recovery.mtuReduced(c.segmentSize, now)
  else if (c.segmentSize > before) c.recovery.mssChanged(c.segmentSize)
  if (c.segmentSize !== before) c.stirred = true
}
