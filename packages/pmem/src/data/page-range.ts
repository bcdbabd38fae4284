import { type ByteRanges, ParakernelError, type PersistentGrant } from '@parakernel/hal'
import { regionAddress, syncMapping } from '@parakernel/linux'
import { PAGE } from '../control/mapping.ts'
import type { PmemTransport } from '../transport.ts'
import { HeldRange } from './held-range.ts'

/**
 * Writes back by msync. A flush notes its pages and the drain sends them: one system call from the first page noted to
 * the last, whatever their number, because each msync waits for the device's cache anew. Pages in between that were stored
 * to go along.
 */
export class PageRange extends HeldRange {
  readonly #address: number
  readonly #failure: Int32Array
  /** Pages noted, from `first` up to `end`, in bytes; none when `end` is 0. */
  #first = 0
  #end = 0

  constructor(grant: PersistentGrant<PmemTransport>) {
    super(grant)
    this.#address = regionAddress(this.region) + this.byteOffset
    this.#failure = new Int32Array(grant.transport.failure)
  }

  flush(ranges: ByteRanges): void {
    this.check(ranges)
    for (let i = 0; i < ranges.length; i += 2) {
      const length = ranges[i + 1]
      if (length === 0) continue
      const first = ranges[i] - (ranges[i] % PAGE)
      const end = Math.ceil((ranges[i] + length) / PAGE) * PAGE
      if (this.#end === 0 || first < this.#first) this.#first = first
      if (end > this.#end) this.#end = end
    }
  }

  /**
   * @throws EIO when the write-back failed, and at every later drain with something to write, of every holder: the kernel reports
   * a failure once and then takes the pages for clean, so that a success after it would mean nothing.
   */
  drain(): void {
    this.checkHeld()
    if (this.#end === 0) return
    if (Atomics.load(this.#failure, 0) !== 0) throw this.#failed()
    try {
      syncMapping(this.#address + this.#first, this.#end - this.#first, this.name)
    } catch (cause) {
      Atomics.store(this.#failure, 0, 1)
      throw this.#failed(cause)
    }
    this.#end = 0
  }

  persist(ranges: ByteRanges): void {
    this.flush(ranges)
    this.drain()
  }

  protected release(): void {
    this.#end = 0
  }

  #failed(cause?: unknown): ParakernelError {
    return new ParakernelError('EIO', 'a write-back failed: what was stored since the last drain may be lost', {
      subject: this.name,
      remedy: 'Close the device, repair what is under it, and recover from what the file holds',
      ...(cause !== undefined && { cause }),
    })
  }
}
