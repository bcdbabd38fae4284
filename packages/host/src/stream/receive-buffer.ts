import type { FramePool } from '@parakernel/hal'
import { ScatterGatherArray, type Segment } from '@parakernel/queue'

/** What Node has read and nobody has taken, as Node's own buffers: frames are taken when the bytes are wanted. */
export class ReceiveBuffer {
  bytes = 0
  readonly #chunks: Uint8Array[] = []
  /** Bytes of the first chunk that are gone. */
  #from = 0

  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk)
    this.bytes += chunk.byteLength
  }

  /** Copies `length` bytes, which must be there, from `skip` on to `at` of `into`; they stay here. */
  copy(skip: number, length: number, into: Uint8Array, at: number): void {
    let start = this.#from + skip
    let left = length
    for (let i = 0; left > 0; i++) {
      const chunk = this.#chunks[i]
      if (start >= chunk.byteLength) {
        start -= chunk.byteLength
        continue
      }
      const end = Math.min(chunk.byteLength, start + left)
      into.set(chunk.subarray(start, end), at + length - left)
      left -= end - start
      start = 0
    }
  }

  drop(length: number): void {
    this.bytes -= length
    let start = this.#from + length
    let gone = 0
    while (gone < this.#chunks.length && start >= this.#chunks[gone].byteLength) {
      start -= this.#chunks[gone].byteLength
      gone++
    }
    if (gone > 0) this.#chunks.splice(0, gone)
    this.#from = start
  }

  /** Moves up to `limit` bytes into frames, fewer when the pool runs low; undefined when it has none at all. */
  take(limit: number, pool: FramePool): ScatterGatherArray | undefined {
    const room = pool.frameSize - pool.headroom - pool.window.tailroom
    const wanted = Math.min(limit, this.bytes)
    const segments: Segment[] = []
    let taken = 0
    while (taken < wanted) {
      const frame = pool.allocate()
      if (frame < 0) break
      const address = pool.address(frame) + pool.headroom
      const length = Math.min(room, wanted - taken)
      this.copy(taken, length, pool.bytes, address)
      segments.push({ frame, address, length })
      taken += length
    }
    if (taken === 0) return undefined
    this.drop(taken)
    return new ScatterGatherArray(pool, segments)
  }

  clear(): void {
    this.#chunks.length = 0
    this.#from = 0
    this.bytes = 0
  }
}
