import type { FramePool } from '@parakernel/hal'
import type { MemoryBudget } from './memory-budget.ts'

export const FRAME = 0
export const ADDRESS = 1
export const LENGTH = 2
/** Words of a slice; a power of two, so that positions wrap by a mask. */
const STRIDE = 4
const NO_SLICES = new Int32Array(0)
const FIRST_CAPACITY = 4
/** From this many slices on, an empty ring gives its table back. */
const KEPT_CAPACITY = 64

/** Slices of frames in order, a ring in one typed array that grows by doubling, and what is done with them: a receive queue's store. */
export class SliceRing {
  protected readonly pool: FramePool
  protected readonly budget: MemoryBudget
  protected table = NO_SLICES
  protected count = 0
  #first = 0

  constructor(pool: FramePool, budget: MemoryBudget) {
    this.pool = pool
    this.budget = budget
  }

  /** Word index of the slice `i` places behind the first. */
  protected row(i: number): number {
    return ((this.#first + i) * STRIDE) & (this.table.length - 1)
  }

  protected push(frame: number, address: number, length: number): void {
    if (this.count * STRIDE === this.table.length) this.#grow()
    this.#write(this.row(this.count++), frame, address, length)
  }

  /** Puts a slice before the first. */
  protected pushFront(frame: number, address: number, length: number): void {
    if (this.count * STRIDE === this.table.length) this.#grow()
    this.#first = (this.#first - 1) & (this.table.length / STRIDE - 1)
    this.count++
    this.#write(this.row(0), frame, address, length)
  }

  /** Takes the first slice out; its reference is the caller's. */
  protected dropFirst(): void {
    this.#first = (this.#first + 1) & (this.table.length / STRIDE - 1)
    this.count--
    this.budget.credit(1)
    if (this.count > 0) return
    this.#first = 0
    if (this.table.length > KEPT_CAPACITY * STRIDE) this.table = NO_SLICES
  }

  /** Whether `length` more bytes have room behind a slice, in a frame that nobody else reads. */
  protected fits(row: number, length: number): boolean {
    const { pool, table } = this
    const frame = table[row + FRAME]
    const end = pool.address(frame) + pool.frameSize - pool.window.tailroom
    return table[row + ADDRESS] + table[row + LENGTH] + length <= end && pool.count(frame) === 1
  }

  protected copyBehind(row: number, from: number, length: number): void {
    const { table } = this
    this.pool.copy(table[row + ADDRESS] + table[row + LENGTH], from, length)
    table[row + LENGTH] += length
  }

  /**
   * Copies the bytes together so that they fill their frames; allocates nothing. Returns the frames that became free. For times when
   * the pool runs dry and the application does not read.
   */
  compact(): number {
    const { count } = this
    if (count < 2) return 0
    let kept = 0
    for (let i = 1; i < count; i++) {
      const { table } = this
      const from = this.row(i)
      const into = this.row(kept)
      if (this.fits(into, table[from + LENGTH])) {
        this.copyBehind(into, table[from + ADDRESS], table[from + LENGTH])
        this.pool.release(table[from + FRAME])
      } else {
        kept++
        const to = this.row(kept)
        if (to !== from) table.copyWithin(to, from, from + STRIDE)
      }
    }
    const freed = count - 1 - kept
    this.count = kept + 1
    this.budget.credit(freed)
    return freed
  }

  protected releaseAll(): void {
    const { count } = this
    for (let i = 0; i < count; i++) this.pool.release(this.table[this.row(i) + FRAME])
    this.budget.credit(count)
    this.#first = 0
    this.count = 0
    this.table = NO_SLICES
  }

  #write(at: number, frame: number, address: number, length: number): void {
    const { table } = this
    table[at + FRAME] = frame
    table[at + ADDRESS] = address
    table[at + LENGTH] = length
  }

  #grow(): void {
    const old = this.table
    const grown = new Int32Array(Math.max(FIRST_CAPACITY * STRIDE, old.length * 2))
    const split = this.#first * STRIDE
    grown.set(old.subarray(split))
    grown.set(old.subarray(0, split), old.length - split)
    this.table = grown
    this.#first = 0
  }
}
