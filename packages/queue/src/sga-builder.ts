import { type FramePool, type NetCapabilities, ParakernelError } from '@parakernel/hal'
import { ScatterGatherArray, type Segment } from './scatter-gather.ts'

/** Bytes from which on a reference is cheaper than a copy: `bench/sga-builder.bench.ts`. */
const CROSSOVER = 256

/**
 * The threshold that pays on a device: one that takes no chains would have the segments copied together once more, so that there everything is
 * better copied at once.
 */
export function copyThreshold({ maxChain }: Pick<NetCapabilities, 'maxChain'>): number {
  return maxChain > 1 ? CROSSOVER : Number.POSITIVE_INFINITY
}

/**
 * Makes an array of many fields, after Cornflakes: short ones are copied together, long ones that lie in the pool already (slices of
 * arrays that were popped, or allocated) are referenced where they lie. The bytes are the same either way.
 */
export class SgaBuilder {
  /** Bytes of a field in the pool from which on it is referenced. */
  readonly threshold: number
  /** Bytes of all arrays so far. */
  copied = 0
  referenced = 0
  readonly #pool: FramePool
  #segments: Segment[] = []
  /** The frame that short fields are copied to, from `#start` on; -1 when there is none. It has one reference, which is ours. */
  #frame = -1
  #start = 0
  #next = 0
  #end = 0

  /** @param threshold 0: a reference wherever one can be; Infinity: all is copied. @throws EINVAL below 0 */
  constructor(pool: FramePool, threshold = CROSSOVER) {
    if (!(threshold >= 0)) {
      throw new ParakernelError('EINVAL', `${threshold} is not a number of bytes`, {
        subject: 'threshold of SgaBuilder',
      })
    }
    this.#pool = pool
    this.threshold = threshold
  }

  /**
   * Adds a field behind the others. Bytes that are referenced must not be written before the push of the array completes; their owner may
   * free them.
   * @throws ENOBUFS when the pool has no frame to copy to; what was added to this array is let go
   */
  append(bytes: Uint8Array): this {
    const { byteLength } = bytes
    const frame = byteLength >= this.threshold && byteLength > 0 ? this.#frameOf(bytes) : -1
    if (frame < 0) this.#copy(bytes)
    else {
      this.#seal()
      this.#pool.retain(frame)
      this.#segments.push({ frame, address: bytes.byteOffset, length: byteLength })
      this.referenced += byteLength
    }
    return this
  }

  /** The array of all fields since the last one, which is the caller's. */
  build(): ScatterGatherArray {
    this.#seal()
    this.#release()
    const segments = this.#segments
    this.#segments = []
    return new ScatterGatherArray(this.#pool, segments)
  }

  /** Lets go of the fields since the last array. */
  discard(): void {
    this.#seal()
    this.#release()
    for (const { frame } of this.#segments) this.#pool.release(frame)
    this.#segments = []
  }

  /** The held frame of the pool in which the bytes lie, all of them; or -1. */
  #frameOf({ buffer, byteOffset, byteLength }: Uint8Array): number {
    const pool = this.#pool
    if (buffer !== pool.window.region.buffer) return -1
    const frame = Math.floor((byteOffset - pool.base) / pool.frameSize)
    return pool.holds(frame) && byteOffset + byteLength <= pool.address(frame) + pool.frameSize ? frame : -1
  }

  #copy(bytes: Uint8Array): void {
    const { byteLength } = bytes
    for (let at = 0; at < byteLength; ) {
      if (this.#next === this.#end) this.#open()
      const length = Math.min(byteLength - at, this.#end - this.#next)
      this.#pool.copyIn(this.#next, bytes, at, length)
      this.#next += length
      at += length
    }
    this.copied += byteLength
  }

  /** A fresh frame to copy to. */
  #open(): void {
    this.#seal()
    this.#release()
    const pool = this.#pool
    const frame = pool.allocate()
    if (frame < 0) {
      this.discard()
      throw new ParakernelError('ENOBUFS', 'no frame is free to copy a field to', {
        subject: `frame pool of lease ${pool.window.lease}`,
        remedy: 'Free received arrays sooner, or give the partition more frames',
      })
    }
    this.#frame = frame
    this.#start = pool.address(frame) + pool.headroom
    this.#next = this.#start
    this.#end = pool.address(frame) + pool.frameSize - pool.window.tailroom
  }

  /** Makes a segment of what was copied since the last one; later fields go behind it into the same frame. */
  #seal(): void {
    if (this.#next === this.#start) return
    this.#pool.retain(this.#frame)
    this.#segments.push({ frame: this.#frame, address: this.#start, length: this.#next - this.#start })
    this.#start = this.#next
  }

  #release(): void {
    if (this.#frame >= 0) this.#pool.release(this.#frame)
    this.#frame = -1
    this.#start = 0
    this.#next = 0
    this.#end = 0
  }
}
