import { ParakernelError } from '../errors.ts'
import { FramePool, type FramePoolOptions } from './frame-pool.ts'
import type { FrameWindow } from './frame-window.ts'

/** What a free frame is filled with, so that a reader of freed memory sees nonsense and a writer is found out. */
export const POISON = 0xdb

/**
 * A `FramePool` that throws EFAULT where the plain one counts, and finds what the plain one cannot: double free, use
 * after free (a write to a free frame is seen when the frame is next taken), a write to a frame while a device
 * transmits it, frames of another pool, and leaks with the place that took them. About 100 times slower.
 */
export class DebugFramePool extends FramePool {
  readonly #takenAt: (Error | undefined)[]
  readonly #lent: Int32Array
  readonly #lentOffset: Int32Array
  readonly #lentLength: Int32Array
  readonly #lentHash: Int32Array

  constructor(window: FrameWindow, options: FramePoolOptions = {}) {
    super(window, options)
    const n = window.frameCount
    this.#takenAt = new Array(n).fill(undefined)
    this.#lent = new Int32Array(n)
    this.#lentOffset = new Int32Array(n)
    this.#lentLength = new Int32Array(n)
    this.#lentHash = new Int32Array(n)
    this.bytes.fill(POISON, this.base, this.base + n * this.frameSize)
  }

  override allocate(): number {
    return this.#taken(super.allocate())
  }

  override allocateForDevice(): number {
    return this.#taken(super.allocateForDevice())
  }

  override retain(frame: number): void {
    this.#mustHold(frame, 'retained')
    super.retain(frame)
  }

  override release(frame: number): void {
    this.#mustHold(frame, 'released')
    if (this.#lent[frame] >= this.counts[frame]) {
      throw this.#fault(frame, 'released while a device holds its last reference (use after transmit)')
    }
    this.#drop(frame)
  }

  override lend(frame: number, offset: number, length: number): void {
    this.#mustHold(frame, 'lent')
    if (this.#lent[frame] >= this.counts[frame]) throw this.#fault(frame, 'lent twice for one reference')
    if (this.#lent[frame]++ > 0) return
    this.#lentOffset[frame] = offset
    this.#lentLength[frame] = length
    this.#lentHash[frame] = this.#hash(frame)
  }

  override giveBack(frame: number): void {
    this.#unlend(frame)
    this.#drop(frame)
  }

  override handOver(frame: number): void {
    this.#unlend(frame)
  }

  override misused(what: string): void {
    throw new ParakernelError('EFAULT', what, { subject: `frame pool of lease ${this.window.lease}` })
  }

  /** Where each frame that is still out was taken: the text of a leak report, empty when there is none. */
  report(): string {
    const lines: string[] = []
    for (let frame = 0; frame < this.frameCount; frame++) {
      if (this.counts[frame] === 0) continue
      const holder = this.#lent[frame] > 0 ? `, ${this.#lent[frame]} of them a device's` : ''
      lines.push(
        `frame ${frame}: ${this.counts[frame]} references${holder}, ${this.#takenAt[frame]?.stack ?? 'unknown'}`,
      )
    }
    return lines.join('\n')
  }

  #taken(frame: number): number {
    if (frame < 0) return frame
    const start = this.address(frame)
    for (let at = start; at < start + this.frameSize; at++) {
      if (this.bytes[at] !== POISON) throw this.#fault(frame, `written at byte ${at - start} after it was freed`)
    }
    this.#takenAt[frame] = new Error('taken here')
    return frame
  }

  #drop(frame: number): void {
    super.release(frame)
    if (this.counts[frame] > 0) return
    this.#takenAt[frame] = undefined
    const start = this.address(frame)
    this.bytes.fill(POISON, start, start + this.frameSize)
  }

  #unlend(frame: number): void {
    if (!this.holds(frame) || this.#lent[frame] === 0) throw this.#fault(frame, 'given back, but no device held it')
    if (this.#lentLength[frame] > 0 && this.#lentHash[frame] !== this.#hash(frame)) {
      throw this.#fault(frame, 'written while a device was transmitting it')
    }
    this.#lent[frame]--
  }

  #mustHold(frame: number, action: string): void {
    if (!this.holds(frame)) throw this.#fault(frame, `${action}, but it is free or not of this pool`)
  }

  #fault(frame: number, what: string): ParakernelError {
    return new ParakernelError('EFAULT', what, { subject: `frame ${frame} of lease ${this.window.lease}` })
  }

  /** FNV-1a over what was lent. */
  #hash(frame: number): number {
    const start = this.address(frame) + this.#lentOffset[frame]
    let hash = 0x811c9dc5
    for (let at = start; at < start + this.#lentLength[frame]; at++) hash = Math.imul(hash ^ this.bytes[at], 0x01000193)
    return hash | 0
  }
}
