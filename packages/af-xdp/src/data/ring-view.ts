import { foreign } from '@parakernel/linux'
import type { MappedRing } from '../transport.ts'

/**
 * A mapped ring as typed arrays, made once a queue. The producer and consumer words are free-running int32 counters,
 * loaded and stored with `Atomics`; entries are plain, and belong to whoever the counters say.
 */
export interface RingView {
  readonly producer: Int32Array
  readonly consumer: Int32Array
  readonly flags: Int32Array
  /** Four words a descriptor (address low, high, length, options), two an address. */
  readonly entries: Int32Array
}

export function viewRing(ring: MappedRing): RingView {
  const buffer = foreign().view(ring.address, ring.length)
  return {
    producer: new Int32Array(buffer, ring.producer, 1),
    consumer: new Int32Array(buffer, ring.consumer, 1),
    flags: new Int32Array(buffer, ring.flags, 1),
    entries: new Int32Array(buffer, ring.entries),
  }
}
