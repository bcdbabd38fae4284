import type { FramePool } from '@parakernel/hal'

const NONE = -1

/**
 * A frame in which short runs of bytes of many connections stand together, each with a reference of its own, so that ten bytes that wait
 * for an acknowledgment do not keep a whole frame. Bytes are appended and never changed, so that nobody writes what somebody
 * reads; the frame starts over when all of it has been released.
 */
export class SharedFrame {
  /** Where the last `copy` put its bytes: the caller has the reference. */
  frame = NONE
  address = 0
  readonly #pool: FramePool
  #current = NONE
  #next = 0
  #end = 0

  constructor(pool: FramePool) {
    this.#pool = pool
  }

  /** Copies bytes of the pool's region; false when there is no frame to copy them to, and nothing has happened. */
  copy(from: number, length: number): boolean {
    const pool = this.#pool
    if (this.#current !== NONE && pool.count(this.#current) === 1) this.#next = pool.address(this.#current)
    if (this.#current === NONE || this.#next + length > this.#end) {
      const fresh = pool.allocate()
      if (fresh === NONE) return false
      this.clear()
      this.#current = fresh
      this.#next = pool.address(fresh)
      this.#end = this.#next + pool.frameSize - pool.window.tailroom
    }
    pool.bytes.copyWithin(this.#next, from, from + length)
    pool.retain(this.#current)
    this.frame = this.#current
    this.address = this.#next
    this.#next += length
    return true
  }

  /** Lets go of the frame; those who have bytes in it keep it. */
  clear(): void {
    if (this.#current !== NONE) this.#pool.release(this.#current)
    this.#current = NONE
  }
}
