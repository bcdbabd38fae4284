import {
  FREE_LISTS,
  H_FREE_UNITS,
  ITEM_LENGTHS,
  ITEM_SIZE,
  MIN_BLOCK_UNITS,
  SIZE_FREE,
  SIZE_MASK,
  SIZE_PREVIOUS_FREE,
} from '../layout.ts'
import type { StoreMemory } from './store-memory.ts'

/*
 * The heap of store mode: segregated fits with boundary tags. Blocks tile the data area and are named by their unit.
 * Word 1 of a block holds its size; a free block also has the links of its list in words 2 and 3 (unit + 1, 0 = none)
 * and its size again in its last word, where the block behind finds it when it coalesces to the left. Two free blocks
 * are never neighbours. A used block of size 0 ends the area, so that nothing looks beyond it.
 */
const NEXT = 2
const PREVIOUS = 3

/** List of a block size: one per size up to 34 units (272 B), then four per power of two. */
export function listOf(units: number): number {
  if (units < 35) return units - MIN_BLOCK_UNITS
  const power = 31 - Math.clz32(units)
  return 32 + (power - 5) * 4 + ((units >> (power - 2)) & 3)
}

/** Turns the data area into one free block. */
export function formatHeap(s: StoreMemory): void {
  const end = s.dataUnits - 1
  s.words[s.data + end * 2 + ITEM_LENGTHS] = 1
  s.words[s.data + end * 2 + ITEM_SIZE] = 0
  s.words[s.header + H_FREE_UNITS] = end
  insertFree(s, 0, end)
}

/** The first unit of a used block of at least `units`, or -1. Its word 1 is set, the rest is not. */
export function allocateBlock(s: StoreMemory, units: number): number {
  const { words, data } = s
  const wanted = Math.max(units, MIN_BLOCK_UNITS)
  const unit = findFree(s, wanted)
  if (unit < 0) return -1
  removeFree(s, unit)
  const block = data + unit * 2
  const size = words[block + ITEM_SIZE] & SIZE_MASK
  let taken = size
  if (size - wanted >= MIN_BLOCK_UNITS) {
    taken = wanted
    insertFree(s, unit + wanted, size - wanted)
  } else words[data + (unit + size) * 2 + ITEM_SIZE] &= ~SIZE_PREVIOUS_FREE
  // The block before a free block is used, so SIZE_PREVIOUS_FREE stays clear.
  words[block + ITEM_SIZE] = taken
  words[s.header + H_FREE_UNITS] -= taken
  return unit
}

/** Frees a used block and joins it with free neighbours. */
export function freeBlock(s: StoreMemory, unit: number): void {
  const { words, data } = s
  let first = unit
  const tag = words[data + unit * 2 + ITEM_SIZE]
  let size = tag & SIZE_MASK
  words[s.header + H_FREE_UNITS] += size
  const behind = unit + size
  const tagBehind = words[data + behind * 2 + ITEM_SIZE]
  if ((tagBehind & SIZE_FREE) !== 0) {
    removeFree(s, behind)
    size += tagBehind & SIZE_MASK
  }
  if ((tag & SIZE_PREVIOUS_FREE) !== 0) {
    const before = words[data + unit * 2 - 1]
    first = unit - before
    removeFree(s, first)
    size += before
  }
  insertFree(s, first, size)
}

/** Gives the end of a used block back, down to `units`. Does nothing if the remainder is too small for a block. */
export function shrinkBlock(s: StoreMemory, unit: number, units: number): void {
  const { words, data } = s
  const keep = Math.max(units, MIN_BLOCK_UNITS)
  const block = data + unit * 2
  const size = words[block + ITEM_SIZE] & SIZE_MASK
  if (size - keep < MIN_BLOCK_UNITS) return
  words[block + ITEM_SIZE] = (words[block + ITEM_SIZE] & ~SIZE_MASK) | keep
  words[data + (unit + keep) * 2 + ITEM_SIZE] = size - keep
  freeBlock(s, unit + keep)
}

function insertFree(s: StoreMemory, unit: number, size: number): void {
  const { words, data } = s
  const block = data + unit * 2
  const list = listOf(size)
  const next = words[s.freeLists + list]
  words[block + ITEM_LENGTHS] = 0
  words[block + ITEM_SIZE] = size | SIZE_FREE
  words[block + NEXT] = next
  words[block + PREVIOUS] = 0
  words[block + size * 2 - 1] = size
  words[block + size * 2 + ITEM_SIZE] |= SIZE_PREVIOUS_FREE
  if (next !== 0) words[data + (next - 1) * 2 + PREVIOUS] = unit + 1
  words[s.freeLists + list] = unit + 1
  words[s.freeBitmap + (list >> 5)] |= 1 << (list & 31)
}

function removeFree(s: StoreMemory, unit: number): void {
  const { words, data } = s
  const block = data + unit * 2
  const next = words[block + NEXT]
  const previous = words[block + PREVIOUS]
  if (next !== 0) words[data + (next - 1) * 2 + PREVIOUS] = previous
  if (previous !== 0) words[data + (previous - 1) * 2 + NEXT] = next
  else {
    const list = listOf(words[block + ITEM_SIZE] & SIZE_MASK)
    words[s.freeLists + list] = next
    if (next === 0) words[s.freeBitmap + (list >> 5)] &= ~(1 << (list & 31))
  }
}

/**
 * A free block of at least `units`, or -1: any block of a higher list fits; blocks of the own list may be a little
 * too small, so they are walked, and only where no higher list has anything can that walk be long.
 */
function findFree(s: StoreMemory, units: number): number {
  const { words, data } = s
  const own = listOf(units)
  let candidate = words[s.freeLists + own]
  const exact = units < 35
  if (exact && candidate !== 0) return candidate - 1
  const higher = nextNonEmptyList(s, own + 1)
  if (higher >= 0) return words[s.freeLists + higher] - 1
  while (candidate !== 0) {
    const block = data + (candidate - 1) * 2
    if ((words[block + ITEM_SIZE] & SIZE_MASK) >= units) return candidate - 1
    candidate = words[block + NEXT]
  }
  return -1
}

function nextNonEmptyList(s: StoreMemory, from: number): number {
  for (let word = from >> 5; word < FREE_LISTS >> 5; word++) {
    let bits = s.words[s.freeBitmap + word]
    if (word === from >> 5) bits &= -1 << (from & 31)
    if (bits !== 0) return word * 32 + 31 - Math.clz32(bits & -bits)
  }
  return -1
}
