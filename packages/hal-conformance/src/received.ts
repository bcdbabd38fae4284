import { END_OF_PACKET, type FramePool, type NetBurst } from '@parakernel/hal'

/** A packet that a queue delivered, copied out of its frames. */
export interface Received {
  readonly bytes: Uint8Array
  /** Of the first entry. */
  readonly flags: number
  readonly entries: number
  /** Offset of the data in its first frame. */
  readonly offset: number
  readonly hash: number | undefined
  readonly vlan: number | undefined
  readonly timestamp: number | undefined
  readonly segmentSize: number | undefined
  readonly headerLength: number | undefined
  readonly checksumStart: number | undefined
  readonly checksumOffset: number | undefined
}

/**
 * Copies the packets of a burst and releases their frames.
 * @throws when an entry does not lie within its frame's room, or when the last packet is not whole.
 */
export function takeReceived(pool: FramePool, burst: NetBurst): Received[] {
  const packets: Received[] = []
  let first = 0
  for (let i = 0; i < burst.count; i++) {
    const { headroom, tailroom, frameSize } = pool.window
    if (!pool.holds(burst.frame[i])) throw new Error(`entry ${i} names frame ${burst.frame[i]}, which is not held`)
    if (burst.length[i] <= 0) throw new Error(`entry ${i} is empty`)
    if (burst.offset[i] < headroom || burst.offset[i] + burst.length[i] > frameSize - tailroom) {
      throw new Error(`entry ${i} (${burst.offset[i]}+${burst.length[i]}) reaches into the headroom or tailroom`)
    }
    if ((burst.flags[i] & END_OF_PACKET) === 0) continue
    packets.push(copyPacket(pool, burst, first, i + 1))
    first = i + 1
  }
  if (first !== burst.count) throw new Error('the burst ends in the middle of a packet')
  for (let i = 0; i < burst.count; i++) pool.release(burst.frame[i])
  return packets
}

function copyPacket(pool: FramePool, burst: NetBurst, first: number, end: number): Received {
  let total = 0
  for (let i = first; i < end; i++) total += burst.length[i]
  const bytes = new Uint8Array(total)
  let at = 0
  for (let i = first; i < end; i++) {
    const start = pool.address(burst.frame[i]) + burst.offset[i]
    bytes.set(pool.bytes.subarray(start, start + burst.length[i]), at)
    at += burst.length[i]
  }
  return {
    bytes,
    flags: burst.flags[first],
    entries: end - first,
    offset: burst.offset[first],
    hash: burst.hash[first],
    vlan: burst.vlan[first],
    timestamp: burst.timestamp[first],
    segmentSize: burst.segmentSize[first],
    headerLength: burst.headerLength[first],
    checksumStart: burst.checksumStart[first],
    checksumOffset: burst.checksumOffset[first],
  }
}
