import {
  type BlockCopy,
  blockCopy,
  copyBytes,
  ParakernelError,
  type PersistentCopy,
  type PersistentRegion,
  persistentCopy,
} from '@parakernel/hal'
import { type Durability, isSliceOf, type ScatterGatherArray } from '@parakernel/queue'
import { type MemoryChecksum, memoryChecksum } from '../format/crc32c.ts'
import { EBADF, ECANCELED, EINVAL, EIO, EMSGSIZE, ENOSPC } from '../medium/errno.ts'
import {
  type AppendDone,
  LOG_COPIED_BYTES,
  LOG_FLUSHES,
  LOG_FRAMES_COPIED,
  LOG_FULL,
  LOG_GROUPS,
  LOG_WRITTEN_BYTES,
} from './log.ts'
import { LEVEL_BUFFERED } from './pending.ts'
import { CHECKED_AT, CHECKED_BYTES, KIND_PAD, KIND_RECORD, putHeader, RECORD_HEADER, recordBytes } from './record.ts'
import { type LogParts, levelOf, RingLog } from './ring-log.ts'

const RESERVE = 2 * RECORD_HEADER

/**
 * The log on persistent memory, to the byte. Records are put together in a frame of the log's own; a commit copies them into the ring,
 * past the caches where the region can, in one call with the fence. What the frame has no room for, and what is to be read before it is
 * durable, is stored in the ring, and the commit writes all of it back, in one call too. The checksum tells a record of which the power
 * left a part.
 *
 * Budget of an append of 64 bytes with its commit: 250 ns (checksum 30, copy 30, header 20, the call with the fence 130); no allocation.
 */
export class PersistentLog extends RingLog {
  readonly recordLimit: number

