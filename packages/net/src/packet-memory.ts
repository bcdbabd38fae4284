import type { FramePool } from '@parakernel/hal'
import { type BlockSum, createBlockSum } from './checksum/block-sum.ts'

/**
 * The bytes of a region under the three views that the codecs use; every position is an absolute address in the region.
 * Made once, so that no packet ever needs a view of its own.
 */
export interface PacketMemory {
  readonly bytes: Uint8Array
  readonly view: DataView
  /** For sums by 32-bit words; only aligned addresses. */
  readonly words: Uint32Array
  /** For sums of long runs, where the memory is WebAssembly's. */
  readonly sumBlocks: BlockSum | undefined
}

export function packetMemory(buffer: ArrayBufferLike): PacketMemory {
  return {
    bytes: new Uint8Array(buffer),
    view: new DataView(buffer),
    words: new Uint32Array(buffer),
    sumBlocks: undefined,
  }
}

export function poolMemory(pool: FramePool): PacketMemory {
  const { buffer, memory } = pool.window.region
  return { bytes: pool.bytes, view: pool.view, words: new Uint32Array(buffer), sumBlocks: createBlockSum(memory) }
}
