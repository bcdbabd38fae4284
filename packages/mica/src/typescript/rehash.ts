import { keyhash } from '../keyhash.ts'
import { MAX_KEY_BYTES } from '../layout.ts'
import type { RequestBatch } from '../request-batch.ts'
import { C_HASH_MISMATCHES } from '../statistics.ts'
import type { StoreMemory } from './store-memory.ts'

const lanes = new Int32Array(2)

/** Computes the keyhash of every request and counts those that the batch had wrong. Bad keys keep what they have. */
export function rehash(s: StoreMemory, batch: RequestBatch): void {
  const { hashLo, hashHi, keyAddress, keyLength } = batch
  let wrong = 0
  for (let i = 0; i < batch.count; i++) {
    if (keyLength[i] < 1 || keyLength[i] > MAX_KEY_BYTES) continue
    keyhash(s.bytes, keyAddress[i], keyLength[i], lanes)
    if (hashLo[i] !== lanes[0] || hashHi[i] !== lanes[1]) {
      hashLo[i] = lanes[0]
      hashHi[i] = lanes[1]
      wrong++
    }
  }
  s.counters[C_HASH_MISMATCHES] += wrong
}
