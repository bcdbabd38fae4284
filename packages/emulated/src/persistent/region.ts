import {
  type ByteRanges,
  type ControlBlock,
  GRANT_ATTACHED,
  GRANT_DETACHED,
  type MemoryRegion,
  ParakernelError,
  type PersistentCapabilities,
  type PersistentGrant,
  type PersistentRegion,
  takeControl,
} from '@parakernel/hal'
import type { ImageFile } from '../disk/image-file.ts'
import type { DomainMemory, PersistenceDomain } from './domain.ts'

/** The emulated part of a grant: plain clonable data. */
export interface PersistentTransport {
  readonly serial: number
  readonly control: SharedArrayBuffer
  readonly region: MemoryRegion
  readonly domain: DomainMemory
  /** Of the image file, or -1. */
  readonly fd: number
}

/** Ranges that may be flushed before a drain without the list growing. */
const PENDING = 256

/** A holder's view of a range of emulated persistent memory. Flushes and drains are copies between arrays. */
export class EmulatedPersistentRegion implements PersistentRegion {
  readonly name: string
  readonly grant: PersistentGrant
  readonly region: MemoryRegion
  readonly byteOffset: number
  readonly byteLength: number
  readonly capabilities: PersistentCapabilities
  readonly #control: ControlBlock
  readonly #domain: PersistenceDomain
  readonly #file: ImageFile | undefined
  readonly #granularity: number
  /** Pairs of offset and length in the device, flushed and not drained. */
  #pending = new Float64Array(2 * PENDING)
  #count = 0

  /** @throws ESTALE for a grant that is over or in use */
  constructor(grant: PersistentGrant<PersistentTransport>, domain: PersistenceDomain, file: ImageFile | undefined) {
    this.#control = takeControl(grant.transport.control, `${grant.device} lease ${grant.lease}`)
    this.name = grant.device
    this.grant = grant
    this.region = grant.transport.region
    this.byteOffset = grant.range.byteOffset
    this.byteLength = grant.range.byteLength
    this.capabilities = grant.capabilities
    this.#domain = domain
    this.#file = file
    this.#granularity = grant.capabilities.granularity
  }

  flush(ranges: ByteRanges): void {
    this.#checkLive()
    for (let i = 0; i < ranges.length; i += 2) this.#check(ranges[i], ranges[i + 1])
    for (let i = 0; i < ranges.length; i += 2) this.#stage(ranges[i], ranges[i + 1])
  }

  drain(): void {
    this.#checkLive()
    const pending = this.#pending
    for (let i = 0; i < this.#count; i++) this.#domain.commit(pending[2 * i], pending[2 * i + 1])
    if (this.#file !== undefined) this.#writeFile()
    this.#count = 0
  }

  persist(ranges: ByteRanges): void {
    this.flush(ranges)
    this.drain()
  }

  poisonedFrom(offset: number): number {
    const at = this.#domain.poisonedFrom(this.byteOffset + offset, this.byteOffset + this.byteLength)
    return at < 0 ? -1 : at - this.byteOffset
  }

  detach(): void {
    this.#control.transition(GRANT_ATTACHED, GRANT_DETACHED)
  }

  /** Whole lines of the range, which is a multiple of them. */
  #stage(offset: number, length: number): void {
    if (length === 0) return
    const line = this.#granularity
    const first = Math.floor((this.byteOffset + offset) / line) * line
    const end = Math.ceil((this.byteOffset + offset + length) / line) * line
    this.#domain.stage(first, end - first)
    if (2 * this.#count === this.#pending.length) {
      const larger = new Float64Array(2 * this.#pending.length)
      larger.set(this.#pending)
      this.#pending = larger
    }
    this.#pending[2 * this.#count] = first
    this.#pending[2 * this.#count + 1] = end - first
    this.#count++
  }

  #writeFile(): void {
    const pending = this.#pending
    for (let i = 0; i < this.#count; i++) {
      if (this.#file?.write(pending[2 * i], pending[2 * i + 1]) === false) {
        throw new ParakernelError('EIO', 'the image file could not be written', { subject: this.name })
      }
    }
  }

  #check(offset: number, length: number): void {
    const valid = Number.isInteger(offset) && Number.isInteger(length) && offset >= 0 && length >= 0
    if (!valid || offset + length > this.byteLength) {
      throw new ParakernelError('EINVAL', `bytes ${offset} to ${offset + length} are not in its ${this.byteLength}`, {
        subject: `${this.name} lease ${this.grant.lease}`,
      })
    }
    const poisoned = this.#domain.poisonedFrom(this.byteOffset + offset, this.byteOffset + offset + length)
    if (poisoned >= 0) {
      throw new ParakernelError('EIO', `byte ${poisoned - this.byteOffset} is poisoned`, {
        subject: `${this.name} lease ${this.grant.lease}`,
        remedy: 'Give the range up, or have its poison cleared',
      })
    }
  }

  #checkLive(): void {
    if (this.#control.state === GRANT_ATTACHED) return
    throw new ParakernelError('ESTALE', 'the lease is over', { subject: `${this.name} lease ${this.grant.lease}` })
  }
}
