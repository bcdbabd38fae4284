import {
  BUCKET_SLOTS,
  BUCKET_TAGS,
  BUCKET_WORDS,
  H_HEAD,
  H_SWEEP_CURSOR,
  H_SWEEP_STEP,
  H_SWEEP_TAIL,
  H_TAIL,
  ITEM_LENGTHS,
  ITEM_SIZE,
  SIZE_DEAD,
  SIZE_MASK,
  SLOT_POSITION,
} from '../layout.ts'
import { C_LOG_EVICTIONS, C_STALE_SWEPT } from '../statistics.ts'
import { lockBucket, unlockBucket } from './seqlock.ts'
import { itemAt, type StoreMemory } from './store-memory.ts'

/** True while the log still holds the item at `position`. Always true in store mode. */
export function isLive(s: StoreMemory, position: number): boolean {
  const { words, header } = s
  const tail = words[header + H_TAIL]
  return (tail - position) >>> 0 <= (tail - words[header + H_HEAD]) >>> 0
}

/**
 * Makes room for `units` at the tail by evicting whole items at the head, and returns the position where the item is
 * to be written. An item never wraps: what is left of the log before its end is skipped and becomes a filler. Nothing
 * is written yet, so the bytes of an item evicted here can still be moved (with memmove) to the new place.
 */
export function reserveLog(s: StoreMemory, units: number): number {
  const { words, header, dataUnits } = s
  const tail = words[header + H_TAIL]
  let head = words[header + H_HEAD]
  const at = tail & s.positionMask
  const skip = at + units > dataUnits ? dataUnits - at : 0
  const wanted = skip + units
  let evicted = 0
  while (((tail - head) >>> 0) + wanted > dataUnits) {
    const size = words[itemAt(s, head) + ITEM_SIZE]
    if ((size & SIZE_DEAD) === 0) evicted++
    head = (head + (size & SIZE_MASK)) | 0
  }
  s.counters[C_LOG_EVICTIONS] += evicted
  if (s.crew) {
    // Readers must see the new head before the bytes behind it change.
    Atomics.store(words, header + H_HEAD, head)
    Atomics.load(words, header + H_HEAD)
  } else words[header + H_HEAD] = head
  return (tail + skip) | 0
}

/** Publishes the item of `units` that was written at `position`, and the filler before it, if any. */
export function commitLog(s: StoreMemory, position: number, units: number): void {
  const { words, header } = s
  const tail = words[header + H_TAIL]
  if (tail !== position) {
    const filler = itemAt(s, tail)
    words[filler + ITEM_LENGTHS] = 0
    words[filler + ITEM_SIZE] = ((position - tail) >>> 0) | SIZE_DEAD
  }
  words[header + H_TAIL] = (position + units) | 0
}

/**
 * Positions are 32 bits of 8-byte units, so after 32 GiB of appends an entry of an item that is long gone would look
 * live again. Every entry is therefore checked once per 8 GiB of log growth, a few buckets at the end of each batch.
 */
export function sweepStale(s: StoreMemory): void {
  const { words, header } = s
  const sweepStep = words[header + H_SWEEP_STEP]
  const tail = words[header + H_TAIL]
  let swept = words[header + H_SWEEP_TAIL]
  if ((tail - swept) >>> 0 < sweepStep) return
  let cursor = words[header + H_SWEEP_CURSOR]
  while ((tail - swept) >>> 0 >= sweepStep) {
    const bucket = s.index + cursor * BUCKET_WORDS
    for (let slot = bucket + BUCKET_TAGS; slot < bucket + BUCKET_TAGS + BUCKET_SLOTS; slot++) {
      if (words[slot] !== 0 && !isLive(s, words[slot + SLOT_POSITION])) {
        lockBucket(s, bucket)
        words[slot] = 0
        unlockBucket(s, bucket)
        s.counters[C_STALE_SWEPT]++
      }
    }
    cursor = (cursor + 1) & s.bucketMask
    swept = (swept + sweepStep) | 0
  }
  words[header + H_SWEEP_CURSOR] = cursor
  words[header + H_SWEEP_TAIL] = swept
}
