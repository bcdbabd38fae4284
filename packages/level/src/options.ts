import type { Medium, RecordsOptions } from '@parakernel/storage'
import type { AbstractDatabaseOptions } from 'abstract-level'

/** A medium with the loop that turns it, and the way to give it back. */
export interface OpenedMedium {
  readonly medium: Medium
  close(): Promise<void> | void
}

/** Block backends that are found by name; the package is an optional peer. */
export type BackendName = 'emulated' | 'io-uring'

/** Where the database lies: exactly one of `medium`, `open` and `backend`. */
export interface PlaceOptions {
  /** A medium that is open, on a loop that somebody turns. Stays open when the database is closed. */
  readonly medium?: Medium
  /** Gives a medium when the database is opened; `close` of the result is called when it is closed. */
  readonly open?: () => Promise<OpenedMedium>
  /** A backend by name, on a loop of its own that runs as a guest of Node's. Default `emulated`: memory that ends with the process. */
  readonly backend?: BackendName
  /** Of the backend's file or device. `emulated`: an image file, loaded at opening and written by flushes. */
  readonly path?: string
  /** Bytes of the file, which is created when it is missing. Default 64 MiB. */
  readonly size?: number
  /** Bytes of memory for reading and writing. Default 4 MiB. */
  readonly frameBytes?: number
  /**
   * Writes all of a new database's medium once. Without it a file system gives each block its place when it is first written, and durable
   * writes are several times slower until then. Default false.
   */
  readonly initialize?: boolean
  /** More of the backend's own options. */
  readonly backendOptions?: Readonly<Record<string, unknown>>
}

export type ParakernelLevelOptions<Key, Value> = AbstractDatabaseOptions<Key, Value> &
  PlaceOptions &
  Pick<RecordsOptions, 'durability' | 'cacheBytes' | 'cachedValueLimit' | 'checkpointBytes' | 'damaged'>

export type WriteDurability = NonNullable<RecordsOptions['durability']>

/** What writes take beside the options of abstract-level. */
export interface WriteOptions {
  /** As in classic-level: true for `flushed`, false for `buffered`. */
  readonly sync?: boolean
  readonly durability?: WriteDurability
}

/** Options by whose they are: those of the place, those of the store, and those of abstract-level. */
export function splitOptions<Key, Value>(options: ParakernelLevelOptions<Key, Value>): SplitOptions<Key, Value> {
  const { medium, open, backend, path, size, frameBytes, initialize, backendOptions, ...others } = options
  const { durability, cacheBytes, cachedValueLimit, checkpointBytes, damaged, ...rest } = others
  const place = given({ medium, open, backend, path, size, frameBytes, initialize, backendOptions })
  const records = given({ durability, cacheBytes, cachedValueLimit, checkpointBytes, damaged })
  return { place, records, rest: rest as AbstractDatabaseOptions<Key, Value> }
}

export interface SplitOptions<Key, Value> {
  readonly place: PlaceOptions
  readonly records: RecordsOptions
  readonly rest: AbstractDatabaseOptions<Key, Value>
}

/** Without those that are undefined. */
function given<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> }
}
