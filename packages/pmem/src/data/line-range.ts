import type { ByteRanges, MemoryRegion, PersistentCopy, PersistentGrant } from '@parakernel/hal'
import { CacheLineWriteBack, regionAddress, type WriteBackInstruction } from '@parakernel/linux'
import type { PmemTransport } from '../transport.ts'
import { HeldRange } from './held-range.ts'
import { StreamedCopy } from './streamed-copy.ts'

/**
 * Writes back by cache line, without a system call. What a durable record costs is the fence, about 150 ns with the lines that
 * it waits for; the foreign call takes 26 ns, and a line 5 ns more.
 */
export class LineRange extends HeldRange {
  readonly #writeBack: CacheLineWriteBack
  /** The caches outlive a power failure: there is nothing to write back, only stores to wait for. */
  readonly #fenceOnly: boolean
  readonly #copies: StreamedCopy[] = []

  constructor(grant: PersistentGrant<PmemTransport>, instruction: WriteBackInstruction, fenceOnly: boolean) {
    super(grant)
    this.#writeBack = new CacheLineWriteBack(regionAddress(this.region) + this.byteOffset, instruction)
    this.#fenceOnly = fenceOnly
  }

  flush(ranges: ByteRanges): void {
    this.check(ranges)
    if (this.#fenceOnly) return
    this.#stage(ranges)
    this.#writeBack.flush()
  }

  drain(): void {
    this.checkHeld()
    this.#writeBack.drain()
  }

  persist(ranges: ByteRanges): void {
    this.check(ranges)
    if (!this.#fenceOnly) this.#stage(ranges)
    this.#writeBack.persist()
  }

  copyFrom(source: MemoryRegion): PersistentCopy {
    this.checkHeld()
    let copy = this.#copies.find((one) => one.source.memory === source.memory)
    if (copy === undefined) {
      copy = new StreamedCopy(this, source)
      this.#copies.push(copy)
    }
    return copy
  }

  protected release(): void {
    this.#writeBack.close()
    for (const copy of this.#copies.splice(0)) copy.close()
  }

  #stage(ranges: ByteRanges): void {
    for (let i = 0; i < ranges.length; i += 2) {
      if (ranges[i + 1] > 0) this.#writeBack.stage(ranges[i], ranges[i + 1])
    }
  }
}
