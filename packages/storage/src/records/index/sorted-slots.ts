import type { KeyArena } from './key-arena.ts'
import { NONE, type Slots } from './slots.ts'

/** Slots of one leaf. Half of them on average come to 6 bytes a key. */
const LEAF = 128

class Leaf {
  readonly slots = new Int32Array(LEAF)
  count = 0
}

/**
 * Slots in the order of their keys: a list of leaves, each found by binary search for its first key. Two levels do: a leaf that is
 * split moves the list behind it by one, which for ten million keys costs less than a microsecond an insertion.
 */
export class SortedSlots {
  readonly #arena: KeyArena
  readonly #slots: Slots
  readonly #leaves: Leaf[] = []
  size = 0
  /** Where the last search ended: a leaf, and the place in it. Moved by `next` and `back`; void after any change. */
  #leaf = 0
  #at = 0

  constructor(arena: KeyArena, slots: Slots) {
    this.#arena = arena
    this.#slots = slots
  }

  /** The slot of a key, or `NONE`; then the place is where it belongs. */
  find(key: Uint8Array, from: number, length: number): number {
    if (!this.lowerBound(key, from, length)) return NONE
    return this.slot
  }

  /** Goes to the first key that is not before the given one. Whether it is that key. */
  lowerBound(key: Uint8Array, from: number, length: number): boolean {
    const leaves = this.#leaves
    let low = 0
    let high = leaves.length - 1
    // The last leaf whose first key is not behind the given one.
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (this.#compare(leaves[middle].slots[0], key, from, length) <= 0) low = middle
      else high = middle - 1
    }
    this.#leaf = low
    this.#at = 0
    if (leaves.length === 0) return false
    const { slots, count } = leaves[low]
    let start = 0
    let end = count
    while (start < end) {
      const middle = (start + end) >>> 1
      const order = this.#compare(slots[middle], key, from, length)
      if (order === 0) {
        this.#at = middle
        return true
      }
      if (order < 0) start = middle + 1
      else end = middle
    }
    this.#at = start
    return false
  }

  toFirst(): void {
    this.#leaf = 0
    this.#at = 0
  }

  /** Behind the last key. */
  toEnd(): void {
    this.#leaf = Math.max(0, this.#leaves.length - 1)
    this.#at = this.#leaves[this.#leaf]?.count ?? 0
  }

  /** The slot at the place, or `NONE` at the end. */
  get slot(): number {
    const leaves = this.#leaves
    if (this.#leaf >= leaves.length) return NONE
    if (this.#at < leaves[this.#leaf].count) return leaves[this.#leaf].slots[this.#at]
    if (this.#leaf + 1 >= leaves.length) return NONE
    this.#leaf++
    this.#at = 0
    return leaves[this.#leaf].slots[0]
  }

  next(): void {
    if (this.slot !== NONE) this.#at++
  }

  /** To the key before the place. False when there is none. */
  back(): boolean {
    if (this.#at === 0) {
      if (this.#leaf === 0) return false
      this.#leaf--
      this.#at = this.#leaves[this.#leaf].count
    }
    this.#at--
    return true
  }

  /** Puts a slot at the place where `find` did not find its key. */
  insert(slot: number): void {
    this.size++
    if (this.#leaves.length === 0) this.#leaves.push(new Leaf())
    let leaf = this.#leaves[this.#leaf]
    if (leaf.count === LEAF) {
      const right = new Leaf()
      // Keys that come in order fill their leaves; others split them in the middle.
      const kept = this.#at === LEAF ? LEAF : LEAF >>> 1
      right.slots.set(leaf.slots.subarray(kept))
      right.count = LEAF - kept
      leaf.count = kept
      this.#leaves.splice(this.#leaf + 1, 0, right)
      if (this.#at > kept || kept === LEAF) {
        this.#leaf++
        this.#at -= kept
        leaf = right
      }
    }
    const { slots } = leaf
    for (let i = leaf.count; i > this.#at; i--) slots[i] = slots[i - 1]
    slots[this.#at] = slot
    leaf.count++
  }

  /** Takes away the slot at the place, which is then that of the next key. */
  remove(): void {
    this.size--
    const leaf = this.#leaves[this.#leaf]
    leaf.slots.copyWithin(this.#at, this.#at + 1, leaf.count)
    leaf.count--
    if (leaf.count === 0) {
      this.#leaves.splice(this.#leaf, 1)
      this.#at = 0
    }
  }

  get byteLength(): number {
    return this.#leaves.length * LEAF * 4
  }

  #compare(slot: number, key: Uint8Array, from: number, length: number): number {
    return this.#arena.compare(this.#slots.keyAt[slot], this.#slots.keyLength[slot], key, from, length)
  }
}
