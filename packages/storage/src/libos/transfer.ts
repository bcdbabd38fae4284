import { type FramePool, ParakernelError } from '@parakernel/hal'
import { allocateSga, type QueueToken, ScatterGatherArray, type Segment } from '@parakernel/queue'
import { FileOperation } from '../files/io/operation.ts'
import type { FrameWaiter } from './frame-waiters.ts'
import type { OpenFile } from './open-file.ts'

export const PUSH = 1
export const POP = 2
export const SYNC = 3
/** A truncation or a hole. */
export const RESHAPE = 4

/** What a transfer calls when it goes on or ends. */
export interface TransferHome {
  readonly pool: FramePool
  isPending(token: QueueToken): boolean
  /** The operation is done. */
  done(transfer: Transfer): void
  /** A pop has its frames, or is not wanted any more. */
  framesCame(transfer: Transfer): void
}

/** One operation under way: the token, and what the volume works on. Used again and again, so that an operation makes no objects of its own but the pop's array. */
export class Transfer implements FrameWaiter {
  readonly operation: FileOperation
  kind = 0
  token = 0 as QueueToken
  of: OpenFile | undefined = undefined
  position = 0
  length = 0
  /** The push is written, and is being made durable. */
  flushing = false
  /** Frames that a pop waits for. */
  frames = 0
  /** The array of a pop. */
  sga: ScatterGatherArray | undefined = undefined
  /** Ended, in the call or later. */
  over = true
  status = 0
  readonly #home: TransferHome

  constructor(home: TransferHome) {
    this.#home = home
    this.operation = new FileOperation(() => home.done(this), 8)
  }

  begin(kind: number, of: OpenFile, token: QueueToken, position: number, length: number): void {
    this.kind = kind
    this.of = of
    this.token = token
    this.position = position
    this.length = length
    this.flushing = false
    this.sga = undefined
    this.over = false
    this.status = 0
    this.operation.begin(position, length)
  }

  /** The bytes of an array, with references of our own. */
  take(sga: ScatterGatherArray): void {
    const { pool } = this.#home
    this.operation.begin(this.position)
    for (const { frame, address, length } of sga.segments) {
      if (length === 0) continue
      pool.retain(frame)
      this.operation.add(frame, address - pool.address(frame), length)
    }
  }

  /** Drops the references that `take` made. */
  drop(): void {
    const { operation } = this
    for (let i = 0; i < operation.segmentCount; i++) this.#home.pool.release(operation.frame[i])
    operation.segmentCount = 0
  }

  /** Room for a pop. False when the frames are gone again. */
  allocate(): boolean {
    const { pool } = this.#home
    try {
      this.sga = allocateSga(pool, this.length)
    } catch (error) {
      if (error instanceof ParakernelError && error.code === 'ENOBUFS') return false
      throw error
    }
    this.operation.begin(this.position)
    for (const { frame, address, length } of this.sga.segments) {
      this.operation.add(frame, address - pool.address(frame), length)
    }
    return true
  }

  /** The array of a pop, of the bytes that there were. */
  popped(): ScatterGatherArray {
    const sga = this.sga as ScatterGatherArray
    this.sga = undefined
    const { transferred } = this.operation
    if (transferred === this.length) return sga
    const segments: Segment[] = []
    let left = transferred
    for (const { frame, address, length } of sga.segments) {
      if (left > 0) segments.push({ frame, address, length: Math.min(left, length) })
      else sga.pool.release(frame)
      left -= length
    }
    return new ScatterGatherArray(sga.pool, segments)
  }

  get wanted(): boolean {
    return this.#home.isPending(this.token)
  }

  proceed(): void {
    this.#home.framesCame(this)
  }
}
