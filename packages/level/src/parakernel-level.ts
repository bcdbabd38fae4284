import { ParakernelError } from '@parakernel/hal'
import {
  decodeHeader,
  headerBlock,
  type Medium,
  makeRecords,
  openRecords,
  RecordBatch,
  type RecordRange,
  type RecordStore,
  type RecordsOptions,
  type RecordsScrubReport,
  type RecordsUsage,
  read,
} from '@parakernel/storage'
import { AbstractLevel } from 'abstract-level'
import { type Encoded, type Format, fromBytes, toBytes } from './encoding.ts'
import { LevelError, levelError } from './errors.ts'
import {
  type IteratorOptions,
  ParakernelIterator,
  ParakernelKeyIterator,
  ParakernelValueIterator,
} from './iterators.ts'
import {
  type OpenedMedium,
  type ParakernelLevelOptions,
  splitOptions,
  type WriteDurability,
  type WriteOptions,
} from './options.ts'
import { type Place, placeOf } from './place.ts'
import { ParakernelSnapshot } from './snapshot.ts'

interface ReadOptions {
  readonly keyEncoding: Format
  readonly valueEncoding: Format
  readonly snapshot?: ParakernelSnapshot
}

interface RangeOptions extends IteratorOptions {
  readonly gt?: Encoded
  readonly gte?: Encoded
  readonly lt?: Encoded
  readonly lte?: Encoded
  readonly reverse: boolean
  readonly snapshot?: ParakernelSnapshot
}

interface Operation {
  readonly type: 'put' | 'del'
  readonly key: Encoded
  readonly value?: Encoded
}

const MANIFEST = {
  encodings: { buffer: true, utf8: true, view: true },
  implicitSnapshots: true,
  explicitSnapshots: true,
  seek: true,
  has: true,
  getSync: true,
  permanence: true,
  createIfMissing: true,
  errorIfExists: true,
  signals: { iterators: true },
  additionalMethods: { compact: true, scrub: true, usage: true },
}

/**
 * A database of the level ecosystem on the key-value records of the storage libOS. Sorted by bytes; every write is durable when it has
 * resolved, unless it asks for less; batches are there whole or not at all.
 */
export class ParakernelLevel<Key = string, Value = string> extends AbstractLevel<string | Uint8Array, Key, Value> {
  readonly #place: Place
  readonly #options: RecordsOptions
  readonly #initialize: boolean
  #opened: OpenedMedium | undefined
  #store: RecordStore | undefined

  /** @throws EINVAL for options that name two places */
  constructor(options: ParakernelLevelOptions<Key, Value> = {}) {
    // What names the place stays here: programs and their hooks see the options that they know.
    const { place, records, rest } = splitOptions(options)
    super(MANIFEST as never, rest)
    this.#place = placeOf(place)
    this.#options = records
    this.#initialize = place.initialize ?? false
  }

  /** What the database holds and takes. @throws LEVEL_DATABASE_NOT_OPEN */
  usage(): RecordsUsage {
    return this.#records.usage
  }

  /** Goes through the log once, so that it has hardly any garbage. Happens by itself where needed. */
  async compact(): Promise<void> {
    await this.#guard(this.#records.compact())
  }

  /** Reads everything, and says what is damaged and which keys that concerns. */
  scrub(): Promise<RecordsScrubReport> {
    return this.#guard(this.#records.scrub())
  }

