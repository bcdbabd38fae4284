import { BLOCK_WRITE, type FramePool } from '@parakernel/hal'
import { MediumRequest } from '../medium/request.ts'
import type { LogGeometry } from './geometry.ts'
import { LEVEL_BUFFERED } from './pending.ts'

/** A run of a frame of the application's; of one of the log's own; the last run of such a one, with which it goes back. */
export const FOREIGN = 0
export const OWN = 1
export const OWN_LAST = 2

/**
 * Records that are written together: runs of frames that cover the ring from `start` to its end without a gap, in whole blocks.
 * Two of them take turns, one filling while the other one is written.
 */
export class Group {
  /** Where in the ring it begins, a multiple of the block. */
  start = 0
  /** Bytes in its segments. */
  byteLength = 0
  /** Sequences that it has: from `first`, up to `next` exclusive. */
  first = 0
  next = 0
  /** Where the record after it begins. */
  tail = 0
  level = LEVEL_BUFFERED
  segments = 0
  readonly frame: Int32Array
  readonly offset: Int32Array
  readonly size: Int32Array
  /** `FOREIGN`, `OWN` or `OWN_LAST`. */
  readonly own: Uint8Array
  /** What goes to the medium: one request, or two where the group goes round the ring's end. */
  readonly #requests: readonly [MediumRequest, MediumRequest]

  constructor(capacity: number, done: (request: MediumRequest) => void) {
    this.frame = new Int32Array(capacity)
    this.offset = new Int32Array(capacity)
    this.size = new Int32Array(capacity)
    this.own = new Uint8Array(capacity)
    this.#requests = [new MediumRequest(done, capacity + 1), new MediumRequest(done, capacity + 1)]
  }

  begin(start: number, first: number): void {
    this.start = start
    this.byteLength = 0
    this.first = first
    this.next = first
    this.tail = start
    this.level = LEVEL_BUFFERED
    this.segments = 0
  }

  get full(): boolean {
    return this.segments + 4 > this.frame.length
  }

  add(frame: number, offset: number, size: number, own: number): void {
    const i = this.segments++
    this.frame[i] = frame
    this.offset[i] = offset
    this.size[i] = size
    this.own[i] = own
    this.byteLength += size
  }

  /** The run of this frame that was added last is its last one. */
  endFrame(frame: number): void {
    let i = this.segments - 1
    while (this.frame[i] !== frame) i--
    this.own[i] = OWN_LAST
  }

  /** Fills the requests; returns how many there are. */
  requests({ start, length }: LogGeometry, fua: boolean): number {
    const physical = this.start % length
    const before = length - physical
    const [first, second] = this.#requests
    first.begin(BLOCK_WRITE, start + physical, 0, fua)
    second.begin(BLOCK_WRITE, start, 0, fua)
    for (let i = 0; i < this.segments; i++) {
      const here = Math.min(this.size[i], before - first.length)
      if (here > 0) first.add(this.frame[i], this.offset[i], here)
      if (here < this.size[i]) second.add(this.frame[i], this.offset[i] + here, this.size[i] - here)
    }
    return second.length > 0 ? 2 : 1
  }

  request(i: number): MediumRequest {
    return this.#requests[i]
  }

  /** Gives the frames back: those of the log to its stack, whose new height it returns, and the application's to the pool. */
  release(pool: FramePool, stack: Int32Array, top: number): number {
    let height = top
    for (let i = 0; i < this.segments; i++) {
      if (this.own[i] === OWN_LAST) stack[height++] = this.frame[i]
      else if (this.own[i] === FOREIGN) pool.release(this.frame[i])
    }
    this.segments = 0
    return height
  }
}