  readonly #region: PersistentRegion
  readonly #checksum: MemoryChecksum
  readonly #bytes: Uint8Array
  readonly #view: DataView
  /** Of the ring's first byte, in the memory and in the region. */
  readonly #base: number
  readonly #offset: number
  readonly #ring: number
  readonly #salt: number
  readonly #range = new Float64Array(2)
  readonly #frame: number
  /** The frame's first byte in the pool's memory, and its length. */
  readonly #stage: number
  readonly #stageLength: number
  readonly #stageView: DataView
  readonly #stageChecksum: MemoryChecksum
  readonly #stageCopy: BlockCopy
  readonly #copy: PersistentCopy
  /** Bytes in the frame: those right before `tail`. */
  #staged = 0
  /** Position up to which all is durable. */
  #durableTail: number
  #level = LEVEL_BUFFERED
  #flushWanted = false
  #scheduled = false
  readonly #run = () => {
    this.#scheduled = false
    this.pending.completeBuffered()
    this.commit()
  }
  #crc = 0

  constructor(parts: LogParts, region: PersistentRegion, position: number) {
    super(parts)
    const { geometry } = parts
    this.#region = region
    this.#checksum = memoryChecksum(region.region.memory)
    this.#bytes = new Uint8Array(region.region.buffer)
    this.#view = new DataView(region.region.buffer)
    this.#offset = position + geometry.start
    this.#base = region.byteOffset + this.#offset
    this.#ring = geometry.length
    this.#salt = geometry.salt
    this.recordLimit = geometry.recordLimit
    this.#durableTail = parts.tailPosition
    const { pool } = this
    this.#frame = pool.allocate()
    if (this.#frame < 0) {
      throw new ParakernelError('ENOBUFS', 'the pool has no frame for a log', {
        subject: parts.medium.name,
        remedy: 'Give the lease more frames',
      })
    }
    this.#stage = (pool.address(this.#frame) + 7) & ~7
    this.#stageLength = pool.address(this.#frame) + pool.frameSize - this.#stage
    this.#stageView = new DataView(pool.bytes.buffer)
    this.#stageChecksum = memoryChecksum(pool.window.region.memory)
    this.#stageCopy = blockCopy(pool.window.region.memory)
    this.#copy = persistentCopy(region, pool.window.region)
  }

  append(bytes: Uint8Array, level?: Durability, done?: AppendDone, cookie = 0): number {
    const length = bytes.length
    const header = this.#begin(length)
    if (header < 0) return header
    const target = this.#isStaged(length) ? this.pool.bytes : this.#bytes
    copyBytes(bytes, 0, length, target, header + RECORD_HEADER)
    return this.#end(header, length, level, done, cookie)
  }

  appendRegion(address: number, length: number, level?: Durability, done?: AppendDone, cookie = 0): number {
    const header = this.#begin(length)
    if (header < 0) return header
    this.#put(address, length, header + RECORD_HEADER, this.#isStaged(length))
    return this.#end(header, length, level, done, cookie)
  }

  appendSga(sga: ScatterGatherArray, level?: Durability, done?: AppendDone, cookie = 0): number {
    const length = sga.byteLength
    const header = this.#begin(length)
    if (header < 0) return header
    const staged = this.#isStaged(length)
    let to = header + RECORD_HEADER
    for (let i = 0; i < sga.segments.length; i++) {
      const segment = sga.segments[i]
      if (sga.pool === this.pool) this.#put(segment.address, segment.length, to, staged)
      else copyBytes(sga.pool.bytes, segment.address, segment.length, staged ? this.pool.bytes : this.#bytes, to)
      to += segment.length
    }
    return this.#end(header, length, level, done, cookie)
  }

  /** A frame has to move into the ring: one copy, which is counted. */
  appendFrame(
    frame: number,
    offset: number,
    length: number,
    level?: Durability,
    done?: AppendDone,
    cookie = 0,
  ): number {
    const { pool } = this
    if (!isSliceOf(pool, frame, pool.address(frame) + offset, length)) return -EINVAL
    this.counts[LOG_FRAMES_COPIED]++
    return this.appendRegion(pool.address(frame) + offset, length, level, done, cookie)
  }

  commit(): void {
    if (this.refusal !== 0 && this.failure !== undefined) return
    const { tail } = this
    const from = this.#durableTail
    if (this.#level === LEVEL_BUFFERED && !this.#flushWanted) {
      this.#spill()
      this.written = this.pending.next
    } else if (from < tail) {
      const status = this.medium.closed ? -ECANCELED : this.#persist(from, tail)
      if (status !== 0) {
        this.fail(status, 'a write-back failed')
        return
      }
      this.#durableTail = tail
      this.#level = LEVEL_BUFFERED
      this.written = this.pending.next
      this.durable = this.written
      this.counts[LOG_GROUPS]++
      this.counts[LOG_FLUSHES]++
      this.counts[LOG_WRITTEN_BYTES] += tail - from
    }
    this.#flushWanted = false
    const served = this.pending.complete(this.written, 0)
    this.progressed()
    if (served > 0) this.medium.loop.requestYield()
  }

  protected writtenTail(): number {
    return this.tail - this.#staged
  }

  protected request(durable: boolean): void {
    if (durable) this.#flushWanted = true
    this.#schedule()
  }

  protected dispose(): void {
    this.pool.release(this.#frame)
  }

  /**
   * Room for a record, in the frame or, if it is longer, in the ring; the index of its header in that memory, or a negative errno, and then
   * nothing was appended.
   */
  #begin(length: number): number {
    if (this.refusal !== 0) return this.refusal
    // The memory may be another holder's by now.
    if (this.medium.closed) return -EBADF
    if (length > this.recordLimit) return -EMSGSIZE
    const size = recordBytes(length)
    const left = this.#ring - (this.tail % this.#ring)
    const gap = left < size ? left : 0
    if (this.tail + gap + size + RESERVE - this.floor > this.#ring) {
      this.counts[LOG_FULL]++
      return -ENOSPC
    }
    if (this.pending.full) {
      this.commit()
      if (this.pending.full) return this.busy()
    }
    const staged = this.#isStaged(length)
    if (gap > 0) this.#pad(gap)
    if (!staged || this.#staged + size > this.#stageLength) this.#spill()
    this.lastPosition = this.tail
    return staged ? this.#stage + this.#staged : this.#base + (this.tail % this.#ring)
  }

  #end(
    header: number,
    length: number,
    durability: Durability | undefined,
    done: AppendDone | undefined,
    cookie: number,
  ): number {
    const level = durability === undefined ? this.defaultLevel : levelOf(durability)
    const sequence = this.pending.next
    const staged = this.#isStaged(length)
    const view = staged ? this.#stageView : this.#view
    const checksum = staged ? this.#stageChecksum : this.#checksum
    const size = recordBytes(length)
    putHeader(view, header, length, sequence, this.epoch, sequence - this.durable, KIND_RECORD, this.#salt)
    const crc = checksum.crc(0, header + RECORD_HEADER, length)
    view.setInt32(header, checksum.crc(crc, header + CHECKED_AT, CHECKED_BYTES), true)
    if (staged) this.#staged += size
    this.counts[LOG_COPIED_BYTES] += length
    this.index.note(this.lastPosition, sequence)
    this.tail += size
    if (level > this.#level) this.#level = level
    this.appended(length, level, done, cookie)
    this.#schedule()
    return sequence
  }

  #isStaged(length: number): boolean {
    return recordBytes(length) <= this.#stageLength
  }

  /** Skips what is left before the ring's end. */
  #pad(gap: number): void {
    this.#spill()
    if (gap >= RECORD_HEADER) {
      const at = this.#base + (this.tail % this.#ring)
      const sequence = this.pending.next
      const skipped = gap - RECORD_HEADER
      putHeader(this.#view, at, skipped, sequence, this.epoch, sequence - this.durable, KIND_PAD, this.#salt)
      this.#view.setInt32(at, this.#checksum.crc(0, at + CHECKED_AT, CHECKED_BYTES), true)
    }
    this.tail += gap
  }

  /** From the pool's memory into the frame or into the ring. */
  #put(from: number, length: number, to: number, staged: boolean): void {
    if (staged) this.#stageCopy(to, from, length)
    else copyBytes(this.pool.bytes, from, length, this.#bytes, to)
  }

  /** Stores what is in the frame in its place in the ring. */
  #spill(): void {
    const staged = this.#staged
    if (staged === 0 || this.medium.closed) return
    copyBytes(this.pool.bytes, this.#stage, staged, this.#bytes, this.#base + ((this.tail - staged) % this.#ring))
    this.#staged = 0
  }

  /** Everything from `from` to the tail, with one flush and one fence; 0, or the errno. */
  #persist(from: number, tail: number): number {
    const staged = this.#staged
    const start = from % this.#ring
    try {
      if (staged === tail - from) {
        this.#copy.persist(this.#offset + start, this.#stage, staged)
        this.#staged = 0
        return 0
      }
      this.#spill()
      if (start + tail - from > this.#ring) return persistRing(this.#region, this.#offset, this.#ring, from, tail)
      this.#range[0] = this.#offset + start
      this.#range[1] = tail - from
      this.#region.persist(this.#range)
      return 0
    } catch {
      return -EIO
    }
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    this.medium.loop.defer(this.#run)
  }
}

/** Makes positions `from` to `to` of a ring durable, that may go round its end; 0, or the errno. `offset` is the ring's in the region. */
export function persistRing(region: PersistentRegion, offset: number, ring: number, from: number, to: number): number {
  const start = from % ring
  const before = Math.min(to - from, ring - start)
  try {
    region.persist([offset + start, before, offset, to - from - before])
    return 0
  } catch {
    return -EIO
  }
}