  async _open(options: { createIfMissing: boolean; errorIfExists: boolean }): Promise<void> {
    const opened = await this.#guard(this.#place.open())
    try {
      const { medium } = opened
      const exists = await hasImage(medium)
      if (!exists && !options.createIfMissing) {
        throw new LevelError('LEVEL_NOT_FOUND', `${medium.name} does not exist (createIfMissing is false)`)
      }
      if (exists && options.errorIfExists) {
        throw new LevelError('LEVEL_EXISTS', `${medium.name} exists (errorIfExists is true)`)
      }
      if (!exists) await makeRecords(medium, { initialize: this.#initialize })
      this.#store = await openRecords(medium, this.#options)
      this.#opened = opened
    } catch (error) {
      await opened.close()
      throw levelError(error)
    }
  }

  async _close(): Promise<void> {
    const opened = this.#opened
    try {
      await this.#guard(this.#records.close())
    } finally {
      this.#store = undefined
      this.#opened = undefined
      await opened?.close()
    }
  }

  async _get(key: Encoded, options: ReadOptions): Promise<Encoded | undefined> {
    try {
      const value = await this.#records.get(toBytes(key), options.snapshot?.records)
      return value === undefined ? undefined : fromBytes(value, options.valueEncoding)
    } catch (error) {
      throw levelError(error)
    }
  }

  _getSync(key: Encoded, options: ReadOptions): Encoded | undefined {
    try {
      const value = this.#records.getNow(toBytes(key), options.snapshot?.records)
      return value === undefined ? undefined : fromBytes(value, options.valueEncoding)
    } catch (error) {
      throw levelError(error)
    }
  }

  async _getMany(keys: readonly Encoded[], options: ReadOptions): Promise<(Encoded | undefined)[]> {
    const values = await this.#guard(this.#records.getMany(keys.map(toBytes), options.snapshot?.records))
    return values.map((value) => (value === undefined ? undefined : fromBytes(value, options.valueEncoding)))
  }

  async _has(key: Encoded, options: ReadOptions): Promise<boolean> {
    return this.#records.has(toBytes(key), options.snapshot?.records)
  }

  async _hasMany(keys: readonly Encoded[], options: ReadOptions): Promise<boolean[]> {
    return keys.map((key) => this.#records.has(toBytes(key), options.snapshot?.records))
  }

  _put(key: Encoded, value: Encoded, options: WriteOptions): Promise<void> {
    return this.#guard(this.#records.put(toBytes(key), toBytes(value), levelOf(options)))
  }

  _del(key: Encoded, options: WriteOptions): Promise<void> {
    return this.#guard(this.#records.delete(toBytes(key), levelOf(options)))
  }

  async _batch(operations: readonly Operation[], options: WriteOptions): Promise<void> {
    const batch = new RecordBatch()
    try {
      for (const { type, key, value } of operations) {
        if (type === 'put') batch.put(toBytes(key), toBytes(value as Encoded))
        else batch.delete(toBytes(key))
      }
      await this.#records.write(batch, levelOf(options))
    } catch (error) {
      throw levelError(error)
    }
  }

  _clear(options: RangeOptions & WriteOptions): Promise<void> {
    const limit = options.limit < 0 ? Infinity : options.limit
    return this.#guard(this.#records.clear(rangeOf(options), limit, levelOf(options), options.snapshot?.records))
  }

  _snapshot(options: object): ParakernelSnapshot {
    return new ParakernelSnapshot(options, this.#records.snapshot())
  }

  _iterator(options: RangeOptions) {
    return new ParakernelIterator(this, options, this.#cursor(options, true))
  }

  _keys(options: RangeOptions) {
    return new ParakernelKeyIterator(this, options, this.#cursor(options, false))
  }

  _values(options: RangeOptions) {
    return new ParakernelValueIterator(this, options, this.#cursor(options, true))
  }

  get #records(): RecordStore {
    if (this.#store === undefined) throw new LevelError('LEVEL_DATABASE_NOT_OPEN', 'Database is not open')
    return this.#store
  }

  #cursor(options: RangeOptions, values: boolean) {
    const snapshot = options.snapshot?.records
    return this.#records.cursor(rangeOf(options), { values, ...(snapshot !== undefined && { snapshot }) })
  }

  async #guard<T>(work: Promise<T>): Promise<T> {
    try {
      return await work
    } catch (error) {
      throw levelError(error)
    }
  }
}

/** Whether there is an image. @throws EINVAL for a medium that holds something else: it is not overwritten */
async function hasImage(medium: Medium): Promise<boolean> {
  const block = await read(medium, 0, headerBlock(medium))
  if (decodeHeader(block) !== 'no-image') return true
  if (block.every((byte) => byte === 0)) return false
  throw new ParakernelError('EINVAL', 'holds something, and that is no database', {
    subject: medium.name,
    remedy: 'Name another medium, or zero its first block to lose what it holds',
  })
}

/** The inclusive ends go before the others, as abstract-level has it. */
function rangeOf({ gt, gte, lt, lte, reverse }: RangeOptions): RecordRange {
  return {
    reverse,
    ...(gte !== undefined ? { gte: toBytes(gte) } : gt !== undefined && { gt: toBytes(gt) }),
    ...(lte !== undefined ? { lte: toBytes(lte) } : lt !== undefined && { lt: toBytes(lt) }),
  }
}

function levelOf({ sync, durability }: WriteOptions): WriteDurability | undefined {
  if (durability !== undefined) return durability
  if (sync === undefined) return undefined
  return sync ? 'flushed' : 'buffered'
}
