import type { BlockCopy, FramePool } from '@parakernel/hal'
import { type MemoryChecksum, memoryChecksum } from '../format/crc32c.ts'
import { type Group, OWN, OWN_LAST } from './group.ts'
import { RECORD_HEADER } from './record.ts'

/**
 * The frames of a log's own in which records are put together, one behind the other: whole blocks, taken from a stack and given back when
 * they are written. Positions here are offsets in the frame that fills; they agree with positions in the ring up to whole blocks.
 */
export class Staging {
  readonly checksum: MemoryChecksum
  readonly view: DataView
  readonly unit: number
  /** Bytes of a frame that are used. */
  readonly room: number
  /** Of the payload that is being appended. */
  crc = 0
  /** Address of the frame that fills, and where in it the next byte goes. */
  address = 0
  fill = 0
  readonly #pool: FramePool
  readonly #copy: BlockCopy
  readonly #headerLimit: number
  readonly #stack: Int32Array
  #top: number
  #frame = -1
  /** Where in the frame its present run began. */
  #runStart = 0

  constructor(pool: FramePool, unit: number, frames: Int32Array) {
    this.checksum = memoryChecksum(pool.window.region.memory)
    this.view = pool.view
    this.unit = unit
    this.room = pool.frameSize - (pool.frameSize % unit)
    this.#pool = pool
    this.#copy = pool.copy
    this.#headerLimit = unit - RECORD_HEADER
    this.#stack = frames
    this.#top = frames.length
    this.#newFrame()
  }

  /** Bytes up to the next block where too few are left of this one for a header, else 0. */
  get gap(): number {
    const inBlock = this.fill & (this.unit - 1)
    return inBlock > this.#headerLimit ? this.unit - inBlock : 0
  }

  /** Bytes that are left of the block; 0 at its beginning. */
  get leftOfBlock(): number {
    const inBlock = this.fill & (this.unit - 1)
    return inBlock === 0 ? 0 : this.unit - inBlock
  }

  /** Whether there are frames for `size` more bytes, and one more for the end of the group, which is copied to a fresh one. */
  holds(size: number): boolean {
    return (size + this.fill) / this.room + 1 <= this.#top
  }

  /** Zeroes, not more than are left of the block. */
  skip(length: number): void {
    this.checksum.fill(this.address + this.fill, 0, length)
    this.fill += length
  }

  /** Room for a header; its address. */
  header(group: Group): number {
    if (this.fill === this.room) this.#nextFrame(group)
    const at = this.address + this.fill
    this.fill += RECORD_HEADER
    if (this.fill === this.room) this.#nextFrame(group)
    return at
  }

  /** Copies bytes of an array behind what is there. */
  put(group: Group, bytes: Uint8Array, from: number, length: number): void {
    let at = from
    let left = length
    while (left > 0) {
      if (this.fill === this.room) this.#nextFrame(group)
      const size = Math.min(left, this.room - this.fill)
      const to = this.address + this.fill
      this.#pool.copyIn(to, bytes, at, size)
      this.crc = this.checksum.crc(this.crc, to, size)
      this.fill += size
      at += size
      left -= size
    }
  }

  /** Copies bytes of the region. */
  putRegion(group: Group, address: number, length: number): void {
    let from = address
    let left = length
    while (left > 0) {
      if (this.fill === this.room) this.#nextFrame(group)
      const size = Math.min(left, this.room - this.fill)
      const to = this.address + this.fill
      this.#copy(to, from, size)
      this.crc = this.checksum.crc(this.crc, to, size)
      this.fill += size
      from += size
      left -= size
    }
  }

  /** Ends the run at a block, so that a frame of the application's can follow it. */
  breakRun(group: Group): void {
    if (this.fill === this.room) this.#nextFrame(group)
    else if (this.fill > this.#runStart) {
      group.add(this.#frame, this.#runStart, this.fill - this.#runStart, OWN)
      this.#runStart = this.fill
    }
  }

  /** Ends the group with a whole block. What is in that block goes on in a fresh frame; returns the bytes that this copied. */
  close(group: Group): number {
    const inBlock = this.fill & (this.unit - 1)
    const { address } = this
    if (inBlock > 0) this.skip(this.unit - inBlock)
    const end = this.fill
    if (end > this.#runStart) group.add(this.#frame, this.#runStart, end - this.#runStart, OWN_LAST)
    else if (this.#runStart > 0) group.endFrame(this.#frame)
    else this.#stack[this.#top++] = this.#frame
    this.#newFrame()
    if (inBlock === 0) return 0
    this.#copy(this.address, address + end - this.unit, this.unit)
    this.fill = inBlock
    return this.unit
  }

  /** Takes the frames of a group back that is written, and gives those of the application to the pool. */
  release(group: Group): void {
    this.#top = group.release(this.#pool, this.#stack, this.#top)
  }

  /** Gives all frames to the pool. */
  dispose(): void {
    if (this.#frame >= 0) this.#stack[this.#top++] = this.#frame
    this.#frame = -1
    for (let i = 0; i < this.#top; i++) this.#pool.release(this.#stack[i])
    this.#top = 0
  }

  #newFrame(): void {
    this.#frame = this.#stack[--this.#top]
    this.address = this.#pool.address(this.#frame)
    this.fill = 0
    this.#runStart = 0
  }

  #nextFrame(group: Group): void {
    group.add(this.#frame, this.#runStart, this.room - this.#runStart, OWN_LAST)
    this.#newFrame()
  }
}
