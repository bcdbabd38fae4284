import { ParakernelError, type WasmMemory } from '@parakernel/hal'
import { keyhash } from './keyhash.ts'
import {
  BUCKET_NEXT,
  BUCKET_SLOTS,
  BUCKET_TAGS,
  BUCKET_VERSION,
  BUCKET_WORDS,
  H_CREW,
  H_HEAD,
  H_LAYOUT,
  H_MAGIC,
  H_MAX_VALUE,
  ITEM_FLAGS,
  ITEM_LENGTHS,
  ITEM_SIZE,
  ITEM_VERSION_HI,
  ITEM_VERSION_LO,
  LAYOUT_VERSION,
  MAGIC,
  MAX_KEY_BYTES,
  SIZE_EXTENDED,
  SLOT_POSITION,
} from './layout.ts'
import type { Bytes, StoredItem } from './store.ts'
import { bucketAt } from './typescript/bucket-index.ts'
import { itemAt, StoreMemory } from './typescript/store-memory.ts'

export interface ReaderStatistics {
  readonly hits: number
  readonly misses: number
  /** Reads repeated because the owner changed the bucket meanwhile. */
  readonly retries: number
}

/** After this many tries in a row the owner is taken for dead in the middle of a write. */
const MOST_TRIES = 1 << 24

/**
 * CREW's other half: reads a partition that another thread owns, without a lock and without writing to it. Every read
 * copies optimistically, then checks that the bucket's version did not change and that the log still holds the item;
 * what it sees in between may be torn, so every length is checked before it is used.
 *
 * A reader moves nothing to the head of the log and removes nothing: recency comes from the owner's own requests.
 */
export class MicaReader {
  readonly #s: StoreMemory
  readonly #clock: () => number
  readonly #lanes = new Int32Array(2)
  /** A word that only this reader writes: storing to it keeps the loads before and after apart. */
  readonly #fence = new Int32Array(new SharedArrayBuffer(64))
  readonly #encoder = new TextEncoder()
  readonly #maxValue: number
  readonly #dataEnd: number
  #copy: Uint8Array
  #hits = 0
  #misses = 0
  #retries = 0
  #versionLo = 0
  #versionHi = 0
  #flags = 0
  #expiresAt = 0

  /**
   * Attaches to the partition whose window starts at `byteOffset`.
   * Throws ENOENT if there is none, ENOTSUP if it was created for EREW.
   */
  constructor(memory: WasmMemory, byteOffset = 0, clock: () => number = Date.now) {
    const header = new Int32Array(memory.buffer, byteOffset)
    if (Atomics.load(header, H_MAGIC) !== MAGIC || header[H_LAYOUT] !== LAYOUT_VERSION) {
      throw new ParakernelError('ENOENT', `no partition at byte ${byteOffset}`, { subject: 'MicaReader' })
    }
    if (header[H_CREW] !== 1) {
      throw new ParakernelError('ENOTSUP', 'the partition is for its owner alone', {
        subject: 'MicaReader',
        remedy: "Create it with concurrency: 'CREW'",
      })
    }
    this.#s = new StoreMemory(memory, byteOffset)
    this.#clock = clock
    this.#maxValue = header[H_MAX_VALUE]
    this.#dataEnd = this.#s.data + this.#s.dataUnits * 2
    this.#copy = new Uint8Array(1024)
  }

  /** A copy of the value, or undefined. */
  get(key: Bytes): Uint8Array | undefined {
    const length = this.#find(typeof key === 'string' ? this.#encoder.encode(key) : key)
    return length < 0 ? undefined : this.#copy.slice(0, length)
  }

