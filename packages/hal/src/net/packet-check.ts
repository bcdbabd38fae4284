import type { FramePool } from '../memory/frame-pool.ts'
import {
  CHECKSUM_WANTED,
  COLUMN_VLAN,
  END_OF_PACKET,
  type NetBurst,
  REFUSED,
  SEGMENT_ANY,
  VLAN_TAGGED,
} from './burst.ts'
import type { NetCapabilities } from './capabilities.ts'
import { TX_INVALID_DESCRIPTORS, TX_TOO_LONG, TX_UNSUPPORTED } from './statistics.ts'

/** Entries of the packet that starts at `start`: to the next `END_OF_PACKET`, or to the end of the burst without one. */
export function packetEntries(burst: NetBurst, start: number): number {
  const { flags, count } = burst
  let i = start
  while (i < count - 1 && (flags[i] & END_OF_PACKET) === 0) i++
  return i - start + 1
}

/**
 * The check that stands before every device: may the holder of `pool` transmit the packet of `entries` entries at `start`?
 * Returns -1 for yes, else the index of the counter that says why not. Inside one process this guards against bugs.
 */
export function checkPacket(
  burst: NetBurst,
  start: number,
  entries: number,
  pool: FramePool,
  capabilities: NetCapabilities,
): number {
  const { frame, offset, length, flags } = burst
  const end = start + entries
  const alignment = capabilities.transmitAlignment
  let total = 0
  for (let i = start; i < end; i++) {
    const at = offset[i]
    const bytes = length[i]
    if (!pool.holds(frame[i]) || at < 0 || bytes <= 0 || at + bytes > pool.frameSize) return TX_INVALID_DESCRIPTORS
    if (alignment > 1 && (pool.address(frame[i]) + at) % alignment !== 0) return TX_INVALID_DESCRIPTORS
    total += bytes
  }
  if ((flags[end - 1] & END_OF_PACKET) === 0) return TX_INVALID_DESCRIPTORS
  const asked = flags[start] & (SEGMENT_ANY | CHECKSUM_WANTED | VLAN_TAGGED)
  if (asked !== 0) {
    if ((asked & VLAN_TAGGED) !== 0) {
      if ((capabilities.columns & COLUMN_VLAN) === 0) return TX_UNSUPPORTED
      if ((burst.columns & COLUMN_VLAN) === 0) return TX_INVALID_DESCRIPTORS
    }
    const segment = asked & SEGMENT_ANY
    if ((segment & ~capabilities.transmitSegmentation) !== 0) return TX_UNSUPPORTED
    if ((asked & CHECKSUM_WANTED) !== 0 && !capabilities.checksum.computes) return TX_UNSUPPORTED
    if ((asked & CHECKSUM_WANTED) !== 0) {
      const field = burst.checksumStart[start] + burst.checksumOffset[start]
      if (!(burst.checksumStart[start] >= 0 && burst.checksumOffset[start] >= 0 && field + 2 <= total)) {
        return TX_INVALID_DESCRIPTORS
      }
    }
    if (segment !== 0) {
      const headers = burst.headerLength[start]
      if (!(burst.segmentSize[start] > 0 && headers > 0 && headers < total)) return TX_INVALID_DESCRIPTORS
      if (headers + burst.segmentSize[start] > capabilities.maxPacket) return TX_TOO_LONG
      return total > capabilities.maxSuperPacket ? TX_TOO_LONG : -1
    }
  }
  if (entries > capabilities.maxChain) return TX_UNSUPPORTED
  return total > capabilities.maxPacket ? TX_TOO_LONG : -1
}

/** Marks a packet as refused and counts it; its frames stay the caller's. */
export function refusePacket(
  burst: NetBurst,
  start: number,
  entries: number,
  counter: number,
  counters: Float64Array,
): void {
  for (let i = start; i < start + entries; i++) burst.flags[i] |= REFUSED
  burst.refused += entries
  counters[counter]++
}
