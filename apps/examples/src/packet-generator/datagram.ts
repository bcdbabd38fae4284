import type { FramePool } from '@parakernel/hal'
import { REPLY_HEADROOM } from '@parakernel/queue'

// A datagram: its number, how many there are, and a pattern that follows from its number. All in network order.

/** Bytes before a payload: what the stack needs, rounded so that words of the payload are aligned. */
export function headroomOf(pool: FramePool): number {
  return Math.ceil(Math.max(pool.headroom, REPLY_HEADROOM) / 8) * 8
}

export function fill(pool: FramePool, at: number, size: number, number: number, count: number): void {
  pool.view.setUint32(at, number)
  pool.view.setUint32(at + 4, count)
  for (let i = 8; i < size; i++) pool.bytes[at + i] = number + i
}

/** The number of a datagram; -1 when it is not as `fill` has made it. */
export function numberOf(pool: FramePool, at: number, size: number): number {
  if (size < 16) return -1
  const number = pool.view.getUint32(at)
  for (let i = 8; i < size; i++) if (pool.bytes[at + i] !== ((number + i) & 0xff)) return -1
  return number < countOf(pool, at) ? number : -1
}

export function countOf(pool: FramePool, at: number): number {
  return pool.view.getUint32(at + 4)
}
