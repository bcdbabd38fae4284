import type { FramePool } from '@parakernel/hal'
import { TimerTable } from '../timer-table.ts'
import { SharedFrame } from './shared-frame.ts'

/** Enough memory: buffers may grow. */
export const MEMORY_NORMAL = 0
/** Buffers stop growing, small slices are copied together, windows open no further. */
export const MEMORY_PRESSURE = 1
/** Data out of order is given back, and of data in order only so much is taken as keeps a connection alive (`leastFrames`). */
export const MEMORY_CRITICAL = 2

/** See `leastFrames`. */
const LEAST_FRAMES = 8

export type MemoryLevel = typeof MEMORY_NORMAL | typeof MEMORY_PRESSURE | typeof MEMORY_CRITICAL

/**
 * What all TCP sockets of a stack hold, counted in frames: a byte that keeps a frame from being reused costs the frame.
 * The level follows from the own bound and from how many frames the pool has left, whoever took them.
 */
export class TcpMemory {
  readonly pool: FramePool
  readonly timers = new TimerTable()
  /** Frames that all sockets together may hold before new data out of order is refused. */
  readonly limit: number
  /** References to frames that the sockets hold now. */
  frames = 0
  /** For bytes so few that they are better copied than held. */
  readonly shared: SharedFrame
  /** Times that data out of order was given back for want of memory. */
  reneged = 0
  readonly #pressureAt: number
  readonly #poolPressureAt: number
  readonly #poolScarceAt: number

  /** @param limit in frames; a quarter of them is kept for times of pressure */
  constructor(pool: FramePool, limit: number) {
    this.pool = pool
    this.limit = limit
    this.shared = new SharedFrame(pool)
    this.#pressureAt = limit - (limit >>> 2)
    const usable = pool.frameCount - pool.deviceReserve
    this.#poolPressureAt = pool.deviceReserve + (usable >>> 3)
    this.#poolScarceAt = pool.deviceReserve + (usable >>> 4)
  }

  get level(): MemoryLevel {
    const { pool, frames } = this
    if (frames >= this.limit || pool.belowWatermark) return MEMORY_CRITICAL
    if (frames >= this.#pressureAt || pool.available <= this.#poolPressureAt) return MEMORY_PRESSURE
    return MEMORY_NORMAL
  }

  /**
   * Frames that any connection may hold while memory is critical: some, so that one whose reader keeps up goes on; the fewer, the
   * fewer are left; and none where there is no frame left to send an ACK from.
   */
  get leastFrames(): number {
    const { available } = this.pool
    if (available > this.#poolScarceAt) return LEAST_FRAMES
    return this.pool.belowWatermark ? 0 : 1
  }
}

/** What one socket holds of it, and how much of that may be out of order. */
export class MemoryBudget {
  readonly memory: TcpMemory
  /** References to frames that this socket's receive queue holds. */
  frames = 0
  /** The same of its send queue: what is sent is paid for by the application, and bounded by the send buffer. */
  sendFrames = 0
  /**
   * Frames from which on the receive queue copies whatever fits into a frame that it has, and refuses data out of order: about twice
   * what the receive buffer needs in full segments. Follows the buffer's size (`fitTo`).
   */
  limit: number

  constructor(memory: TcpMemory, receiveBuffer: number) {
    this.memory = memory
    this.limit = 0
    this.fitTo(receiveBuffer)
  }

  /** The receive buffer has now so many bytes. */
  fitTo(receiveBuffer: number): void {
    this.limit = 16 + Math.ceil((2 * receiveBuffer) / this.memory.pool.frameSize)
  }

  /** Whether frames are to be saved, at the price of copying. */
  get isTight(): boolean {
    return this.frames >= this.limit || this.memory.level !== MEMORY_NORMAL
  }

  /** Whether another frame may be held for data that its sender will send again. */
  get allowsOutOfOrder(): boolean {
    return this.frames < this.limit && this.memory.level !== MEMORY_CRITICAL
  }

  /**
   * Whether more data in order may be held beside `slices` of it. Its sender has it still: to it, data that is refused was lost on
   * the way.
   */
  allowsInOrder(slices: number): boolean {
    const { memory } = this
    return memory.level !== MEMORY_CRITICAL || slices < memory.leastFrames
  }

  charge(frames: number): void {
    this.frames += frames
    this.memory.frames += frames
  }

  credit(frames: number): void {
    this.frames -= frames
    this.memory.frames -= frames
  }

  chargeSend(frames: number): void {
    this.sendFrames += frames
    this.memory.frames += frames
  }

  creditSend(frames: number): void {
    this.sendFrames -= frames
    this.memory.frames -= frames
  }
}
