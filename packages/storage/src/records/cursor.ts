import type { RecordsCore } from './core.ts'
import { NONE } from './index/slots.ts'
import type { RecordRange, RecordSnapshot } from './records.ts'
import type { Values } from './values.ts'

export interface RecordEntries {
  readonly keys: readonly Uint8Array[]
  /** As many as keys; none where only keys were asked for. */
  readonly values: readonly Uint8Array[]
}

/**
 * Goes through the keys of a range in order of their bytes, or in reverse, as they were at one moment, whatever is written meanwhile.
 * One call of `next` at a time.
 */
export class RecordCursor {
  readonly #core: RecordsCore
  readonly #values: Values
  readonly #snapshot: RecordSnapshot
  readonly #range: RecordRange
  readonly #withValues: boolean
  /** The last key that was given, or the one to begin with. */
  #from: Uint8Array | undefined
  /** Whether `from` itself is still to come. */
  #including = false
  #over = false

  constructor(core: RecordsCore, values: Values, snapshot: RecordSnapshot, range: RecordRange, withValues: boolean) {
    this.#core = core
    this.#values = values
    this.#snapshot = snapshot
    this.#range = range
    this.#withValues = withValues
  }

  /** Up to `count` entries more; fewer only at the end. */
  async next(count: number): Promise<RecordEntries> {
    const slots = this.#advance(count)
    const { index } = this.#core
    const keys = slots.map((slot) => index.keyOf(slot))
    if (!this.#withValues) return { keys, values: [] }
    return { keys, values: (await this.#values.many(slots)) as Uint8Array[] }
  }

  /** Keys alone, at once. */
  keysNow(count: number): Uint8Array[] {
    return this.#advance(count).map((slot) => this.#core.index.keyOf(slot))
  }

  /** Goes on at a key, or behind it (before it, in reverse) where it is not there. Outside of the range: to its end. */
  seek(key: Uint8Array): void {
    this.#from = key.slice()
    this.#including = true
    this.#over = !this.#within(key)
  }

  /** Lets go of the moment that it sees. Idempotent. */
  close(): void {
    this.#over = true
    this.#snapshot.release()
  }

  /** Moves on by up to `count` keys. Returns their slots. */
  #advance(count: number): number[] {
    const slots: number[] = []
    if (this.#over || count <= 0) return slots
    const { index } = this.#core
    const { order } = index
    const { version } = this.#snapshot
    const { reverse = false } = this.#range
    this.#place()
    let last = NONE
    while (slots.length < count) {
      if (reverse ? !order.back() : order.slot === NONE) {
        this.#over = true
        break
      }
      const newest = order.slot
      if (this.#beyond(newest)) {
        this.#over = true
        break
      }
      if (!reverse) order.next()
      last = newest
      const slot = index.visible(newest, version)
      if (slot !== NONE) slots.push(slot)
    }
    if (last !== NONE) {
      this.#from = index.keyOf(last)
      this.#including = false
    }
    return slots
  }

  /** Puts the order's place before the next key; in reverse, behind it. */
  #place(): void {
    const { order } = this.#core.index
    const { gt, gte, lt, lte, reverse = false } = this.#range
    if (reverse) {
      if (this.#from !== undefined) {
        if (order.lowerBound(this.#from, 0, this.#from.length) && this.#including) order.next()
      } else if (lt !== undefined) order.lowerBound(lt, 0, lt.length)
      else if (lte !== undefined) {
        if (order.lowerBound(lte, 0, lte.length)) order.next()
      } else order.toEnd()
    } else if (this.#from !== undefined) {
      if (order.lowerBound(this.#from, 0, this.#from.length) && !this.#including) order.next()
    } else if (gt !== undefined) {
      if (order.lowerBound(gt, 0, gt.length)) order.next()
    } else if (gte !== undefined) order.lowerBound(gte, 0, gte.length)
    else order.toFirst()
  }

  /** Whether a key lies behind the end of the range. */
  #beyond(slot: number): boolean {
    const { gt, gte, lt, lte, reverse = false } = this.#range
    if (reverse) {
      if (gt !== undefined) return this.#order(slot, gt) <= 0
      return gte !== undefined && this.#order(slot, gte) < 0
    }
    if (lt !== undefined) return this.#order(slot, lt) >= 0
    return lte !== undefined && this.#order(slot, lte) > 0
  }

  #order(slot: number, key: Uint8Array): number {
    const { arena, slots } = this.#core.index
    return arena.compare(slots.keyAt[slot], slots.keyLength[slot], key, 0, key.length)
  }

  #within(key: Uint8Array): boolean {
    const { gt, gte, lt, lte } = this.#range
    if (gt !== undefined && compareKeys(key, gt) <= 0) return false
    if (gte !== undefined && compareKeys(key, gte) < 0) return false
    if (lt !== undefined && compareKeys(key, lt) >= 0) return false
    return lte === undefined || compareKeys(key, lte) <= 0
  }
}

/** In the order of bytes, a prefix first. */
export function compareKeys(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i] - b[i]
  return a.length - b.length
}
