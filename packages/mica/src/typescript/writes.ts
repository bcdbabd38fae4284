import {
  H_MAX_VALUE,
  H_MOVE_DISTANCE,
  ITEM_EXTENSION_BYTES,
  ITEM_HEADER_BYTES,
  ITEM_LENGTHS,
  ITEM_SIZE,
  ITEM_VERSION_HI,
  ITEM_VERSION_LO,
  SIZE_EXTENDED,
  SIZE_MASK,
  SLOT_POSITION,
} from '../layout.ts'
import { RESULT_INDEX_FULL, RESULT_NO_SPACE, RESULT_OK, RESULT_VALUE_TOO_LARGE } from '../operations.ts'
import type { RequestBatch } from '../request-batch.ts'
import { C_INSERTS, C_SETS_IN_PLACE, C_SETS_MOVED } from '../statistics.ts'
import { claimSlot, setSlot } from './bucket-index.ts'
import { copyIn } from './bytes.ts'
import {
  ageOf,
  commit,
  isExtended,
  itemUnits,
  release,
  reserve,
  retire,
  stampVersion,
  valueAddress,
  writeExtension,
  writeSize,
} from './items.ts'
import { shrinkBlock } from './segregated-fit.ts'
import { lockBucket, unlockBucket } from './seqlock.ts'
import { itemAt, type StoreMemory } from './store-memory.ts'

/** Stores a key that is not there: reserve, find a slot, write, publish. Fails (store mode) before anything changed. */
export function insertItem(s: StoreMemory, batch: RequestBatch, i: number, bucket: number, tag: number): number {
  const extended = wantsExtension(batch, i)
  const units = itemUnits(extended, batch.keyLength[i], batch.valueLength[i])
  const position = reserve(s, units)
  if (position === -1) return RESULT_NO_SPACE
  const slot = claimSlot(s, bucket)
  if (slot === 0) {
    release(s, position)
    return RESULT_INDEX_FULL
  }
  const item = itemAt(s, position)
  writeSize(s, item, units, extended)
  writeRequest(s, batch, i, item, extended)
  commit(s, position, units)
  setSlot(s, bucket, slot, tag, position)
  s.counters[C_INSERTS]++
  respondVersion(s, batch, i, item)
  return RESULT_OK
}

/** Stores a value under a key that is there: in place if it fits and the item is not about to be evicted. */
export function overwriteItem(s: StoreMemory, batch: RequestBatch, i: number, bucket: number, slot: number): number {
  const { words } = s
  const extended = wantsExtension(batch, i)
  const units = itemUnits(extended, batch.keyLength[i], batch.valueLength[i])
  const old = words[slot + SLOT_POSITION]
  let item = itemAt(s, old)
  if (units <= (words[item + ITEM_SIZE] & SIZE_MASK) && !isOld(s, old)) {
    lockBucket(s, bucket)
    words[item + ITEM_SIZE] = (words[item + ITEM_SIZE] & ~SIZE_EXTENDED) | (extended ? SIZE_EXTENDED : 0)
    writeRequest(s, batch, i, item, extended)
    unlockBucket(s, bucket)
    if (s.lossless && units * 2 <= (words[item + ITEM_SIZE] & SIZE_MASK)) shrinkBlock(s, old, units)
    s.counters[C_SETS_IN_PLACE]++
  } else {
    retire(s, old)
    const position = reserve(s, units)
    if (position === -1) return RESULT_NO_SPACE
    item = itemAt(s, position)
    writeSize(s, item, units, extended)
    writeRequest(s, batch, i, item, extended)
    commit(s, position, units)
    setSlot(s, bucket, slot, words[slot], position)
    release(s, old)
    s.counters[C_SETS_MOVED]++
  }
  respondVersion(s, batch, i, item)
  return RESULT_OK
}

/**
 * Rewrites an item around its own value: `leading` or `trailing` bytes of the request's value are added, expiry and
 * flags replaced, the version kept unless `stamp`. In place if it fits, else in a new place. The value moves before
 * anything else is written, because in a full log its bytes may lie where the new item goes. (Only one of leading
 * and trailing is ever non-zero.)
 */
