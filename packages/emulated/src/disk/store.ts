import type { FramePool } from '@parakernel/hal'
import { BLOCK_MISCOMPARE, copyBytes } from '@parakernel/hal'
import { ImageFile } from './image-file.ts'
import { EIO } from './status.ts'
import { type CacheMemory, WriteCache } from './write-cache.ts'

/** What a queue in another thread makes its own store from. Plain clonable data. */
export interface StoreReference {
  readonly media: SharedArrayBuffer
  readonly cache: CacheMemory | undefined
  readonly blockSize: number
  /** Of the image file, or -1. */
  readonly fd: number
}

/** Runs of a command's bytes in frames: columns, of which a command has the entries `first` to `first + count`. */
export interface SegmentColumns {
  readonly frame: Int32Array
  readonly offset: Int32Array
  readonly length: Int32Array
}

/** The blocks of a disk as one thread sees them, and what commands do to them. Block numbers count over all namespaces. */
export class Store {
  readonly media: Uint8Array
  readonly blockSize: number
  readonly cache: WriteCache | undefined
  readonly file: ImageFile | undefined

  constructor(media: Uint8Array, blockSize: number, cache: WriteCache | undefined, file: ImageFile | undefined) {
    this.media = media
    this.blockSize = blockSize
    this.cache = cache
    this.file = file
  }

  static of({ media, cache, blockSize, fd }: StoreReference): Store {
    const bytes = new Uint8Array(media)
    const file = fd < 0 ? undefined : new ImageFile(fd, bytes, blockSize)
    return new Store(bytes, blockSize, cache && new WriteCache(bytes, blockSize, 0, file, cache), file)
  }

  read(block: number, pool: FramePool, columns: SegmentColumns, first: number, count: number): void {
    const { media } = this
    let at = block * this.blockSize
    for (let s = first; s < first + count; s++) {
      const length = columns.length[s]
      copyBytes(media, at, length, pool.bytes, pool.address(columns.frame[s]) + columns.offset[s])
      at += length
    }
  }

  /** 0 or a negative errno. `owner` names the queue in the lock of the cache. */
  write(
    block: number,
    blocks: number,
    atomic: boolean,
    through: boolean,
    owner: number,
    pool: FramePool,
    columns: SegmentColumns,
    first: number,
    count: number,
  ): number {
    const { media, cache } = this
    cache?.lock(owner)
    this.#prepare(block, blocks, atomic, through)
    let at = block * this.blockSize
    for (let s = first; s < first + count; s++) {
      const length = columns.length[s]
      copyBytes(pool.bytes, pool.address(columns.frame[s]) + columns.offset[s], length, media, at)
      at += length
    }
    cache?.unlock()
    return this.#finish(block, blocks, through)
  }

  /** One block, in the course of a power cut. */
  writeBlock(block: number, bytes: Uint8Array, owner: number): void {
    this.cache?.lock(owner)
    this.cache?.pass(block, 1)
    this.media.set(bytes, block * this.blockSize)
    this.cache?.unlock()
    this.file?.write(block, 1)
  }

  zero(block: number, blocks: number, atomic: boolean, through: boolean, owner: number): number {
    const { cache } = this
    cache?.lock(owner)
    this.#prepare(block, blocks, atomic, through)
    this.media.fill(0, block * this.blockSize, (block + blocks) * this.blockSize)
    cache?.unlock()
    return this.#finish(block, blocks, through)
  }

  compare(block: number, pool: FramePool, columns: SegmentColumns, first: number, count: number): number {
    const { media } = this
    let at = block * this.blockSize
    for (let s = first; s < first + count; s++) {
      const start = pool.address(columns.frame[s]) + columns.offset[s]
      const length = columns.length[s]
      for (let i = 0; i < length; i++) if (pool.bytes[start + i] !== media[at + i]) return BLOCK_MISCOMPARE
      at += length
    }
    return 0
  }

  flush(owner: number): number {
    const { cache } = this
    if (cache === undefined) return 0
    cache.lock(owner)
    const done = cache.flush()
    cache.unlock()
    return done ? 0 : EIO
  }

  #prepare(block: number, blocks: number, atomic: boolean, through: boolean): void {
    if (through) this.cache?.pass(block, blocks)
    else this.cache?.keep(block, blocks, atomic && blocks > 1)
  }

  #finish(block: number, blocks: number, through: boolean): number {
    if (this.file === undefined || (this.cache !== undefined && !through)) return 0
    return this.file.write(block, blocks) ? 0 : EIO
  }
}
