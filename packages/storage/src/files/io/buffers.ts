import { type FramePool, ParakernelError } from '@parakernel/hal'
import { type MemoryChecksum, memoryChecksum } from '../../format/crc32c.ts'
import type { Medium } from '../../medium/medium.ts'
import type { MediumRequest } from '../../medium/request.ts'

/**
 * Buffers of one cluster each, cut out of frames of the medium's pool: several to a large frame, or one out of several small ones.
 * Taken from the pool at mount and kept, so that nothing can run dry in the middle of a commit.
 */
export class ClusterBuffers {
  readonly count: number
  readonly clusterSize: number
  /** Runs of memory that one buffer consists of, and their length. */
  readonly pieces: number
  readonly pieceSize: number
  readonly #pool: FramePool
  readonly #checksum: MemoryChecksum
  readonly #frames: Int32Array
  /** Of each piece: its frame, and where it begins in it. */
  readonly #frame: Int32Array
  readonly #offset: Int32Array
  readonly #free: Int32Array
  #top: number

  /** Up to `wanted` buffers, and at least `least`. @throws ENOBUFS, EINVAL for frames that cannot hold a block */
  constructor(medium: Medium, clusterSize: number, wanted: number, least: number) {
    const { pool, blockSize } = medium
    let pieceSize = clusterSize
    while (pieceSize > pool.frameSize) pieceSize /= 2
    if (pieceSize < blockSize || pieceSize % blockSize !== 0) {
      throw new ParakernelError('EINVAL', `frames of ${pool.frameSize} bytes hold no block of ${blockSize}`, {
        subject: medium.name,
        remedy: 'Give the lease frames of a power of two, no smaller than the block',
      })
    }
    this.#pool = pool
    this.#checksum = memoryChecksum(pool.window.region.memory)
    this.clusterSize = clusterSize
    this.pieceSize = pieceSize
    this.pieces = clusterSize / pieceSize
    const perFrame = this.pieces > 1 ? 1 : Math.floor(pool.frameSize / clusterSize)
    const frames: number[] = []
    const needed = Math.ceil((wanted * this.pieces) / perFrame)
    while (frames.length < needed) {
      const frame = pool.allocate()
      if (frame < 0) break
      frames.push(frame)
    }
    const count = Math.min(wanted, Math.floor((frames.length * perFrame) / this.pieces))
    if (count < least) {
      for (const frame of frames) pool.release(frame)
      throw new ParakernelError('ENOBUFS', `the pool has frames for ${count} clusters, at least ${least} are needed`, {
        subject: medium.name,
        remedy: `Give the lease more frames: of ${pool.frameSize} bytes, ${Math.ceil((least * clusterSize) / pool.frameSize)} more`,
      })
    }
    this.count = count
    this.#frames = Int32Array.from(frames)
    this.#frame = Int32Array.from({ length: count * this.pieces }, (_, i) => frames[Math.floor(i / perFrame)])
    this.#offset = Int32Array.from({ length: count * this.pieces }, (_, i) => (i % perFrame) * clusterSize)
    this.#free = Int32Array.from({ length: count }, (_, i) => count - 1 - i)
    this.#top = count
  }

  get available(): number {
    return this.#top
  }

  /** A buffer, or -1. */
  take(): number {
    return this.#top === 0 ? -1 : this.#free[--this.#top]
  }

  give(buffer: number): void {
    this.#free[this.#top++] = buffer
  }

  /** Appends a buffer to a request. */
  addTo(request: MediumRequest, buffer: number): void {
    const first = buffer * this.pieces
    for (let i = first; i < first + this.pieces; i++) request.add(this.#frame[i], this.#offset[i], this.pieceSize)
  }

  /** Copies from memory of the region into a buffer. */
  fill(buffer: number, at: number, address: number, length: number): void {
    for (let done = 0; done < length; ) {
      const size = Math.min(length - done, this.pieceSize - ((at + done) % this.pieceSize))
      this.#pool.copy(this.#address(buffer, at + done), address + done, size)
      done += size
    }
  }

  /** Copies from a buffer to memory of the region. */
  drain(buffer: number, at: number, address: number, length: number): void {
    for (let done = 0; done < length; ) {
      const size = Math.min(length - done, this.pieceSize - ((at + done) % this.pieceSize))
      this.#pool.copy(address + done, this.#address(buffer, at + done), size)
      done += size
    }
  }

  clear(buffer: number, at: number, length: number): void {
    for (let done = 0; done < length; ) {
      const size = Math.min(length - done, this.pieceSize - ((at + done) % this.pieceSize))
      this.#checksum.fill(this.#address(buffer, at + done), 0, size)
      done += size
    }
  }

  copy(to: number, from: number): void {
    for (let at = 0; at < this.clusterSize; at += this.pieceSize) {
      this.#pool.copy(this.#address(to, at), this.#address(from, at), this.pieceSize)
    }
  }

  /** Copies an array of the heap in. */
  load(buffer: number, bytes: Uint8Array, from: number): void {
    for (let at = 0; at < this.clusterSize; at += this.pieceSize) {
      this.#pool.copyIn(this.#address(buffer, at), bytes, from + at, this.pieceSize)
    }
  }

  checksum(buffer: number): number {
    let crc = 0
    for (let at = 0; at < this.clusterSize; at += this.pieceSize) {
      crc = this.#checksum.crc(crc, this.#address(buffer, at), this.pieceSize)
    }
    return crc
  }

  /** Continues a checksum over memory of the region. */
  checksumOf(seed: number, address: number, length: number): number {
    return this.#checksum.crc(seed, address, length)
  }

  clearAt(address: number, length: number): void {
    this.#checksum.fill(address, 0, length)
  }

  close(): void {
    for (const frame of this.#frames) this.#pool.release(frame)
    this.#top = 0
  }

  #address(buffer: number, at: number): number {
    const i = buffer * this.pieces + Math.floor(at / this.pieceSize)
    return this.#pool.address(this.#frame[i]) + this.#offset[i] + (at % this.pieceSize)
  }
}
