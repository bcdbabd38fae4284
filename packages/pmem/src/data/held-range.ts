import {
  type ByteRanges,
  type ControlBlock,
  GRANT_ATTACHED,
  GRANT_DETACHED,
  GRANT_REMOVED,
  type MemoryRegion,
  ParakernelError,
  type PersistentCapabilities,
  type PersistentGrant,
  type PersistentRegion,
  takeControl,
} from '@parakernel/hal'
import type { PmemTransport } from '../transport.ts'

/** A range in the thread of its holder: what is the same however stores are written back. */
export abstract class HeldRange implements PersistentRegion {
  readonly name: string
  readonly grant: PersistentGrant<PmemTransport>
  readonly region: MemoryRegion
  readonly byteOffset: number
  readonly byteLength: number
  readonly capabilities: PersistentCapabilities
  /** Pairs of offset and length, relative to the range; empty almost always. */
  readonly #poisoned: number[]
  readonly #control: ControlBlock

  constructor(grant: PersistentGrant<PmemTransport>) {
    const { device, range, capabilities, transport } = grant
    this.name = `${device} bytes ${range.byteOffset} to ${range.byteOffset + range.byteLength}`
    if (transport.process !== process.pid) {
      throw new ParakernelError('ENOTSUP', `was granted in process ${transport.process}`, {
        subject: this.name,
        remedy: 'Attach it in a thread of that process, or give this process a file of its own',
      })
    }
    this.#control = takeControl(transport.control, this.name)
    this.grant = grant
    this.region = transport.region
    this.byteOffset = range.byteOffset
    this.byteLength = range.byteLength
    this.capabilities = capabilities
    this.#poisoned = within(transport.poisoned, range.byteOffset, range.byteLength)
  }

  abstract flush(ranges: ByteRanges): void
  abstract drain(): void
  abstract persist(ranges: ByteRanges): void
  protected abstract release(): void

  poisonedFrom(offset: number): number {
    for (let i = 0; i < this.#poisoned.length; i += 2) {
      const start = this.#poisoned[i]
      if (offset < start + this.#poisoned[i + 1]) return Math.max(start, offset)
    }
    return -1
  }

  detach(): void {
    this.#control.transition(GRANT_ATTACHED, GRANT_DETACHED)
    this.release()
  }

  /** @throws ESTALE or ENODEV when the range is no longer this holder's */
  checkHeld(): void {
    if (this.#control.state === GRANT_ATTACHED) return
    if (this.#control.state === GRANT_REMOVED) {
      throw new ParakernelError('ENODEV', 'the device is closed', { subject: this.name })
    }
    throw new ParakernelError('ESTALE', 'was given back or taken away', { subject: this.name })
  }

  /** All ranges before any is touched. @throws EINVAL, EIO, and as `checkHeld` */
  protected check(ranges: ByteRanges): void {
    this.checkHeld()
    if ((ranges.length & 1) !== 0) throw this.#invalid(`${ranges.length} numbers are no pairs of offset and length`)
    for (let i = 0; i < ranges.length; i += 2) {
      const offset = ranges[i]
      const length = ranges[i + 1]
      if (
        !(offset >= 0 && length >= 0 && offset + length <= this.byteLength) ||
        !Number.isInteger(offset) ||
        !Number.isInteger(length)
      ) {
        throw this.#invalid(`no ${length} bytes from ${offset} in ${this.byteLength}`)
      }
      this.checkPoison(offset, length)
    }
  }

  /** @throws EIO for a range of which a byte is poisoned */
  checkPoison(offset: number, length: number): void {
    if (this.#poisoned.length === 0) return
    const bad = this.poisonedFrom(offset)
    if (bad === -1 || bad >= offset + length) return
    throw new ParakernelError('EIO', `byte ${bad} lies on a bad block of the device`, {
      subject: this.name,
      remedy: 'Restore the range from a copy, in another place or after the block was cleared',
    })
  }

  #invalid(message: string): ParakernelError {
    return new ParakernelError('EINVAL', message, { subject: this.name })
  }
}

/** The parts of the device's ranges that lie in one lease, relative to it. */
function within(ranges: readonly number[], byteOffset: number, byteLength: number): number[] {
  const parts: number[] = []
  for (let i = 0; i < ranges.length; i += 2) {
    const from = Math.max(ranges[i] - byteOffset, 0)
    const to = Math.min(ranges[i] + ranges[i + 1] - byteOffset, byteLength)
    if (from < to) parts.push(from, to - from)
  }
  return parts
}
