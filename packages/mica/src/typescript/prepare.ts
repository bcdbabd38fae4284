import { BUCKET_SLOTS, BUCKET_TAGS, BUCKET_WORDS, SLOT_POSITION } from '../layout.ts'
import type { RequestBatch } from '../request-batch.ts'
import type { StoreMemory } from './store-memory.ts'

/**
 * The touch passes. JavaScript has no prefetch, but a core overlaps independent loads: the first pass loads every
 * request's bucket line, the second finds the slot by its tag, remembers it in `hint` and loads the item's first
 * lines. So the misses of a burst are paid together, and `execute` finds everything in the cache. A hint is only
 * that: `execute` verifies it.
 *
 * The loads fold into the returned number, which the caller keeps, so that the compiler keeps the loads.
 * Budget: about 5 ns a request when the lines are cached.
 */
export function prepareBatch(s: StoreMemory, batch: RequestBatch): number {
  const { words, index, bucketMask, data, positionMask, touchLines } = s
  const { hashLo, hashHi, hint } = batch
  const count = batch.count
  let sink = 0
  for (let i = 0; i < count; i++) {
    const bucket = index + (((hashLo[i] >>> 26) | (hashHi[i] << 6)) & bucketMask) * BUCKET_WORDS
    hint[i] = bucket
    sink ^= words[bucket]
  }
  for (let i = 0; i < count; i++) {
    const tags = hint[i] + BUCKET_TAGS
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
    if (slot !== 0) {
      const item = data + ((words[slot + SLOT_POSITION] & positionMask) << 1)
      sink ^= words[item]
      for (let line = 1; line <= touchLines; line++) sink ^= words[item + line * 16]
    }
  }
  return sink
}
