import { type FramePool, ParakernelError } from '@parakernel/hal'
import { ScatterGatherArray, type Segment } from './scatter-gather.ts'

/**
 * Room for `length` bytes in as many frames as it takes, each with `headroom` bytes before its segment; no segments for
 * length 0. The bytes are whatever the frames held.
 * @throws ENOBUFS when the pool has not enough frames; none stays taken.
 */
export function allocateSga(pool: FramePool, length: number, headroom = pool.headroom): ScatterGatherArray {
  if (!Number.isInteger(length) || length < 0) {
    throw new ParakernelError('EINVAL', `${length} is not a number of bytes`, { subject: 'scatter-gather array' })
  }
  const room = pool.frameSize - headroom - pool.window.tailroom
  const segments: Segment[] = []
  for (let left = length; left > 0; left -= room) {
    const frame = pool.allocate()
    if (frame < 0) {
      for (const segment of segments) pool.release(segment.frame)
      throw new ParakernelError('ENOBUFS', `no free frames for ${length} bytes`, {
        subject: `frame pool of lease ${pool.window.lease}`,
        remedy: 'Free received arrays sooner, or give the partition more frames',
      })
    }
    segments.push({ frame, address: pool.address(frame) + headroom, length: Math.min(left, room) })
  }
  return new ScatterGatherArray(pool, segments)
}

/** A copy of `bytes` in frames of `pool`. @throws ENOBUFS */
export function sgaFromBytes(pool: FramePool, bytes: Uint8Array, headroom = pool.headroom): ScatterGatherArray {
  const sga = allocateSga(pool, bytes.byteLength, headroom)
  let at = 0
  for (const { address, length } of sga.segments) {
    pool.copyIn(address, bytes, at, length)
    at += length
  }
  return sga
}

/** UTF-8. @throws ENOBUFS */
export function sgaFromText(pool: FramePool, text: string, headroom = pool.headroom): ScatterGatherArray {
  return sgaFromBytes(pool, new TextEncoder().encode(text), headroom)
}

/** A second array over the same bytes with references of its own: what a push keeps, so that the caller may free his. */
export function shareSga(sga: ScatterGatherArray): ScatterGatherArray {
  for (const { frame } of sga.segments) sga.pool.retain(frame)
  return new ScatterGatherArray(sga.pool, sga.segments)
}

/** Whether bytes lie within a frame of `pool` that somebody holds: what `sendStream` may be given. */
export function isSliceOf(pool: FramePool, frame: number, address: number, length: number): boolean {
  if (frame >>> 0 >= pool.frameCount || pool.count(frame) === 0 || !(length >= 0)) return false
  const start = pool.address(frame)
  return address >= start && address + length <= start + pool.frameSize
}
