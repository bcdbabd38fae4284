import {
  H_TAIL,
  H_VERSION_HI,
  H_VERSION_LO,
  ITEM_EXTENSION_BYTES,
  ITEM_FLAGS,
  ITEM_HEADER_BYTES,
  ITEM_LENGTHS,
  ITEM_SIZE,
  ITEM_VERSION_HI,
  ITEM_VERSION_LO,
  SIZE_DEAD,
  SIZE_EXTENDED,
  SIZE_MASK,
  SIZE_PREVIOUS_FREE,
  SLOT_POSITION,
} from '../layout.ts'
import { C_EXPIRED } from '../statistics.ts'
import { clearSlot, findSlot } from './bucket-index.ts'
import { commitLog, reserveLog } from './circular-log.ts'
import { allocateBlock, freeBlock } from './segregated-fit.ts'
import { itemAt, type StoreMemory } from './store-memory.ts'

/** Units of an item. */
export function itemUnits(extended: boolean, keyLength: number, valueLength: number): number {
  const header = extended ? (ITEM_HEADER_BYTES + ITEM_EXTENSION_BYTES) >> 3 : ITEM_HEADER_BYTES >> 3
  return header + ((keyLength + 7) >> 3) + ((valueLength + 7) >> 3)
}

export function isExtended(s: StoreMemory, item: number): boolean {
  return (s.words[item + ITEM_SIZE] & SIZE_EXTENDED) !== 0
}

/** Byte address of an item's value. */
export function valueAddress(s: StoreMemory, item: number): number {
  const header = isExtended(s, item) ? ITEM_HEADER_BYTES + ITEM_EXTENSION_BYTES : ITEM_HEADER_BYTES
  return (item << 2) + header + (((s.words[item + ITEM_LENGTHS] & 0xff) + 7) & ~7)
}

export function expiryOf(s: StoreMemory, item: number): number {
  return isExtended(s, item) ? s.doubles[(item + 4) >> 1] : 0
}

export function flagsOf(s: StoreMemory, item: number): number {
  return isExtended(s, item) ? s.words[item + ITEM_FLAGS] : 0
}

/** Writes expiry and flags into the extension of an item that has one. */
export function writeExtension(s: StoreMemory, item: number, expiresAt: number, flags: number): void {
  s.doubles[(item + 4) >> 1] = expiresAt
  s.words[item + ITEM_FLAGS] = flags
  s.words[item + ITEM_FLAGS + 1] = 0
}

/** Gives an item a version that no item of this partition had before. */
export function stampVersion(s: StoreMemory, item: number): void {
  const { words, header } = s
  const lo = (words[header + H_VERSION_LO] + 1) | 0
  words[header + H_VERSION_LO] = lo
  if (lo === 0) words[header + H_VERSION_HI] = (words[header + H_VERSION_HI] + 1) | 0
  words[item + ITEM_VERSION_LO] = lo
  words[item + ITEM_VERSION_HI] = words[header + H_VERSION_HI]
}

/** Units of log between an item and the tail. Meaningless in store mode. */
export function ageOf(s: StoreMemory, position: number): number {
  return (s.words[s.header + H_TAIL] - position) >>> 0
}

/** Room for an item: a position, or -1 where store mode has none. (No item lies at position -1: it would wrap.) */
export function reserve(s: StoreMemory, units: number): number {
  return s.lossless ? allocateBlock(s, units) : reserveLog(s, units)
}

/**
 * Writes word 1 of a reserved item. In store mode the allocator knows the size of the block and whether its left
 * neighbour is free; in cache mode the block is as large as the item.
 */
export function writeSize(s: StoreMemory, item: number, units: number, extended: boolean): void {
  const { words } = s
  const size = s.lossless ? words[item + ITEM_SIZE] & (SIZE_MASK | SIZE_PREVIOUS_FREE) : units
  words[item + ITEM_SIZE] = extended ? size | SIZE_EXTENDED : size
}

/** Makes a written item part of the log; the heap needs no such step. */
export function commit(s: StoreMemory, position: number, units: number): void {
  if (!s.lossless) commitLog(s, position, units)
}

/** Cache mode: marks an item that is about to be replaced, so that its eviction is not counted as a loss. */
export function retire(s: StoreMemory, position: number): void {
  if (!s.lossless) s.words[itemAt(s, position) + ITEM_SIZE] |= SIZE_DEAD
}

/** Store mode: frees the block of an item that the index no longer refers to. */
export function release(s: StoreMemory, position: number): void {
  if (s.lossless) freeBlock(s, position)
}

/** Takes the item of a slot out of the store and counts it. */
export function removeItem(s: StoreMemory, bucket: number, slot: number, counter: number): void {
  const position = s.words[slot + SLOT_POSITION]
  clearSlot(s, bucket, slot)
  retire(s, position)
  release(s, position)
  s.counters[counter]++
}

/** The slot of a key that has not expired, or 0. An item found expired is removed. */
export function findUnexpired(
  s: StoreMemory,
  bucket: number,
  tag: number,
  keyAddress: number,
  keyLength: number,
  now: number,
): number {
  const slot = findSlot(s, bucket, tag, keyAddress, keyLength)
  if (slot === 0) return 0
  const expiresAt = expiryOf(s, itemAt(s, s.words[slot + SLOT_POSITION]))
  if (expiresAt === 0 || expiresAt > now) return slot
  removeItem(s, bucket, slot, C_EXPIRED)
  return 0
}
