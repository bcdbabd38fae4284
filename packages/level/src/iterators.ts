import type { RecordCursor } from '@parakernel/storage'
import { AbstractIterator, AbstractKeyIterator, AbstractValueIterator } from 'abstract-level'
import { type Encoded, type Format, fromBytes, toBytes } from './encoding.ts'
import { LevelError, levelError } from './errors.ts'

/** Entries that single steps bring at first, and at most; doubled from one to the next. */
const FIRST = 16
const MOST = 1024

export interface IteratorOptions {
  readonly keyEncoding: Format
  readonly valueEncoding: Format
  readonly limit: number
  readonly signal?: AbortSignal
}

/** Entries of a cursor, in the formats that were asked for, some of them brought ahead. */
class Reading<Item> {
  readonly #cursor: RecordCursor
  readonly #signal: AbortSignal | undefined
  readonly #make: (key: Uint8Array, value: Uint8Array) => Item
  #limit: number
  #ahead: Item[] = []
  #at = 0
  #size = FIRST

  constructor(cursor: RecordCursor, options: IteratorOptions, make: (key: Uint8Array, value: Uint8Array) => Item) {
    this.#cursor = cursor
    this.#signal = options.signal
    this.#make = make
    this.#limit = options.limit < 0 ? Infinity : options.limit
  }

  async next(): Promise<Item | undefined> {
    if (this.#at === this.#ahead.length) {
      this.#ahead = await this.#bring(this.#size)
      this.#at = 0
      this.#size = Math.min(MOST, 2 * this.#size)
    }
    return this.#ahead[this.#at++]
  }

  async several(size: number): Promise<Item[]> {
    if (this.#at < this.#ahead.length) {
      const some = this.#ahead.slice(this.#at, this.#at + size)
      this.#at += some.length
      return some
    }
    return this.#bring(size)
  }

  seek(target: Encoded): void {
    this.#limit += this.#ahead.length - this.#at
    this.#ahead = []
    this.#at = 0
    this.#size = FIRST
    this.#cursor.seek(toBytes(target))
  }

  async close(): Promise<void> {
    this.#ahead = []
    this.#at = 0
    this.#cursor.close()
  }

  async #bring(size: number): Promise<Item[]> {
    try {
      const { keys, values } = await this.#cursor.next(Math.min(size, this.#limit))
      if (this.#signal?.aborted) throw new LevelError('LEVEL_ABORTED', 'the operation was aborted')
      this.#limit -= keys.length
      const items: Item[] = []
      for (let i = 0; i < keys.length; i++) items.push(this.#make(keys[i], values[i]))
      return items
    } catch (error) {
      throw levelError(error)
    }
  }
}

// The typings of abstract-level leave the private half out, and want the public formats of each database.
type Database = ConstructorParameters<typeof AbstractIterator>[0]

export class ParakernelIterator<Db extends Database, Key, Value> extends AbstractIterator<Db, Key, Value> {
  readonly #reading: Reading<[Encoded, Encoded]>

  constructor(db: Db, options: IteratorOptions, cursor: RecordCursor) {
    super(db, options as never)
    const { keyEncoding, valueEncoding } = options
    this.#reading = new Reading(cursor, options, (key, value) => [
      fromBytes(key, keyEncoding),
      fromBytes(value, valueEncoding),
    ])
  }

  _next(): Promise<[Encoded, Encoded] | undefined> {
    return this.#reading.next()
  }

  _nextv(size: number): Promise<[Encoded, Encoded][]> {
    return this.#reading.several(size)
  }

  _seek(target: Encoded): void {
    this.#reading.seek(target)
  }

  _close(): Promise<void> {
    return this.#reading.close()
  }
}

export class ParakernelKeyIterator<Db extends Database, Key> extends AbstractKeyIterator<Db, Key> {
  readonly #reading: Reading<Encoded>

  constructor(db: Db, options: IteratorOptions, cursor: RecordCursor) {
    super(db as never, options as never)
    this.#reading = new Reading(cursor, options, (key) => fromBytes(key, options.keyEncoding))
  }

  _next(): Promise<Encoded | undefined> {
    return this.#reading.next()
  }

  _nextv(size: number): Promise<Encoded[]> {
    return this.#reading.several(size)
  }

  _seek(target: Encoded): void {
    this.#reading.seek(target)
  }

  _close(): Promise<void> {
    return this.#reading.close()
  }
}

export class ParakernelValueIterator<Db extends Database, Key, Value> extends AbstractValueIterator<Db, Key, Value> {
  readonly #reading: Reading<Encoded>

  constructor(db: Db, options: IteratorOptions, cursor: RecordCursor) {
    super(db as never, options as never)
    this.#reading = new Reading(cursor, options, (_key, value) => fromBytes(value, options.valueEncoding))
  }

  _next(): Promise<Encoded | undefined> {
    return this.#reading.next()
  }

  _nextv(size: number): Promise<Encoded[]> {
    return this.#reading.several(size)
  }

  _seek(target: Encoded): void {
    this.#reading.seek(target)
  }

  _close(): Promise<void> {
    return this.#reading.close()
  }
}