  /** The value with its version, flags and expiry, or undefined. */
  getItem(key: Bytes): StoredItem | undefined {
    const value = this.get(key)
    if (value === undefined) return undefined
    const version = (BigInt(this.#versionHi >>> 0) << 32n) | BigInt(this.#versionLo >>> 0)
    return { value, version, flags: this.#flags >>> 0, expiresAt: this.#expiresAt }
  }

  /** Copies the value into `out` and returns its length: -1 if absent, and nothing copied if it is longer than `out`. */
  readInto(key: Uint8Array, out: Uint8Array): number {
    const length = this.#find(key)
    if (length >= 0 && length <= out.length) out.set(this.#copy.subarray(0, length))
    return length
  }

  statistics(): ReaderStatistics {
    return { hits: this.#hits, misses: this.#misses, retries: this.#retries }
  }

  /** Leaves a consistent copy of the value in `#copy`; returns its length, or -1. */
  #find(key: Uint8Array): number {
    if (key.length < 1 || key.length > MAX_KEY_BYTES) return -1
    keyhash(key, 0, key.length, this.#lanes)
    const { words } = this.#s
    const bucket = bucketAt(this.#s, this.#lanes[0], this.#lanes[1])
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const version = Atomics.load(words, bucket + BUCKET_VERSION)
      if ((version & 1) === 0) {
        const length = this.#scan(bucket, key)
        Atomics.store(this.#fence, 0, 0)
        if (Atomics.load(words, bucket + BUCKET_VERSION) === version) {
          const live = length >= 0 && (this.#expiresAt === 0 || this.#expiresAt > this.#clock())
          if (live) this.#hits++
          else this.#misses++
          return live ? length : -1
        }
      }
      this.#retries++
    }
    throw new ParakernelError('EOWNERDEAD', 'a bucket stays locked', { subject: 'MicaReader' })
  }

  #scan(bucket: number, key: Uint8Array): number {
    const { words, spare, spareCount } = this.#s
    const tag = (this.#lanes[0] & 0x03ffffff) | 0x80000000
    let current = bucket
    // A chain that is torn by the owner may loop, but it is never longer than all spare buckets.
    for (let hops = 0; hops <= spareCount; hops++) {
      for (let slot = current + BUCKET_TAGS; slot < current + BUCKET_TAGS + BUCKET_SLOTS; slot++) {
        if (words[slot] !== tag) continue
        const length = this.#copyItem(words[slot + SLOT_POSITION], key)
        if (length >= 0) return length
      }
      const next = words[current + BUCKET_NEXT]
      if (next < 1 || next > spareCount) return -1
      current = spare + (next - 1) * BUCKET_WORDS
    }
    return -1
  }

  /** Copies the value at `position` if its key is the wanted one and the log still holds it afterwards; else -1. */
  #copyItem(position: number, key: Uint8Array): number {
    const { words, bytes, doubles, header, lossless, dataUnits } = this.#s
    if (lossless && position >>> 0 >= dataUnits) return -1
    const item = itemAt(this.#s, position)
    const lengths = words[item + ITEM_LENGTHS]
    const length = lengths >>> 8
    const extended = (words[item + ITEM_SIZE] & SIZE_EXTENDED) !== 0
    const keyAddress = (item << 2) + (extended ? 32 : 16)
    const value = keyAddress + ((key.length + 7) & ~7)
    if ((lengths & 0xff) !== key.length || length > this.#maxValue || value + length > this.#dataEnd << 2) return -1
    for (let i = 0; i < key.length; i++) if (bytes[keyAddress + i] !== key[i]) return -1
    if (length > this.#copy.length) this.#copy = new Uint8Array(length * 2)
    this.#copy.set(bytes.subarray(value, value + length))
    this.#versionLo = words[item + ITEM_VERSION_LO]
    this.#versionHi = words[item + ITEM_VERSION_HI]
    this.#flags = extended ? words[item + ITEM_FLAGS] : 0
    this.#expiresAt = extended ? doubles[(item + 4) >> 1] : 0
    if (lossless) return length
    // The owner publishes the head before it overwrites what lies before it.
    Atomics.store(this.#fence, 0, 0)
    const head = Atomics.load(words, header + H_HEAD)
    return (position - head) >>> 0 < dataUnits ? length : -1
  }
}
