import { ParakernelError, type WasmMemory } from '@parakernel/hal'
import { formatPartition } from './format.ts'
import { type Geometry, type GeometryOptions, planPartition } from './geometry.ts'
import type { Kernel } from './kernel.ts'
import { H_VERSION_HI, H_VERSION_LO } from './layout.ts'
import { clearStore, expireBuckets } from './maintenance.ts'
import type { RequestBatch } from './request-batch.ts'
import { countersOf, type MicaStatistics, snapshotOf } from './statistics.ts'
import type { StoreMemory } from './typescript/store-memory.ts'
import { TypeScriptKernel } from './typescript/typescript-kernel.ts'
import { WasmKernel } from './wasm/wasm-kernel.ts'

export type MicaConcurrency = 'EREW' | 'CREW'
export type KernelChoice = 'auto' | 'wasm' | 'typescript'

export interface MicaPartitionOptions extends GeometryOptions {
  /** The shared memory that also holds the packet frames: a `MemoryRegion`'s `memory`. It must not grow. */
  readonly memory: WasmMemory
  /** Start of the partition's window, a multiple of 64. Default 0. */
  readonly byteOffset?: number
  /** Length of the window. Default: to the end of the memory. */
  readonly byteLength?: number
  /** EREW (default): one thread reads and writes. CREW: one writes, others read through `MicaReader`. */
  readonly concurrency?: MicaConcurrency
  /**
   * Cache mode: an item that is used moves to the head of the log if its distance to the tail exceeds this share of
   * the log. 0 = LRU, 1 = FIFO, default 0.5 (approximate LRU).
   */
  readonly moveToHead?: number
  /** `auto` (default): WASM, or TypeScript where the engine refuses it. Both do the same, byte for byte. */
  readonly kernel?: KernelChoice
  /** `trust` (default): keyhashes come from the client. `compute`: `prepare` computes them, and counts wrong ones. */
  readonly hashing?: 'trust' | 'compute'
  /** Name in errors. Default `mica`. */
  readonly name?: string
}

/**
 * One partition of the store, in a window of a shared memory. It belongs to the thread that created it; nothing in it
 * blocks, allocates on the data path or reads a clock.
 *
 * The data path is `prepare` once for a burst, then `execute` once for each packet of it. `MicaStore` is the friendly
 * face.
 */
export class MicaPartition {
  readonly memory: WasmMemory
  readonly byteOffset: number
  readonly geometry: Geometry
  readonly name: string
  /** Live counters in the shared memory; see `statistics.ts` for the indices. */
  readonly counters: Float64Array
  readonly #store: StoreMemory
  readonly #kernel: Kernel
  readonly #compute: boolean
  #expiryCursor = 0

  /** Creates an empty partition. Throws ENOSPC if the window is too small, EINVAL for an option out of range. */
  constructor(options: MicaPartitionOptions) {
    const { memory, byteOffset = 0, name = 'mica' } = options
    const byteLength = options.byteLength ?? memory.buffer.byteLength - byteOffset
    if (!(byteOffset >= 0 && byteOffset % 64 === 0 && byteOffset + byteLength <= memory.buffer.byteLength)) {
      throw new ParakernelError('EINVAL', `window ${byteOffset}+${byteLength} does not lie in the memory`, {
        subject: name,
        remedy: 'Give a 64-byte aligned window inside the memory',
      })
    }
    this.memory = memory
    this.byteOffset = byteOffset
    this.name = name
    this.geometry = planPartition(byteLength, options)
    this.#store = formatPartition(memory, byteOffset, this.geometry, options)
    this.counters = countersOf(memory, byteOffset)
    this.#kernel = createKernel(options.kernel ?? 'auto', this.#store, memory, byteOffset)
    this.#compute = options.hashing === 'compute'
  }

  /** Which kernel runs the batches. */
  get kernel(): 'typescript' | 'wasm' {
    return this.#kernel.name
  }

  /**
   * First half of a burst: fetches what all requests of the batch (many packets) will need into the cache. `now` is
   * the clock in ms, the one that `expiresAt` is on; it holds until the next `prepare`.
   */
  prepare(batch: RequestBatch, now: number): void {
    batch.now = now
    if (this.#compute) this.#kernel.rehash(batch)
    this.#kernel.prepare(batch)
  }

  /**
   * Second half: runs requests `from` to `to - 1` in order, as if one by one, and fills their response columns.
   * Response i takes `gap` bytes, left to the codec, and behind them (at `responseAddress[i]`) the value, zero-padded
   * to a multiple of 8. Responses follow each other from `out` on and never reach `limit`; `batch.outEnd` is where
   * they end. Alignment is the caller's choice (8 is fastest), but the memory beyond a value's length is written.
   *
   * Returns the index behind the last request that ran: `to`, or less with `batch.stopWhenFull`. The caller has called
   * `prepare` on this partition for this filling of the batch, and keeps `limit - out >= gap * (to - from)`; without
   * that, or with addresses outside the memory, the result is undefined.
   */
  execute(batch: RequestBatch, from: number, to: number, out: number, limit: number, gap: number): number {
    return this.#kernel.execute(batch, from, to, out, limit, gap)
  }

  /**
   * Computes the keyhash of every request, for protocols that do not carry it; for use before `prepare`. Counts those
   * that the batch had wrong in `hashMismatches`.
   */
  rehash(batch: RequestBatch): void {
    this.#kernel.rehash(batch)
  }

  /**
   * Active expiry: removes the expired items of the next `buckets` buckets; returns how many. Call it now and then
   * with a small number. Without it an expired item keeps its space until it is looked up or evicted.
   */
  expire(now: number, buckets: number): number {
    const { buckets: all } = this.geometry
    const count = Math.min(buckets, all)
    const removed = expireBuckets(this.#store, this.#expiryCursor, count, now)
    this.#expiryCursor = (this.#expiryCursor + count) & (all - 1)
    return removed
  }

  /** Removes everything; counted as deletes. */
  clear(): void {
    clearStore(this.#store)
  }

  /**
   * Versions that are given out from now on are greater than this one: what a store that was filled from a log needs, so that none is
   * given twice.
   */
  advanceVersion(lo: number, hi: number): void {
    const { words, header } = this.#store
    const [nowLo, nowHi] = [words[header + H_VERSION_LO] >>> 0, words[header + H_VERSION_HI] >>> 0]
    if (hi >>> 0 < nowHi || (hi >>> 0 === nowHi && lo >>> 0 <= nowLo)) return
    words[header + H_VERSION_LO] = lo
    words[header + H_VERSION_HI] = hi
  }

  /** A copy of the counters. */
  statistics(): MicaStatistics {
    return snapshotOf(this.counters)
  }
}

function createKernel(choice: KernelChoice, store: StoreMemory, memory: WasmMemory, byteOffset: number): Kernel {
  if (choice === 'typescript') return new TypeScriptKernel(store)
  if (choice === 'wasm') return new WasmKernel(memory, byteOffset)
  try {
    return new WasmKernel(memory, byteOffset)
  } catch {
    return new TypeScriptKernel(store)
  }
}
