import {
  BUCKET_NEXT,
  BUCKET_SLOTS,
  BUCKET_TAGS,
  BUCKET_WORDS,
  H_HEAD,
  H_SPARE_FREE,
  H_SPARE_NEXT,
  H_SWEEP_CURSOR,
  H_SWEEP_TAIL,
  H_TAIL,
  SLOT_POSITION,
} from './layout.ts'
import { C_DELETES, C_EXPIRED, C_SPARE_BUCKETS, snapshotOf } from './statistics.ts'
import { isLive } from './typescript/circular-log.ts'
import { expiryOf, removeItem } from './typescript/items.ts'
import { formatHeap } from './typescript/segregated-fit.ts'
import { lockBucket, unlockBucket } from './typescript/seqlock.ts'
import { itemAt, type StoreMemory } from './typescript/store-memory.ts'

/** Removes the expired items of `count` main buckets from number `first` on (wrapping), with their spare buckets. */
export function expireBuckets(s: StoreMemory, first: number, count: number, now: number): number {
  const { words } = s
  let removed = 0
  for (let n = 0; n < count; n++) {
    const main = s.index + ((first + n) & s.bucketMask) * BUCKET_WORDS
    let current = main
    for (;;) {
      let slot = current + BUCKET_TAGS
      while (slot < current + BUCKET_TAGS + BUCKET_SLOTS) {
        if (words[slot] !== 0 && isLive(s, words[slot + SLOT_POSITION])) {
          const expiresAt = expiryOf(s, itemAt(s, words[slot + SLOT_POSITION]))
          if (expiresAt !== 0 && expiresAt <= now) {
            removeItem(s, main, slot, C_EXPIRED)
            removed++
            // In store mode another entry may have filled the hole: look at the same slot again.
            if (s.lossless) continue
          }
        }
        slot++
      }
      const next = words[current + BUCKET_NEXT]
      // The bucket itself may just have been unchained; its `next` word then leads into the free list.
      if (next === 0 || (current !== main && words[current + BUCKET_TAGS] === 0)) break
      current = s.spare + (next - 1) * BUCKET_WORDS
    }
  }
  return removed
}

/** Empties the index and the data area. Versions go on, so that no version is ever given twice. */
export function clearStore(s: StoreMemory): void {
  const { words } = s
  s.counters[C_DELETES] += snapshotOf(s.counters).items
  for (let n = 0; n <= s.bucketMask; n++) {
    const bucket = s.index + n * BUCKET_WORDS
    lockBucket(s, bucket)
    words.fill(0, bucket + BUCKET_NEXT, bucket + BUCKET_WORDS)
    unlockBucket(s, bucket)
  }
  formatData(s)
}

/** An empty data area: a log without items, or a heap of one free block. */
export function formatData(s: StoreMemory): void {
  const { words, header } = s
  if (s.lossless) {
    words[header + H_HEAD] = 1
    words[header + H_TAIL] = 0
    words[header + H_SPARE_FREE] = 0
    words[header + H_SPARE_NEXT] = 1
    s.counters[C_SPARE_BUCKETS] = 0
    words.fill(0, s.freeLists, s.freeBitmap + 4)
    formatHeap(s)
  } else {
    words[header + H_HEAD] = words[header + H_TAIL]
    words[header + H_SWEEP_TAIL] = words[header + H_TAIL]
    words[header + H_SWEEP_CURSOR] = 0
  }
}
