import type { FramePool, NetBurst } from '@parakernel/hal'

// What faults do to the bytes of a packet, which is `entries` entries of a burst from `at` on. None allocates memory.

export function packetBytes(burst: NetBurst, at: number, entries: number): number {
  let bytes = 0
  for (let i = at; i < at + entries; i++) bytes += burst.length[i]
  return bytes
}

/** Whether nobody else reads the frames, so that they may be written. */
export function ownsAll(pool: FramePool, burst: NetBurst, at: number, entries: number): boolean {
  for (let i = at; i < at + entries; i++) if (pool.count(burst.frame[i]) !== 1) return false
  return true
}

/** Copies a packet into fresh frames, to entry 0 of `target` and on; false, and nothing taken, when there are not enough. */
export function copyPacket(pool: FramePool, source: NetBurst, at: number, entries: number, target: NetBurst): boolean {
  for (let i = 0; i < entries; i++) {
    const frame = pool.allocateForDevice()
    if (frame < 0) {
      for (let made = 0; made < i; made++) pool.release(target.frame[made])
      return false
    }
    target.copyEntry(i, source, at + i)
    target.frame[i] = frame
    const from = pool.address(source.frame[at + i]) + source.offset[at + i]
    pool.bytes.copyWithin(pool.address(frame) + source.offset[at + i], from, from + source.length[at + i])
  }
  return true
}

export function flipBit(pool: FramePool, burst: NetBurst, start: number, bit: number): void {
  let at = bit >> 3
  let i = start
  while (at >= burst.length[i]) at -= burst.length[i++]
  pool.bytes[pool.address(burst.frame[i]) + burst.offset[i] + at] ^= 1 << (bit & 7)
}
