import { ParakernelError } from '../errors.ts'
import { type BlockCopy, blockCopy } from './block-copy.ts'
import { copyBytes } from './copy-bytes.ts'
import type { FrameWindow } from './frame-window.ts'

export interface FramePoolOptions {
  /** Frames that only devices may take: an application that hoards frames runs dry before the receive rings do. */
  readonly deviceReserve?: number
}

/**
 * Hands out the frames of one lease's window. A frame is an int32 index; its bytes start at `address(frame)` in the
 * region. Each frame has a reference count: 1 means one owner who may write, more means readers only (a device by DMA,
 * a retransmission queue, a log, an application's slice), 0 means free. Lives in one thread; never shared.
 *
 * All calls are O(1) and allocate nothing.
 */
export class FramePool {
  readonly window: FrameWindow
  /** The whole region, so that any address in it is an index here. */
  readonly bytes: Uint8Array
  /** The same bytes. */
  readonly view: DataView
  readonly frameSize: number
  readonly frameCount: number
  readonly headroom: number
  /**
   * Copies bytes within the region: `copy(to, from, length)`, addresses as in `bytes`. Ten times as quick as `bytes.copyWithin`, which
   * goes byte by byte because the memory is shared.
   */
  readonly copy: BlockCopy
  /** Byte address of frame 0 in the region. */
  readonly base: number
  readonly deviceReserve: number
  /** Times that a frame was asked for and none was free. */
  exhausted = 0
  /** Releases and retains of a frame that was free or not of this pool: always a bug, refused and counted. */
  misuses = 0

  protected readonly counts: Int32Array
  /** Lives that each frame has ended. */
  readonly #generations: Int32Array
  /** A stack of free frames: the one released last is still warm in the cache. */
  readonly #free: Int32Array
  #top: number

  constructor(window: FrameWindow, options: FramePoolOptions = {}) {
    this.window = window
    this.bytes = new Uint8Array(window.region.buffer)
    this.view = new DataView(window.region.buffer)
    this.copy = blockCopy(window.region.memory)
    this.frameSize = window.frameSize
    this.frameCount = window.frameCount
    this.headroom = window.headroom
    this.base = window.byteOffset
    this.deviceReserve = options.deviceReserve ?? 0
    this.counts = new Int32Array(window.frameCount)
    this.#generations = new Int32Array(window.frameCount)
    this.#free = new Int32Array(window.frameCount)
    this.#top = window.frameCount
    for (let i = 0; i < window.frameCount; i++) this.#free[i] = window.frameCount - 1 - i
  }

  /** Free frames, the devices' reserve included. */
  get available(): number {
    return this.#top
  }

  /** True while the application may not take frames: it should give some back, or copy what it keeps. */
  get belowWatermark(): boolean {
    return this.#top <= this.deviceReserve
  }

  /** Byte address of a frame's first byte in the region (its headroom). */
  address(frame: number): number {
    return this.base + Math.imul(frame, this.frameSize)
  }

  /** Takes a free frame with a count of 1; -1 when none is free above the devices' reserve. */
  allocate(): number {
    if (this.#top <= this.deviceReserve) {
      this.exhausted++
      return -1
    }
    return this.#pop()
  }

  /** As `allocate`, but down to the last frame: for devices that fill their receive rings. */
  allocateForDevice(): number {
    if (this.#top === 0) {
      this.exhausted++
      return -1
    }
    return this.#pop()
  }

  /** Copies bytes of an array of the application's to an address of the region. */
  copyIn(to: number, source: Uint8Array, from = 0, length = source.length - from): void {
    copyBytes(source, from, length, this.bytes, to)
  }

  /** Copies bytes of the region to an array of the application's. */
  copyOut(from: number, length: number, target: Uint8Array, at = 0): void {
    copyBytes(this.bytes, from, length, target, at)
  }

  /** Adds a reader. A frame that is free or foreign is left alone and counted in `misuses`. */
  retain(frame: number): void {
    if (!this.holds(frame)) {
      this.misuses++
      return
    }
    this.counts[frame]++
  }

  /** Drops one reference; at zero the frame is free again. Misuse is refused and counted. */
  release(frame: number): void {
    if (!this.holds(frame)) {
      this.misuses++
      return
    }
    const count = this.counts[frame] - 1
    this.counts[frame] = count
    if (count > 0) return
    this.#free[this.#top++] = frame
    this.#generations[frame]++
  }

  /** References that a frame has: 0 when free. */
  count(frame: number): number {
    return this.counts[frame]
  }

  /**
   * Lives that a frame has ended: moves on whenever it becomes free, and wraps after 2^32. Who kept a frame's number can tell whether
   * it is still what it was.
   */
  generation(frame: number): number {
    return this.#generations[frame]
  }

  /** A handle that was used when it was free already, or whose frames have other owners: always a bug. */
  misused(_what: string): void {
    this.misuses++
  }

  /** Whether `frame` is of this pool and in use. */
  holds(frame: number): boolean {
    return frame >= 0 && frame < this.frameCount && this.counts[frame] > 0
  }

  /**
   * A device says that it now holds the caller's reference, and of which bytes (length 0: it will write). Plain pools
   * keep no record; the debug pool checks that nobody writes what the device reads.
   */
  lend(_frame: number, _offset: number, _length: number): void {}

  /** A device gives back a frame that it will not hand to the application: a completed transmission, say. */
  giveBack(frame: number): void {
    this.release(frame)
  }

  /** A device hands a frame that was lent for receiving to the application, which owns it from now on. */
  handOver(_frame: number): void {}

  #pop(): number {
    const frame = this.#free[--this.#top]
    this.counts[frame] = 1
    return frame
  }
}

/** For the end of a test or a partition. Throws EFAULT when a frame is still out or was ever misused. */
export function assertNoLeaks(pool: FramePool): void {
  const missing = pool.frameCount - pool.available
  if (missing === 0 && pool.misuses === 0) return
  throw new ParakernelError('EFAULT', `${missing} frames were not given back, ${pool.misuses} misuses were counted`, {
    subject: `frame pool of lease ${pool.window.lease}`,
  })
}
