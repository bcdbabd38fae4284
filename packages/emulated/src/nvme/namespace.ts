import { copyBytes } from '@parakernel/hal'
import { WriteCache } from '../disk/write-cache.ts'
import type { Chunks } from './data-pointer.ts'
import type { NvmeNamespaceOptions, ResolvedNvmeOptions } from './options.ts'
import { COMPARE_FAILURE, SUCCESS } from './status.ts'

/** The blocks of one namespace, behind the same volatile cache as the emulated disk's. */
export class Namespace {
  readonly number: number
  readonly blocks: number
  readonly blockSize: number
  readonly readOnly: boolean
  readonly media: Uint8Array
  readonly #cache: WriteCache
  readonly #atomicUnit: number
  readonly #atomicBoundary: number

  constructor(
    number: number,
    options: NvmeNamespaceOptions,
    { seed, atomicUnit, atomicBoundary }: ResolvedNvmeOptions,
  ) {
    const { blocks, blockSize = 4096, readOnly = false, media = new Uint8Array(blocks * blockSize) } = options
    this.number = number
    this.blocks = blocks
    this.blockSize = blockSize
    this.readOnly = readOnly
    this.media = media
    this.#atomicUnit = atomicUnit
    this.#atomicBoundary = atomicBoundary
    this.#cache = new WriteCache(media, blockSize, seed + number)
  }

  /** Blocks whose content may still be lost. */
  get dirty(): number {
    return this.#cache.dirty
  }

  read(block: number, chunks: Chunks): void {
    let at = block * this.blockSize
    for (let i = 0; i < chunks.count; i++) {
      copyBytes(this.media, at, chunks.lengths[i], chunks.bytes[i], chunks.offsets[i])
      at += chunks.lengths[i]
    }
  }

  /** @param stable at once: written through the cache, or there is none */
  write(block: number, blocks: number, chunks: Chunks, stable: boolean): void {
    this.#prepare(block, blocks, stable)
    let at = block * this.blockSize
    for (let i = 0; i < chunks.count; i++) {
      copyBytes(chunks.bytes[i], chunks.offsets[i], chunks.lengths[i], this.media, at)
      at += chunks.lengths[i]
    }
  }

  zero(block: number, blocks: number, stable: boolean): void {
    this.#prepare(block, blocks, stable)
    this.media.fill(0, block * this.blockSize, (block + blocks) * this.blockSize)
  }

  compare(block: number, chunks: Chunks): number {
    let at = block * this.blockSize
    for (let i = 0; i < chunks.count; i++) {
      const { [i]: bytes } = chunks.bytes
      const from = chunks.offsets[i]
      for (let j = 0; j < chunks.lengths[i]; j++) if (bytes[from + j] !== this.media[at + j]) return COMPARE_FAILURE
      at += chunks.lengths[i]
    }
    return SUCCESS
  }

  flush(): void {
    this.#cache.flush()
  }

  /** A write that power failed in the middle of: whole or not at all if it is atomic, else any of its blocks. */
  tear(block: number, blocks: number, chunks: Chunks, random: () => number): void {
    const before = this.media.slice(block * this.blockSize, (block + blocks) * this.blockSize)
    const whole = random() < 0.5
    const atomic = this.#isAtomic(block, blocks)
    this.write(block, blocks, chunks, false)
    for (let i = 0; i < blocks; i++) {
      if (atomic ? whole : random() < 0.5) continue
      const from = i * this.blockSize
      this.media.set(before.subarray(from, from + this.blockSize), block * this.blockSize + from)
    }
  }

  /** Of what is not stable, a random legal subset is lost. */
  powerCut(random: () => number): void {
    this.#cache.powerCut(random)
  }

  #isAtomic(block: number, blocks: number): boolean {
    const boundary = this.#atomicBoundary
    const crosses = boundary > 0 && Math.floor(block / boundary) !== Math.floor((block + blocks - 1) / boundary)
    return blocks <= this.#atomicUnit && !crosses
  }

  #prepare(block: number, blocks: number, stable: boolean): void {
    if (stable) this.#cache.pass(block, blocks)
    else this.#cache.keep(block, blocks, blocks > 1 && this.#isAtomic(block, blocks))
  }
}
