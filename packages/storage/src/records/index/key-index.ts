import { entryBytes } from '../format.ts'
import { KeyArena } from './key-arena.ts'
import { DELETED, NONE, Slots } from './slots.ts'
import { Snapshots } from './snapshots.ts'
import { SortedSlots } from './sorted-slots.ts'

/**
 * Every key with the place of its newest value, in the order of bytes, and older values as long as a snapshot sees them. About
 * 46 bytes a key beside the key itself. Lookups and changes are one binary search: below a microsecond for a million keys.
 */
export class KeyIndex {
  readonly arena = new KeyArena()
  readonly slots = new Slots()
  readonly order = new SortedSlots(this.arena, this.slots)
  readonly snapshots = new Snapshots()
  /** Number of the last change. */
  version = 0
  /** Bytes of the entries that somebody can still see. */
  liveBytes = 0
  /** Keys that are there now. */
  keys = 0
  /** Newest versions that have older ones behind them. */
  #chained: number[] = []
  #sweepAt = 1024

  /** The newest slot of a key that is there, or `NONE`. */
  find(key: Uint8Array, from = 0, length = key.length): number {
    const slot = this.order.find(key, from, length)
    return slot === NONE || this.slots.position[slot] === DELETED ? NONE : slot
  }

  /** The slot of a key as a snapshot sees it, or `NONE`. */
  findAt(version: number, key: Uint8Array): number {
    const slot = this.order.find(key, 0, key.length)
    return slot === NONE ? NONE : this.visible(slot, version)
  }

  /** From the newest slot of a key to what a snapshot sees of it. */
  visible(newest: number, version: number): number {
    const { slots } = this
    let slot = newest
    while (slot !== NONE && slots.version[slot] > version) slot = slots.previous[slot]
    return slot === NONE || slots.position[slot] === DELETED ? NONE : slot
  }

  /** Sets a key's place, as change number `version`. Returns its slot. */
  put(
    key: Uint8Array,
    from: number,
    length: number,
    position: number,
    valueLength: number,
    version = this.version,
  ): number {
    const { slots } = this
    let slot = this.order.find(key, from, length)
    if (slot === NONE) {
      slot = slots.take()
      slots.keyAt[slot] = this.arena.store(key, from, length)
      slots.keyLength[slot] = length
      this.order.insert(slot)
      this.keys++
    } else {
      if (slots.position[slot] === DELETED) this.keys++
      this.#supersede(slot)
    }
    slots.position[slot] = position
    slots.valueLength[slot] = valueLength
    slots.version[slot] = version
    slots.cachedAt[slot] = -1
    this.liveBytes += entryBytes(length, valueLength)
    return slot
  }

  delete(key: Uint8Array, from: number, length: number, version = this.version): void {
    const slot = this.order.find(key, from, length)
    if (slot === NONE || this.slots.position[slot] === DELETED) return
    this.#deleteHere(slot, version)
  }

  /** Deletes all keys from `first` to `last`, both included. */
  clear(
    bytes: Uint8Array,
    first: number,
    firstLength: number,
    last: number,
    lastLength: number,
    version = this.version,
  ): void {
    const { order, arena, slots } = this
    order.lowerBound(bytes, first, firstLength)
    for (;;) {
      const slot = order.slot
      if (slot === NONE) return
      if (arena.compare(slots.keyAt[slot], slots.keyLength[slot], bytes, last, lastLength) > 0) return
      if (slots.position[slot] === DELETED || !this.#deleteHere(slot, version)) order.next()
    }
  }

  /** The version of a key that lies at a position, or `NONE`: whether what lies there is of use to anybody. */
  at(key: Uint8Array, from: number, length: number, position: number): number {
    const { slots } = this
    let slot = this.order.find(key, from, length)
    while (slot !== NONE && slots.position[slot] !== position) slot = slots.previous[slot]
    return slot
  }

  /** Whether a slot is its key's newest version, not an older one that a snapshot sees. */
  isNewest(slot: number, key: Uint8Array, from: number, length: number): boolean {
    return this.order.find(key, from, length) === slot
  }

  /** The key's bytes, the caller's own. */
  keyOf(slot: number): Uint8Array {
    const length = this.slots.keyLength[slot]
    const key = new Uint8Array(length)
    this.arena.copyOut(this.slots.keyAt[slot], length, key)
    return key
  }

  /** Holds on to what is there now, until `release` of the version returned. */
  hold(): number {
    this.snapshots.hold(this.version)
    return this.version
  }

  release(version: number): void {
    this.snapshots.release(version)
    if (this.#chained.length > 0 && (this.snapshots.size === 0 || this.#chained.length >= this.#sweepAt)) this.#sweep()
  }

  get byteLength(): number {
    return this.arena.byteLength + this.slots.byteLength + this.order.byteLength
  }

  /** The newest version is about to be replaced: hangs a copy of it behind, where a snapshot may see it. */
  #supersede(slot: number): void {
    const { slots } = this
    if (this.snapshots.newest < slots.version[slot]) {
      this.liveBytes -= this.#bytesOf(slot)
      return
    }
    const old = slots.take()
    slots.keyAt[old] = slots.keyAt[slot]
    slots.keyLength[old] = slots.keyLength[slot]
    slots.position[old] = slots.position[slot]
    slots.valueLength[old] = slots.valueLength[slot]
    slots.version[old] = slots.version[slot]
    slots.cachedAt[old] = slots.cachedAt[slot]
    slots.previous[old] = slots.previous[slot]
    if (slots.previous[slot] === NONE) this.#chained.push(slot)
    slots.previous[slot] = old
  }

  /** Of the key at the place of the last search. Whether it left the order. */
  #deleteHere(slot: number, version: number): boolean {
    const { slots } = this
    this.keys--
    this.#supersede(slot)
    if (slots.previous[slot] !== NONE) {
      slots.position[slot] = DELETED
      slots.version[slot] = version
      slots.cachedAt[slot] = -1
      return false
    }
    this.#forget(slot)
    return true
  }

  /** Takes the key at the place out altogether. */
  #forget(slot: number): void {
    this.order.remove()
    this.arena.release(this.slots.keyAt[slot], this.slots.keyLength[slot])
    this.slots.give(slot)
  }

  #bytesOf(slot: number): number {
    const { slots } = this
    return slots.position[slot] === DELETED ? 0 : entryBytes(slots.keyLength[slot], slots.valueLength[slot])
  }

  /** Frees the older versions that no snapshot sees any more. */
  #sweep(): void {
    const { slots } = this
    const chained: number[] = []
    for (const newest of this.#chained) {
      let newer = newest
      for (let slot = slots.previous[newer]; slot !== NONE; slot = slots.previous[newer]) {
        if (this.snapshots.sees(slots.version[slot], slots.version[newer])) {
          newer = slot
          continue
        }
        slots.previous[newer] = slots.previous[slot]
        this.liveBytes -= this.#bytesOf(slot)
        slots.give(slot)
      }
      if (slots.previous[newest] !== NONE) chained.push(newest)
      else if (slots.position[newest] === DELETED) {
        const key = this.keyOf(newest)
        this.order.find(key, 0, key.length)
        this.#forget(newest)
      }
    }
    this.#chained = chained
    this.#sweepAt = Math.max(1024, 2 * chained.length)
  }
}
