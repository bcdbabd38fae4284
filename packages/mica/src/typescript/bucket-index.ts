import {
  BUCKET_NEXT,
  BUCKET_SLOTS,
  BUCKET_TAGS,
  BUCKET_WORDS,
  H_SPARE_FREE,
  H_SPARE_NEXT,
  H_TAIL,
  ITEM_EXTENSION_BYTES,
  ITEM_HEADER_BYTES,
  ITEM_SIZE,
  SIZE_DEAD,
  SIZE_EXTENDED,
  SLOT_POSITION,
} from '../layout.ts'
import { C_INDEX_EVICTIONS, C_SPARE_BUCKETS, C_STALE_CLEARED, C_STALE_SWEPT } from '../statistics.ts'
import { equalKeys } from './bytes.ts'
import { isLive } from './circular-log.ts'
import { lockBucket, unlockBucket } from './seqlock.ts'
import { itemAt, type StoreMemory } from './store-memory.ts'

/*
 * A slot is named by the word of its tag; its position stands SLOT_POSITION words behind. 0 means no slot.
 * In store mode a chain is dense: its entries fill the main bucket, then each spare one, from the first slot on.
 */

/** Word of the main bucket of a key. */
export function bucketAt(s: StoreMemory, hashLo: number, hashHi: number): number {
  return s.index + (((hashLo >>> 26) | (hashHi << 6)) & s.bucketMask) * BUCKET_WORDS
}

function spareAt(s: StoreMemory, number: number): number {
  return s.spare + (number - 1) * BUCKET_WORDS
}

/** The slot of a key, or 0. Entries with the key's tag whose items the log has lost are cleared on the way. */
export function findSlot(s: StoreMemory, bucket: number, tag: number, keyAddress: number, keyLength: number): number {
  const { words } = s
  let current = bucket
  for (;;) {
    for (let slot = current + BUCKET_TAGS; slot < current + BUCKET_TAGS + BUCKET_SLOTS; slot++) {
      if (words[slot] !== tag) continue
      const position = words[slot + SLOT_POSITION]
      if (!isLive(s, position)) {
        lockBucket(s, bucket)
        words[slot] = 0
        unlockBucket(s, bucket)
        s.counters[C_STALE_CLEARED]++
        continue
      }
      const item = itemAt(s, position)
      if ((words[item] & 0xff) === keyLength && equalKeys(s, keyWord(s, item), keyAddress, keyLength)) return slot
    }
    const next = words[current + BUCKET_NEXT]
    if (next === 0) return 0
    current = spareAt(s, next)
  }
}

/** Word of an item's key. */
function keyWord(s: StoreMemory, item: number): number {
  const extended = (s.words[item + ITEM_SIZE] & SIZE_EXTENDED) !== 0
  return item + ((extended ? ITEM_HEADER_BYTES + ITEM_EXTENSION_BYTES : ITEM_HEADER_BYTES) >> 2)
}

/**
 * A slot for a new entry, or 0 if the chain is full and no spare bucket is left. Cache mode always finds one: an empty
 * slot, one whose item is gone, or that of the oldest item of the bucket, which is evicted. The returned slot is for
 * immediate use; a spare bucket chained here is empty until then.
 */
export function claimSlot(s: StoreMemory, bucket: number): number {
  return s.lossless ? claimChained(s, bucket) : claimLossy(s, bucket)
}

function claimLossy(s: StoreMemory, bucket: number): number {
  const { words } = s
  const tail = words[s.header + H_TAIL]
  let oldest = 0
  let oldestAge = -1
  for (let slot = bucket + BUCKET_TAGS; slot < bucket + BUCKET_TAGS + BUCKET_SLOTS; slot++) {
    if (words[slot] === 0) return slot
    const position = words[slot + SLOT_POSITION]
    if (!isLive(s, position)) {
      s.counters[C_STALE_SWEPT]++
      return slot
    }
    const age = (tail - position) >>> 0
    if (age > oldestAge) {
      oldestAge = age
      oldest = slot
    }
  }
  words[itemAt(s, words[oldest + SLOT_POSITION]) + ITEM_SIZE] |= SIZE_DEAD
  s.counters[C_INDEX_EVICTIONS]++
  return oldest
}

function claimChained(s: StoreMemory, bucket: number): number {
  const { words, header } = s
  let current = bucket
  for (;;) {
    for (let slot = current + BUCKET_TAGS; slot < current + BUCKET_TAGS + BUCKET_SLOTS; slot++) {
      if (words[slot] === 0) return slot
    }
    const next = words[current + BUCKET_NEXT]
    if (next === 0) break
    current = spareAt(s, next)
  }
  let number = words[header + H_SPARE_FREE]
  if (number !== 0) words[header + H_SPARE_FREE] = words[spareAt(s, number) + BUCKET_NEXT]
  else {
    number = words[header + H_SPARE_NEXT]
    if (number > s.spareCount) return 0
    words[header + H_SPARE_NEXT] = number + 1
  }
  const spare = spareAt(s, number)
  words.fill(0, spare, spare + BUCKET_WORDS)
  s.counters[C_SPARE_BUCKETS]++
  words[current + BUCKET_NEXT] = number
  return spare + BUCKET_TAGS
}

/** Empties a slot. In store mode the last entry of the chain fills the hole, and a spare bucket left empty is freed. */
export function clearSlot(s: StoreMemory, bucket: number, slot: number): void {
  const { words } = s
  lockBucket(s, bucket)
  if (s.lossless) {
    let previous = 0
    let current = bucket
    while (words[current + BUCKET_NEXT] !== 0) {
      previous = current
      current = spareAt(s, words[current + BUCKET_NEXT])
    }
    let last = current + BUCKET_TAGS + BUCKET_SLOTS - 1
    while (words[last] === 0) last--
    words[slot + SLOT_POSITION] = words[last + SLOT_POSITION]
    words[slot] = words[last]
    words[last] = 0
    if (last === current + BUCKET_TAGS && previous !== 0) {
      const number = words[previous + BUCKET_NEXT]
      words[previous + BUCKET_NEXT] = 0
      words[current + BUCKET_NEXT] = words[s.header + H_SPARE_FREE]
      words[s.header + H_SPARE_FREE] = number
      s.counters[C_SPARE_BUCKETS]--
    }
  } else words[slot] = 0
  unlockBucket(s, bucket)
}

/** Points a slot at an item. */
export function setSlot(s: StoreMemory, bucket: number, slot: number, tag: number, position: number): void {
  const { words } = s
  lockBucket(s, bucket)
  words[slot + SLOT_POSITION] = position
  words[slot] = tag
  unlockBucket(s, bucket)
}
