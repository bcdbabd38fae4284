import type { Segment } from '../segment.ts'
import {
  Assembler,
  COPIED_LENGTH,
  INSERT_DUPLICATE,
  INSERT_IN_ORDER,
  INSERT_OUT_OF_ORDER,
  INSERT_REFUSED,
} from './assembler.ts'
import type { FrameChain } from './frame-chain.ts'
import { MEMORY_NORMAL } from './memory-budget.ts'
import { SackReport } from './sack-report.ts'
import { ADDRESS, FRAME, LENGTH, SliceRing } from './slice-ring.ts'

export { INSERT_DUPLICATE, INSERT_IN_ORDER, INSERT_OUT_OF_ORDER, INSERT_REFUSED }

/**
 * What a connection has received: bytes in order that wait for the application, and what came beyond a gap. Slices of the
 * frames in which they arrived, each with its reference; only short segments that wait behind others are copied, so that a
 * few bytes do not keep many frames.
 */
export class ReceiveQueue extends SliceRing {
  /** RCV.NXT of data: the first byte that is missing (int32). A FIN is not counted. */
  next = 0
  /** Bytes in order that nobody has taken. */
  readable = 0
  /** A FIN came whose sequence number is `finAt`; what lies before it may be missing. */
  hasFin = false
  finAt = 0
  /** Segments out of order that memory did not allow. */
  refused = 0
  /** Made by the first segment out of order, or the first duplicate. */
  #report: SackReport | undefined = undefined
  /** Made by the first segment out of order. */
  #assembler: Assembler | undefined = undefined

  /** The first byte that will come has this sequence number. */
  start(sequence: number): void {
    this.next = sequence | 0
  }

  /** Bytes held beyond a gap. */
  get outOfOrder(): number {
    return this.#assembler === undefined ? 0 : this.#assembler.bytes
  }

