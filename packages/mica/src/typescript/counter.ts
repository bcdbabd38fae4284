import type { RequestBatch } from '../request-batch.ts'
import { stampVersion, valueAddress } from './items.ts'
import { lockBucket, unlockBucket } from './seqlock.ts'
import type { StoreMemory } from './store-memory.ts'

/** Adds the operand to an 8-byte little-endian counter modulo 2^64, or subtracts it and stops at zero. */
export function addCounter(
  s: StoreMemory,
  batch: RequestBatch,
  i: number,
  bucket: number,
  item: number,
  subtract: boolean,
): void {
  const { words } = s
  const value = valueAddress(s, item) >> 2
  const lo = words[value] >>> 0
  const hi = words[value + 1] >>> 0
  const deltaLo = batch.operandLo[i] >>> 0
  const deltaHi = batch.operandHi[i] >>> 0
  let newLo = 0
  let newHi = 0
  if (!subtract) {
    const sum = lo + deltaLo
    newLo = sum | 0
    newHi = (hi + deltaHi + (sum > 0xffffffff ? 1 : 0)) | 0
  } else if (hi > deltaHi || (hi === deltaHi && lo >= deltaLo)) {
    newLo = (lo - deltaLo) | 0
    newHi = (hi - deltaHi - (lo < deltaLo ? 1 : 0)) | 0
  }
  lockBucket(s, bucket)
  words[value] = newLo
  words[value + 1] = newHi
  stampVersion(s, item)
  unlockBucket(s, bucket)
}
