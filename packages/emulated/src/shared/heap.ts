import { ParakernelError } from '@parakernel/hal'

interface Block {
  readonly at: number
  readonly size: number
  /** `performance.now()` before which the block stays out of use. */
  readonly notBefore: number
}

/**
 * How long a block that another thread may still be writing to stays out of use. A call of `transmit` or `receive` that was
 * under way when its queue was reclaimed ends within microseconds; ten seconds leave room for a thread that lost its core.
 */
const QUARANTINE_MS = 10_000

/** Hands out blocks of the network's memory behind the tables. Control thread only. */
export class Heap {
  readonly #end: number
  #top: number
  #free: Block[] = []

  constructor(start: number, end: number) {
    this.#top = start
    this.#end = end
  }

  /**
   * @returns the byte offset of a block of at least `size` bytes, aligned to 256; its content is whatever was there.
   * @throws ENOMEM
   */
  allocate(size: number): number {
    const rounded = Math.ceil(size / 256) * 256
    const now = performance.now()
    const reusable = this.#free.findIndex((block) => block.size === rounded && block.notBefore <= now)
    if (reusable >= 0) return this.#free.splice(reusable, 1)[0].at
    if (this.#top + rounded > this.#end) {
      throw new ParakernelError('ENOMEM', `no room for ${rounded} more bytes of rings`, {
        subject: 'emulated network',
        remedy: 'Create the network with a larger `memory`, or its NICs with a smaller `ringSize` or fewer queues',
      })
    }
    const at = this.#top
    this.#top += rounded
    return at
  }

  /** @param quarantined another thread may be in the middle of using it. */
  release(at: number, size: number, quarantined: boolean): void {
    const notBefore = quarantined ? performance.now() + QUARANTINE_MS : 0
    this.#free.push({ at, size: Math.ceil(size / 256) * 256, notBefore })
  }
}
