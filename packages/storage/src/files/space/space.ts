import type { Geometry } from '../layout/geometry.ts'
import type { Places } from '../meta/store.ts'
import type { Bitmap } from './bitmap.ts'
import { bitWords, clearBits, countBits, hasBit, nextBit, setBits } from './bits.ts'

/** Runs that are looked at for one that is long enough, before the longest of them is taken. */
const CANDIDATES = 32
/** Clusters that only metadata may take, so that what gives room back can always be written. */
export const METADATA_RESERVE = 16

/**
 * Who has which cluster. A cluster is busy while the live volume uses it, a snapshot holds it, or it was given back by a
 * change that is not durable yet; so nothing that a crash could bring back is ever overwritten.
 */
export class Space implements Places {
  readonly bitmap: Bitmap
  /** Free clusters, those that are promised included. */
  free: number
  /** Promised to data that has no place yet. */
  promised = 0
  /** Result of `take`: where the run begins. */
  start = 0
  /** Clusters that are free when the next commit is durable. */
  pendingClusters = 0

  readonly #geometry: Geometry
  readonly #busy: Int32Array
  #frozen: Int32Array | undefined
  #cursor: number
  /** [first, length] pairs: given back since the last capture, and before it. */
  #pending: number[] = []
  #leaving: number[] = []
  readonly #spoilt = new Set<number>()

  constructor(bitmap: Bitmap, frozen: Int32Array | undefined, geometry: Geometry) {
    this.bitmap = bitmap
    this.#geometry = geometry
    this.#busy = bitmap.words()
    this.#frozen = frozen
    if (frozen !== undefined) for (let i = 0; i < frozen.length; i++) this.#busy[i] |= frozen[i]
    setBits(this.#busy, 0, geometry.dataStart)
    setBits(this.#busy, geometry.dataEnd, geometry.clusters - geometry.dataEnd)
    this.free = geometry.clusters - countBits(this.#busy)
    this.#cursor = geometry.dataStart
  }

  /** Clusters that data may still be promised. */
  get available(): number {
    return this.free - this.promised - METADATA_RESERVE
  }

  get hasSnapshots(): boolean {
    return this.#frozen !== undefined
  }

  isFrozen(cluster: number): boolean {
    return this.#frozen !== undefined && cluster >= this.#geometry.dataStart && hasBit(this.#frozen, cluster)
  }

  /**
   * Takes a run of up to `want` clusters, from `near` if that is free; returns its length and sets `start`. 0 when nothing is
   * free.
   */
  take(want: number, near: number): number {
    const { dataStart, dataEnd } = this.#geometry
    if (this.free === 0) return 0
    const busy = this.#busy
    if (near >= dataStart && near < dataEnd && !hasBit(busy, near)) {
      return this.#occupy(near, nextBit(busy, near, Math.min(dataEnd, near + want), true) - near)
    }
    let best = 0
    let bestLength = 0
    let at = this.#cursor
    let wrapped = false
    for (let seen = 0; seen < CANDIDATES; ) {
      const first = nextBit(busy, at, dataEnd, false)
      if (first === dataEnd) {
        if (wrapped) break
        wrapped = true
        at = dataStart
        continue
      }
      if (wrapped && first >= this.#cursor) break
      const length = nextBit(busy, first, Math.min(dataEnd, first + want), true) - first
      if (length > bestLength) {
        best = first
        bestLength = length
      }
      if (length === want) break
      seen++
      at = first + length
    }
    if (bestLength === 0) return 0
    this.#cursor = best + bestLength
    return this.#occupy(best, bestLength)
  }

  takeForMetadata(): number {
    if (this.take(1, 0) === 0) throw new OutOfClusters()
    return this.start
  }

  give(cluster: number, length: number): void {
    this.bitmap.set(cluster, length, false)
    this.#pending.push(cluster, length)
    this.pendingClusters += length
  }

  /** A cluster that cannot be written: it is not given to anybody until the next mount, although nothing has it. */
  spoil(cluster: number): void {
    this.#spoilt.add(cluster)
  }

  /** Together with the store's. */
  capture(): void {
    for (const part of this.#pending) this.#leaving.push(part)
    this.#pending = []
  }

  /** What was captured is durable: what it gave back is free, but for what snapshots hold. */
  committed(): void {
    const leaving = this.#leaving
    this.#leaving = []
    for (let i = 0; i < leaving.length; i += 2) {
      const from = leaving[i]
      const length = leaving[i + 1]
      this.pendingClusters -= length
      if (this.#frozen === undefined && this.#spoilt.size === 0) {
        clearBits(this.#busy, from, length)
        this.free += length
        continue
      }
      for (let cluster = from; cluster < from + length; cluster++) {
        if (this.isFrozen(cluster) || this.#spoilt.has(cluster)) continue
        clearBits(this.#busy, cluster, 1)
        this.free++
      }
    }
  }

  /** Snapshots came or went. What none of them holds any more becomes free, unless it is used or about to be given back. */
  setFrozen(frozen: Int32Array | undefined): void {
    const { dataStart, dataEnd, clusters } = this.#geometry
    this.#frozen = frozen
    const used = this.bitmap.words()
    for (const list of [this.#pending, this.#leaving]) {
      for (let i = 0; i < list.length; i += 2) setBits(used, list[i], list[i + 1])
    }
    for (const cluster of this.#spoilt) setBits(used, cluster, 1)
    setBits(used, 0, dataStart)
    setBits(used, dataEnd, clusters - dataEnd)
    for (let i = 0; i < used.length; i++) this.#busy[i] = used[i] | (frozen === undefined ? 0 : frozen[i])
    this.free = clusters - countBits(this.#busy)
  }

  /** What the live volume uses now, without what lies at fixed places. */
  usedWords(): Int32Array {
    const used = this.bitmap.words()
    clearBits(used, 0, this.#geometry.dataStart)
    clearBits(used, this.#geometry.dataEnd, this.#geometry.clusters - this.#geometry.dataEnd)
    return used
  }

  #occupy(from: number, length: number): number {
    setBits(this.#busy, from, length)
    this.bitmap.set(from, length, true)
    this.free -= length
    this.start = from
    return length
  }
}

/** Ors sets together; undefined when there is none. */
export function union(sets: readonly Int32Array[], count: number): Int32Array | undefined {
  if (sets.length === 0) return undefined
  const all = bitWords(count)
  for (const set of sets) for (let i = 0; i < all.length; i++) all[i] |= set[i]
  return all
}

/** There is not even room for metadata: the promise that the reserve makes was broken. */
export class OutOfClusters extends Error {}
