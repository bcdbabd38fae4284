import { viewRing } from '../data/ring-view.ts'
import type { MappedRing } from '../transport.ts'

/**
 * What lies in a ring whose other user is not trusted: its indices are read once and cut to what a ring can hold, and lengths to 16 bits.
 * `bytes` means something for a transmit ring.
 */
export function waitingIn(ring: MappedRing, ringSize: number): { entries: number; bytes: number } {
  const { producer, consumer, entries: words } = viewRing(ring)
  const first = Atomics.load(consumer, 0)
  const entries = Math.min(Math.max((Atomics.load(producer, 0) - first) | 0, 0), ringSize)
  let bytes = 0
  for (let i = 0; i < entries; i++) bytes += words[(((first + i) & (ringSize - 1)) << 2) + 2] & 0xffff
  return { entries, bytes }
}
