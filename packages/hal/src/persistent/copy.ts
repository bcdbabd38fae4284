import { ParakernelError } from '../errors.ts'
import { copyBytes } from '../memory/copy-bytes.ts'
import type { MemoryRegion } from '../memory/region.ts'
import type { PersistentRegion } from './region.ts'

/** Copies from one memory into one persistent region; ranges that overlap each other are not for it. Allocates nothing. */
export interface PersistentCopy {
  /**
   * `length` bytes at `from` of the source to `offset` of the region, as stores and a `flush` of them.
   * @throws EINVAL outside of either, and as `flush`
   */
  copy(offset: number, from: number, length: number): void
  /** `copy` and `drain` in one step. */
  persist(offset: number, from: number, length: number): void
}

/** The quickest way there is from `source` into `region`. Made once; it ends with the region. */
export function persistentCopy(region: PersistentRegion, source: MemoryRegion): PersistentCopy {
  return region.copyFrom?.(source) ?? new StoringCopy(region, source)
}

/** By plain stores, which every region takes. */
class StoringCopy implements PersistentCopy {
  readonly #region: PersistentRegion
  readonly #source: Uint8Array
  readonly #target: Uint8Array
  readonly #range = new Float64Array(2)

  constructor(region: PersistentRegion, source: MemoryRegion) {
    this.#region = region
    this.#source = new Uint8Array(source.buffer)
    this.#target = new Uint8Array(region.region.buffer, region.byteOffset, region.byteLength)
  }

  copy(offset: number, from: number, length: number): void {
    this.#store(offset, from, length)
    this.#region.flush(this.#range)
  }

  persist(offset: number, from: number, length: number): void {
    this.#store(offset, from, length)
    this.#region.persist(this.#range)
  }

  #store(offset: number, from: number, length: number): void {
    checkPersistentCopy(this.#region, this.#source.length, offset, from, length)
    copyBytes(this.#source, from, length, this.#target, offset)
    this.#range[0] = offset
    this.#range[1] = length
  }
}

/** @throws EINVAL for a copy that does not lie within the source, of `sourceLength` bytes, and within the region */
export function checkPersistentCopy(
  region: PersistentRegion,
  sourceLength: number,
  offset: number,
  from: number,
  length: number,
): void {
  const whole = Number.isInteger(offset) && Number.isInteger(from) && Number.isInteger(length)
  if (whole && offset >= 0 && from >= 0 && length >= 0) {
    if (offset + length <= region.byteLength && from + length <= sourceLength) return
  }
  throw new ParakernelError(
    'EINVAL',
    `no ${length} bytes from ${from} of ${sourceLength} to ${offset} of ${region.byteLength}`,
    { subject: region.name },
  )
}