export function rewriteItem(
  s: StoreMemory,
  batch: RequestBatch,
  i: number,
  bucket: number,
  slot: number,
  leading: number,
  trailing: number,
  expiresAt: number,
  flags: number,
  stamp: boolean,
): number {
  const { words, bytes } = s
  const old = words[slot + SLOT_POSITION]
  const oldItem = itemAt(s, old)
  const keyLength = batch.keyLength[i]
  const valueLength = words[oldItem + ITEM_LENGTHS] >>> 8
  const newLength = leading + valueLength + trailing
  if (newLength > words[s.header + H_MAX_VALUE]) return RESULT_VALUE_TOO_LARGE
  const extended = expiresAt !== 0 || flags !== 0
  const units = itemUnits(extended, keyLength, newLength)
  const versionLo = words[oldItem + ITEM_VERSION_LO]
  const versionHi = words[oldItem + ITEM_VERSION_HI]
  const oldValue = valueAddress(s, oldItem)
  const inPlace =
    extended === isExtended(s, oldItem) && units <= (words[oldItem + ITEM_SIZE] & SIZE_MASK) && !isOld(s, old)

  let position = old
  if (inPlace) lockBucket(s, bucket)
  else {
    retire(s, old)
    position = reserve(s, units)
    if (position === -1) return RESULT_NO_SPACE
  }
  const item = itemAt(s, position)
  const key = (item << 2) + (extended ? ITEM_HEADER_BYTES + ITEM_EXTENSION_BYTES : ITEM_HEADER_BYTES)
  const value = key + ((keyLength + 7) & ~7)
  bytes.copyWithin(value + leading, oldValue, oldValue + valueLength)
  bytes.fill(0, value + newLength, (value + newLength + 7) & ~7)
  const added = batch.valueAddress[i]
  if (leading !== 0) bytes.copyWithin(value, added, added + leading)
  if (trailing !== 0) bytes.copyWithin(value + valueLength, added, added + trailing)
  words[item + ITEM_LENGTHS] = keyLength | (newLength << 8)
  if (extended) writeExtension(s, item, expiresAt, flags)
  if (inPlace) {
    if (stamp) stampVersion(s, item)
    unlockBucket(s, bucket)
  } else {
    writeSize(s, item, units, extended)
    copyIn(s, key, batch.keyAddress[i], keyLength)
    words[item + ITEM_VERSION_LO] = versionLo
    words[item + ITEM_VERSION_HI] = versionHi
    if (stamp) stampVersion(s, item)
    commit(s, position, units)
    setSlot(s, bucket, slot, words[slot], position)
    release(s, old)
  }
  if (stamp) {
    s.counters[inPlace ? C_SETS_IN_PLACE : C_SETS_MOVED]++
    respondVersion(s, batch, i, item)
  }
  return RESULT_OK
}

function wantsExtension(batch: RequestBatch, i: number): boolean {
  return batch.expiresAt[i] !== 0 || batch.flags[i] !== 0
}

/** True if the item is so close to its eviction that a use should move it. */
function isOld(s: StoreMemory, position: number): boolean {
  return !s.lossless && ageOf(s, position) > s.words[s.header + H_MOVE_DISTANCE]
}

/** Writes all of an item but its size word. */
function writeRequest(s: StoreMemory, batch: RequestBatch, i: number, item: number, extended: boolean): void {
  const keyLength = batch.keyLength[i]
  const valueLength = batch.valueLength[i]
  const key = (item << 2) + (extended ? ITEM_HEADER_BYTES + ITEM_EXTENSION_BYTES : ITEM_HEADER_BYTES)
  s.words[item + ITEM_LENGTHS] = keyLength | (valueLength << 8)
  stampVersion(s, item)
  if (extended) writeExtension(s, item, batch.expiresAt[i], batch.flags[i])
  copyIn(s, key, batch.keyAddress[i], keyLength)
  copyIn(s, key + ((keyLength + 7) & ~7), batch.valueAddress[i], valueLength)
}

function respondVersion(s: StoreMemory, batch: RequestBatch, i: number, item: number): void {
  batch.versionLo[i] = s.words[item + ITEM_VERSION_LO]
  batch.versionHi[i] = s.words[item + ITEM_VERSION_HI]
}
