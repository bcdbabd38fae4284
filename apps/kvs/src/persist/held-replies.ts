import type { FramePool } from '@parakernel/hal'
import type { Replies } from '../server/outbox.ts'

/** Replies to writes, until the writes are durable: a ring of rows that grows, in the order of their sequences. */
export class HeldReplies {
  count = 0
  readonly #pool: FramePool
  #first = 0
  #sequence = new Float64Array(256)
  #rows = new Int32Array(256 * ROW)
  #replies: Replies[] = []
  readonly #stirred = new Set<Replies>()

  constructor(pool: FramePool) {
    this.#pool = pool
  }

  /** Takes over the caller's reference to `frame`. */
  hold(
    sequence: number,
    frame: number,
    address: number,
    length: number,
    peerAddress: number,
    peerPort: number,
    replies: Replies,
  ): void {
    if (this.count === this.#sequence.length) this.#grow()
    const at = (this.#first + this.count++) & (this.#sequence.length - 1)
    const row = at * ROW
    this.#sequence[at] = sequence
    this.#replies[at] = replies
    this.#rows[row] = frame
    this.#rows[row + 1] = address
    this.#rows[row + 2] = length
    this.#rows[row + 3] = peerAddress
    this.#rows[row + 4] = peerPort
    this.#rows[row + 5] = replies.origin ?? 0
  }

  /** Sends those up to `sequence`, or gives them up; returns how many. */
  release(sequence: number, isDurable: boolean): number {
    let released = 0
    while (this.count > 0 && this.#sequence[this.#first] <= sequence) {
      const at = this.#first
      const row = at * ROW
      const replies = this.#replies[at]
      const frame = this.#rows[row]
      this.#first = (at + 1) & (this.#sequence.length - 1)
      this.count--
      released++
      if (!isDurable) {
        this.#pool.release(frame)
        continue
      }
      if (replies.origin !== undefined) replies.origin = this.#rows[row + 5]
      replies.add(frame, this.#rows[row + 1], this.#rows[row + 2], this.#rows[row + 3], this.#rows[row + 4])
      this.#stirred.add(replies)
    }
    return released
  }

  /** After the last `release` of a round. */
  flush(): void {
    for (const replies of this.#stirred) replies.flush()
    this.#stirred.clear()
  }

  #grow(): void {
    const { length } = this.#sequence
    const sequence = new Float64Array(2 * length)
    const rows = new Int32Array(2 * length * ROW)
    const replies: Replies[] = []
    for (let i = 0; i < this.count; i++) {
      const at = (this.#first + i) & (length - 1)
      sequence[i] = this.#sequence[at]
      rows.set(this.#rows.subarray(at * ROW, (at + 1) * ROW), i * ROW)
      replies[i] = this.#replies[at]
    }
    this.#sequence = sequence
    this.#rows = rows
    this.#replies = replies
    this.#first = 0
  }
}

/** Frame, address, length, peer's address and port, origin. */
const ROW = 6
