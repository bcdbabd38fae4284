import { BLOCK_HEADER } from '../layout/constants.ts'
import type { Geometry } from '../layout/geometry.ts'
import type { MetaBlock } from '../meta/block.ts'
import type { MetaStore } from '../meta/store.ts'
import { bitWords } from './bits.ts'

/** The live bitmap, as its blocks have it: a bit for each cluster, set when the live volume uses it. */
export class Bitmap {
  readonly blocks: readonly MetaBlock[]
  readonly #store: MetaStore
  readonly #geometry: Geometry

  constructor(blocks: readonly MetaBlock[], store: MetaStore, geometry: Geometry) {
    this.blocks = blocks
    this.#store = store
    this.#geometry = geometry
  }

  set(from: number, length: number, value: boolean): void {
    const { bitsPerBlock } = this.#geometry
    let cluster = from
    const end = from + length
    while (cluster < end) {
      const index = Math.floor(cluster / bitsPerBlock)
      const block = this.blocks[index]
      this.#store.touch(block)
      const last = Math.min(end, (index + 1) * bitsPerBlock)
      const first = index * bitsPerBlock
      const { bytes } = block
      for (; cluster < last; cluster++) {
        const bit = cluster - first
        const at = BLOCK_HEADER + (bit >>> 3)
        if (value) bytes[at] |= 1 << (bit & 7)
        else bytes[at] &= ~(1 << (bit & 7))
      }
    }
  }

  words(): Int32Array {
    return wordsOf(
      this.blocks.map((block) => block.bytes),
      this.#geometry,
    )
  }
}

/** Blocks of a bitmap as one set. */
export function wordsOf(blocks: readonly Uint8Array[], geometry: Geometry): Int32Array {
  const words = bitWords(geometry.clusters)
  const bytes = new Uint8Array(words.buffer)
  let at = 0
  for (const block of blocks) {
    const body = block.subarray(BLOCK_HEADER, BLOCK_HEADER + Math.min(block.length - BLOCK_HEADER, bytes.length - at))
    bytes.set(body, at)
    at += body.length
  }
  // Bits behind the last cluster mean nothing.
  const spare = words.length * 32 - geometry.clusters
  if (spare > 0) words[words.length - 1] &= -1 >>> spare
  return words
}

/** The part of a set that one bitmap block has, into its body. */
export function fillBitmapBlock(block: Uint8Array, index: number, words: Int32Array): void {
  const body = block.length - BLOCK_HEADER
  const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength)
  const part = bytes.subarray(index * body, Math.min(bytes.length, (index + 1) * body))
  block.fill(0, BLOCK_HEADER)
  block.set(part, BLOCK_HEADER)
}
