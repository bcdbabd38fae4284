import { BUCKET_SLOTS, BUCKET_TAGS, BUCKET_WORDS, SLOT_POSITION } from '../layout.ts'
import type { RequestBatch } from '../request-batch.ts'
import type { StoreMemory } from './store-memory.ts'

/**
 * The touch passes. JavaScript has no prefetch, but a core overlaps independent loads, so the cache misses of a burst
 * are paid together and `execute` finds everything near. First every request's bucket line; then, the slot found by
 * its tag and remembered in `hint`, the item's first lines. A hint is only that: `execute` verifies it.
 *
 * Computing and loading take turns in loops of their own: a load holds its place in the core's window until its line
 * is there, so the fewer other instructions stand between, the more misses overlap. `storedAddress`, which `execute`
 * fills later, carries the addresses. The loads fold into the returned number, which the caller keeps, so that the
 * compiler keeps the loads.
 * Budget: 8 ns a request when the lines are cached.
 */
export function prepareBatch(s: StoreMemory, batch: RequestBatch): number {
  const { words, index, bucketMask, data, positionMask, touchLines } = s
  const { hashLo, hashHi, hint, storedAddress } = batch
  const count = batch.count
  for (let i = 0; i < count; i++) {
    const bucket = index + (((hashLo[i] >>> 26) | (hashHi[i] << 6)) & bucketMask) * BUCKET_WORDS
    storedAddress[i] = bucket << 2
  }
  let sink = touchAll(words, storedAddress, count, 0)
  for (let i = 0; i < count; i++) {
    const tags = (storedAddress[i] >> 2) + BUCKET_TAGS
    const tag = (hashLo[i] & 0x03ffffff) | 0x80000000
    // Unrolled by hand: a loop with a break costs twice as much.
    const slot =
      words[tags] === tag
        ? tags
        : words[tags + 1] === tag
          ? tags + 1
          : words[tags + 2] === tag
            ? tags + 2
            : words[tags + 3] === tag
              ? tags + 3
              : words[tags + 4] === tag
                ? tags + 4
                : words[tags + 5] === tag
                  ? tags + 5
                  : words[tags + BUCKET_SLOTS - 1] === tag
                    ? tags + BUCKET_SLOTS - 1
                    : 0
    hint[i] = slot
    if (slot !== 0) storedAddress[i] = (data + ((words[slot + SLOT_POSITION] & positionMask) << 1)) << 2
  }
  for (let line = 0; line <= touchLines; line++) sink ^= touchAll(words, storedAddress, count, line * 16)
  return sink
}

function touchAll(words: Int32Array, addresses: Int32Array, count: number, offset: number): number {
  let sink = 0
  for (let i = 0; i < count; i++) sink ^= words[(addresses[i] >> 2) + offset]
  return sink
}
