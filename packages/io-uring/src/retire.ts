import type { BlockQueueGrant } from '@parakernel/hal'
import { calls, type MappedIoUring, replaceByEmpty, SOCK_CLOEXEC } from '@parakernel/linux'
import type { IoUringTransport } from './transport.ts'

const ACKNOWLEDGED = 0
export const RETIREMENT_BYTES = 4

/**
 * Takes a grant's ring away, in the control thread. A ring lives while anything refers to it: its descriptor, its mappings. The
 * descriptor is replaced by a placeholder under the same number and the mappings by empty memory at the same addresses, so that a
 * holder in the middle of a burst reads zeros and enters a placeholder, instead of crashing or hitting somebody else's ring.
 *
 * The kernel ends the ring after its last command: see `GoneWatch`.
 */
export function retire({ transport }: BlockQueueGrant<IoUringTransport>): void {
  for (const ring of ringsOf(transport)) {
    replaceByEmpty(ring.rings.address, ring.rings.length)
    replaceByEmpty(ring.sqes.address, ring.sqes.length)
    calls().dup3(transport.placeholder, ring.descriptor, SOCK_CLOEXEC)
  }
}

export function ringsOf({ ring, unpolledRing }: IoUringTransport): readonly MappedIoUring[] {
  return unpolledRing === null ? [ring] : [ring, unpolledRing]
}

/** The holder looks at the rings and at the descriptors no more. */
export function acknowledge(transport: IoUringTransport): void {
  Atomics.store(new Int32Array(transport.retirement), ACKNOWLEDGED, 1)
}

export function isAcknowledged(transport: IoUringTransport): boolean {
  return Atomics.load(new Int32Array(transport.retirement), ACKNOWLEDGED) === 1
}