  /** References to frames that are held. */
  get frames(): number {
    return this.count + (this.#assembler === undefined ? 0 : this.#assembler.frames)
  }

  /** Ranges beyond the first gap. */
  get ranges(): number {
    return this.#assembler === undefined ? 0 : this.#assembler.ranges.count
  }

  /** Slices in order: what `peek` lists. */
  get slices(): number {
    return this.count
  }

  /**
   * Takes a segment's payload, which the caller has trimmed to the end of the window; what lies before `next` is cut off
   * here. Sets `segment.frame` to -1 when the reference was taken over; else it is still the caller's. Data in order is
   * refused only while memory is critical, and the connection holds its least already: all windows together may promise more
   * than there is, and readers that do not read would take the others' part.
   */
  insert(segment: Segment): number {
    const { sequence, length } = segment
    const old = (this.next - sequence) | 0
    if (old < 0) return this.#insertBeyondGap(segment)
    if (old > 0) {
      const right = old < length ? this.next : (sequence + length) | 0
      if (length > 0) this.noteDuplicate(sequence, right)
      if (old >= length) return INSERT_DUPLICATE
    }
    // The byte that fills a gap frees more than it takes.
    const isFirst = this.count === 0 && this.outOfOrder > 0
    if (!isFirst && !this.budget.allowsInOrder(this.count)) {
      this.refused++
      return INSERT_REFUSED
    }
    this.#append(segment, segment.address + old, length - old)
    this.next = (sequence + length) | 0
    this.readable += length - old
    if (this.#assembler !== undefined && !this.#assembler.isEmpty) this.#drain(this.#assembler)
    return INSERT_IN_ORDER
  }

  /** A range that came twice, which the next ACK reports (RFC 2883); for segments that never reach `insert`. */
  noteDuplicate(left: number, right: number): void {
    this.#report ??= new SackReport()
    this.#report.duplicate(left, right)
  }

  /** Whether an ACK has something to report: data beyond a gap, or a duplicate. */
  get hasSack(): boolean {
    return this.#report?.hasDuplicate === true || (this.#assembler !== undefined && !this.#assembler.isEmpty)
  }

  /**
   * Writes up to 4 blocks, 3 beside timestamps, into `segment`: a duplicate first, once (RFC 2883 section 4), then the ranges
   * that changed last (RFC 2018 section 4).
   */
  fillSack(segment: Segment): void {
    const limit = segment.hasTimestamp ? 3 : 4
    segment.sackCount = 0
    this.#report?.fill(segment, limit, this.#assembler?.ranges)
  }

  /**
   * Hands out up to `limit` bytes in order, with their references, as slices appended to `out`; returns the bytes, fewer
   * when `out` is full.
   */
  take(limit: number, out: FrameChain): number {
    let left = limit
    while (this.count > 0 && left > 0 && !out.isFull) {
      const at = this.row(0)
      const slices = this.table
      const length = slices[at + LENGTH]
      const frame = slices[at + FRAME]
      if (length > left) {
        this.pool.retain(frame)
        out.push(frame, slices[at + ADDRESS], left)
        slices[at + ADDRESS] += left
        slices[at + LENGTH] = length - left
        left = 0
      } else {
        out.push(frame, slices[at + ADDRESS], length)
        this.dropFirst()
        left -= length
      }
    }
    const taken = limit - left
    this.readable -= taken
    return taken
  }

  /** Lists the slices in order, as many as `out` takes, and leaves them and their references here. */
  peek(out: FrameChain): void {
    const slices = this.table
    for (let i = 0; i < this.count && !out.isFull; i++) {
      const at = this.row(i)
      out.push(slices[at + FRAME], slices[at + ADDRESS], slices[at + LENGTH])
    }
  }

  /** Takes the first slice out; its reference is now the caller's, who knows it from `peek`. Returns its bytes. */
  shift(): number {
    const length = this.table[this.row(0) + LENGTH]
    this.readable -= length
    this.dropFirst()
    return length
  }

  /** Puts a slice that `shift` took out back to the front, with its reference. */
  unshift(frame: number, address: number, length: number): void {
    this.pushFront(frame, address, length)
    this.readable += length
    this.budget.charge(1)
  }

  /** Gives everything beyond the first gap back (RFC 2018 section 8 allows it); returns the bytes. */
  renege(): number {
    const assembler = this.#assembler
    if (assembler === undefined || assembler.isEmpty) return 0
    const { bytes } = assembler
    assembler.clear()
    this.#report?.clear()
    this.budget.memory.reneged++
    return bytes
  }

  /** Releases everything; `next` stays. */
  clear(): void {
    this.releaseAll()
    this.readable = 0
    this.#assembler?.clear()
    this.#assembler = undefined
    this.#report?.clear()
  }

  #insertBeyondGap(segment: Segment): number {
    const { sequence, length } = segment
    if (length === 0) return INSERT_DUPLICATE
    this.#assembler ??= new Assembler(this.pool, this.budget)
    const assembler = this.#assembler
    const result = assembler.insert(sequence, (sequence + length) | 0, segment.frame, segment.address)
    if (assembler.overlapRight !== assembler.overlapLeft && result !== INSERT_REFUSED) {
      this.noteDuplicate(assembler.overlapLeft, assembler.overlapRight)
    }
    if (result === INSERT_REFUSED) {
      this.refused++
      return result
    }
    this.#report ??= new SackReport()
    this.#report.received(sequence, assembler.ranges)
    if (assembler.took) segment.frame = -1
    return result
  }

  /** Moves what the gap separated into order; bytes that came twice are reported. */
  #drain(assembler: Assembler): void {
    const { ranges } = assembler
    const ahead = (this.next - ranges.left(0)) | 0
    if (ahead > 0) {
      const held = ranges.right(0)
      this.noteDuplicate(ranges.left(0), ((held - this.next) | 0) < 0 ? held : this.next)
    }
    for (;;) {
      const length = assembler.shift(this.next)
      if (length === 0) break
      this.push(assembler.frame, assembler.address, length)
      this.next = (this.next + length) | 0
      this.readable += length
    }
  }

  #append(segment: Segment, address: number, length: number): void {
    if (this.count > 0) {
      const last = this.row(this.count - 1)
      const slices = this.table
      if (slices[last + FRAME] === segment.frame && slices[last + ADDRESS] + slices[last + LENGTH] === address) {
        slices[last + LENGTH] += length
        return
      }
      if ((length <= COPIED_LENGTH || this.budget.isTight) && this.fits(last, length)) {
        this.copyBehind(last, address, length)
        return
      }
    }
    const { memory } = this.budget
    this.budget.charge(1)
    // When frames are short, few bytes that wait for a slow reader do not keep one.
    if (length <= COPIED_LENGTH && memory.level !== MEMORY_NORMAL && memory.shared.copy(address, length)) {
      this.push(memory.shared.frame, memory.shared.address, length)
      return
    }
    this.push(segment.frame, address, length)
    segment.frame = -1
  }
}
