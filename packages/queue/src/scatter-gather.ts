import type { FramePool } from '@parakernel/hal'

/** A run of bytes of one frame. The array's reference to the frame keeps it from being reused. */
export interface Segment {
  readonly frame: number
  /** Byte address in the pool's region. */
  readonly address: number
  readonly length: number
}

/**
 * Bytes in one or more frames of a pool. Owns one reference to the frame of each segment; `free` drops them. A push takes
 * references of its own, so an array may be freed as soon as its push was issued (free-protection), but the bytes must
 * not be written before the push completes.
 */
export class ScatterGatherArray {
  readonly pool: FramePool
  readonly segments: readonly Segment[]
  #freed = false

  constructor(pool: FramePool, segments: readonly Segment[]) {
    this.pool = pool
    this.segments = segments
  }

  get freed(): boolean {
    return this.#freed
  }

  get byteLength(): number {
    let sum = 0
    for (const segment of this.segments) sum += segment.length
    return sum
  }

  /** The bytes of one segment in place, backed by shared memory; valid until `free`. */
  slice(index: number): Uint8Array {
    const { address, length } = this.segments[index]
    return new Uint8Array(this.pool.window.region.buffer, address, length)
  }

  /** A copy of all bytes, on an ordinary ArrayBuffer that every web API takes. */
  toBytes(): Uint8Array<ArrayBuffer> {
    const out = new Uint8Array(this.byteLength)
    let at = 0
    for (const { address, length } of this.segments) {
      this.pool.copyOut(address, length, out, at)
      at += length
    }
    return out
  }

  /** Why a libOS whose frames are those of `pool` cannot send these bytes; undefined when it can. */
  refusalBy(pool: FramePool): string | undefined {
    if (this.#freed) return 'the array was freed before it was pushed'
    return this.pool === pool ? undefined : "the array is of another pool: take it from the libOS's `sgaAlloc`"
  }

  /** Drops the references. Calling it twice is a bug; the second call changes nothing and is counted in the pool's misuses. */
  free(): void {
    if (this.#freed) {
      this.pool.misuses++
      return
    }
    this.#freed = true
    for (const { frame } of this.segments) this.pool.release(frame)
  }
}
