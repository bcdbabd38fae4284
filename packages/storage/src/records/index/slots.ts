/** No slot. */
export const NONE = -1
/** Position of a key that is deleted, and is known only because a snapshot still sees an older value. */
export const DELETED = -1

/**
 * The versions of keys as columns, 40 bytes each. A key's newest version keeps its slot as long as the key is there; older ones,
 * of which there are any only while snapshots see them, hang behind it.
 */
export class Slots {
  /** In the arena; of older versions the same as of the newest, which owns it. */
  keyAt = new Uint32Array(0)
  keyLength = new Uint32Array(0)
  /** Of the entry, in the log; `DELETED`. */
  position = new Float64Array(0)
  valueLength = new Uint32Array(0)
  /** Number of the change that made it. */
  version = new Float64Array(0)
  /** The version before it, or `NONE`. Of a free slot: the next free one. */
  previous = new Int32Array(0)
  /** Of the value in the cache, or -1. */
  cachedAt = new Float64Array(0)
  #free = NONE
  #capacity = 0

  get byteLength(): number {
    return this.#capacity * 40
  }

  take(): number {
    if (this.#free === NONE) this.#grow()
    const slot = this.#free
    this.#free = this.previous[slot]
    this.previous[slot] = NONE
    this.cachedAt[slot] = -1
    return slot
  }

  give(slot: number): void {
    this.cachedAt[slot] = -1
    this.position[slot] = DELETED
    this.previous[slot] = this.#free
    this.#free = slot
  }

  #grow(): void {
    const from = this.#capacity
    const capacity = Math.max(256, 2 * from)
    this.keyAt = larger(this.keyAt, new Uint32Array(capacity))
    this.keyLength = larger(this.keyLength, new Uint32Array(capacity))
    this.position = larger(this.position, new Float64Array(capacity))
    this.valueLength = larger(this.valueLength, new Uint32Array(capacity))
    this.version = larger(this.version, new Float64Array(capacity))
    this.previous = larger(this.previous, new Int32Array(capacity))
    this.cachedAt = larger(this.cachedAt, new Float64Array(capacity))
    for (let slot = capacity - 1; slot >= from; slot--) this.give(slot)
    this.#capacity = capacity
  }
}

function larger<Column extends Uint32Array | Int32Array | Float64Array>(from: Column, to: Column): Column {
  to.set(from)
  return to
}
