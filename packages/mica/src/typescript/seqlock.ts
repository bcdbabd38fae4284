import { BUCKET_VERSION } from '../layout.ts'
import type { StoreMemory } from './store-memory.ts'

/**
 * CREW's write side: the version of the main bucket (which covers its whole chain) is odd while entries or items
 * behind them change. An Atomics store orders what stands before it, the load of the same word what follows, so the
 * pair keeps the writes on their side of the mark on weakly ordered machines too.
 */
export function lockBucket(s: StoreMemory, bucket: number): void {
  if (!s.crew) return
  const { words } = s
  Atomics.store(words, bucket + BUCKET_VERSION, (words[bucket + BUCKET_VERSION] + 1) | 0)
  Atomics.load(words, bucket + BUCKET_VERSION)
}

export function unlockBucket(s: StoreMemory, bucket: number): void {
  if (!s.crew) return
  const { words } = s
  Atomics.store(words, bucket + BUCKET_VERSION, (words[bucket + BUCKET_VERSION] + 1) | 0)
}
