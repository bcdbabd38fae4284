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
  /**
   * Sum over the generations of its frames. Each only moves on, and only when its frame is freed: as long as the sum is what it was,
   * every frame is.
   */
  readonly #generation: number

  constructor(pool: FramePool, segments: readonly Segment[]) {
    this.pool = pool
    this.segments = segments
    this.#generation = generationOf(pool, segments)
  }

  get freed(): boolean {
    return this.#freed
  }

  /** Its frames were freed behind its back, by somebody who had no reference, and may be others' by now. */
  get stale(): boolean {
    return !this.#freed && generationOf(this.pool, this.segments) !== this.#generation
  }

  get byteLength(): number {
    let sum = 0
    for (const segment of this.segments) sum += segment.length
    return sum
  }

  /**
   * The bytes of one segment in place, backed by shared memory; valid until `free`.
   * @throws EFAULT over a `DebugFramePool`, when it was freed, or is stale; elsewhere that is counted in the pool's misuses
   */
  slice(index: number): Uint8Array {
    this.#check('read')
    const { address, length } = this.segments[index]
    return new Uint8Array(this.pool.window.region.buffer, address, length)
  }

  /** A copy of all bytes, on an ordinary ArrayBuffer that every web API takes. @throws EFAULT as `slice` */
  toBytes(): Uint8Array<ArrayBuffer> {
    this.#check('read')
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
    if (this.stale) return 'the frames of the array were freed by somebody else'
    return this.pool === pool ? undefined : "the array is of another pool: take it from the libOS's `sgaAlloc`"
  }

  /**
   * Drops the references. Calling it twice, or when it is stale, is a bug, and changes nothing.
   * @throws EFAULT over a `DebugFramePool`; elsewhere that is counted in the pool's misuses
   */
  free(): void {
    if (!this.#check('freed')) return
    this.#freed = true
    for (const { frame } of this.segments) this.pool.release(frame)
  }

  #check(action: 'read' | 'freed'): boolean {
    if (!this.#freed && !this.stale) return true
    const state = this.#freed ? 'it was freed' : 'its frames were freed by somebody else'
    this.pool.misused(`an array was ${action} after ${state}`)
    return false
  }
}

function generationOf(pool: FramePool, segments: readonly Segment[]): number {
  let sum = 0
  for (let i = 0; i < segments.length; i++) sum = (sum + pool.generation(segments[i].frame)) | 0
  return sum
}
