import {
  ControlBlock,
  createPlainRegion,
  type ErrorCode,
  GRANT_ATTACHED,
  GRANT_FREE,
  GRANT_RECLAIMED,
  GRANT_REMOVED,
  type MemoryRegion,
  ParakernelError,
  type PersistentCapabilities,
  type PersistentDevice,
  type PersistentGrant,
  type PersistentRange,
} from '@parakernel/hal'
import { ImageFile } from '../disk/image-file.ts'
import { MODULE_URL } from '../module-url.ts'
import { type DomainMemory, PersistenceDomain } from './domain.ts'
import { type PersistentOptions, resolvePersistent } from './options.ts'
import { EmulatedPersistentRegion, type PersistentTransport } from './region.ts'

interface Held {
  readonly grant: PersistentGrant<PersistentTransport>
  readonly control: ControlBlock
}

let serials = 0

/**
 * Emulated persistent memory with a persistence domain: what was stored is durable when it was flushed and then drained, and power
 * cuts keep any subset of the 8-byte words for which that does not hold.
 */
export class EmulatedPersistentMemory implements PersistentDevice {
  readonly name: string
  readonly byteLength: number
  readonly capabilities: PersistentCapabilities
  readonly #region: MemoryRegion
  readonly #memory: DomainMemory
  readonly #domain: PersistenceDomain
  readonly #file: ImageFile | undefined
  readonly #held = new Map<number, Held>()
  #gone = false

  /**
   * @param content what it holds at first, for example a crash state; `size` bytes, copied
   * @throws EINVAL naming the option, and for a file of another size; EACCES, EIO
   */
  constructor(options: PersistentOptions = {}, content?: Uint8Array) {
    const size = options.size ?? content?.byteLength
    const resolved = resolvePersistent({ ...options, ...(size !== undefined && { size }) })
    this.name = options.name ?? options.path ?? `pmem${++serials}`
    this.byteLength = resolved.size
    this.capabilities = { granularity: resolved.granularity, persistence: resolved.persistence }
    if (content !== undefined && content.byteLength !== this.byteLength) {
      throw this.#error('EINVAL', `content of ${content.byteLength} bytes, not ${this.byteLength}`)
    }
    this.#region = createPlainRegion(this.byteLength)
    this.#memory = PersistenceDomain.allocate(this.byteLength)
    this.#domain = new PersistenceDomain(new Uint8Array(this.#region.buffer, 0, this.byteLength), this.#memory)
    if (content !== undefined) this.#domain.durable.set(content)
    if (options.path !== undefined) this.#file = ImageFile.open(options.path, this.#domain.durable, 1)
    this.#domain.load()
  }

  /** What would survive now for sure. */
  get durable(): Uint8Array {
    return this.#domain.durable
  }

  grant(range: PersistentRange, lease = ++serials): PersistentGrant<PersistentTransport> {
    if (this.#gone) throw this.#error('ENODEV', 'the memory is gone')
    const { byteOffset, byteLength } = range
    const { granularity } = this.capabilities
    const unit = Math.max(8, granularity)
    const whole = Number.isInteger(byteOffset) && Number.isInteger(byteLength) && byteOffset >= 0 && byteLength > 0
    if (!whole || byteOffset + byteLength > this.byteLength) {
      throw this.#error('EINVAL', `bytes ${byteOffset} to ${byteOffset + byteLength} are not in its ${this.byteLength}`)
    }
    if (byteOffset % unit !== 0 || byteLength % unit !== 0) {
      throw this.#error(
        'EINVAL',
        `a range at ${byteOffset} of ${byteLength} bytes is not made of whole lines of ${unit}`,
      )
    }
    for (const { grant, control } of this.#held.values()) {
      const { range: other } = grant
      const apart = other.byteOffset + other.byteLength <= byteOffset || byteOffset + byteLength <= other.byteOffset
      const live = control.state === GRANT_FREE || control.state === GRANT_ATTACHED
      if (live && !apart) {
        throw this.#error(
          'EBUSY',
          `bytes ${other.byteOffset} to ${other.byteOffset + other.byteLength} belong to lease ${grant.lease}`,
          {
            remedy: 'Reclaim that grant first, or take another range',
          },
        )
      }
    }
    const control = new ControlBlock()
    const serial = ++serials
    const grant: PersistentGrant<PersistentTransport> = {
      module: MODULE_URL,
      device: this.name,
      lease,
      range,
      capabilities: this.capabilities,
      transport: {
        serial,
        control: control.buffer,
        region: this.#region,
        domain: this.#memory,
        fd: this.#file?.fd ?? -1,
      },
    }
    this.#held.set(serial, { grant, control })
    return grant
  }

  reclaim(grant: PersistentGrant): void {
    this.#end((grant.transport as PersistentTransport).serial, GRANT_RECLAIMED)
  }

  /** From now on the bytes read as nonsense, and flushing them fails; whole 64-byte lines. */
  poison(offset: number, length: number): void {
    this.#domain.poison(offset, length)
  }

  clearPoison(offset: number, length: number): void {
    this.#domain.clearPoison(offset, length)
  }

  /**
   * Power fails and comes back: the memory holds a random legal remainder, and every grant ends.
   * @param random like `Math.random`
   */
  powerCut(random: () => number): void {
    for (const serial of [...this.#held.keys()]) this.#end(serial, GRANT_REMOVED)
    this.#domain.powerCut(random)
    this.#file?.write(0, this.byteLength)
  }

  /**
   * As a power cut that left exactly this, for example a crash state: every grant ends. Cheaper than a new device.
   * @throws EINVAL for another length
   */
  restore(content: Uint8Array): void {
    if (content.byteLength !== this.byteLength) {
      throw this.#error('EINVAL', `content of ${content.byteLength} bytes, not ${this.byteLength}`)
    }
    for (const serial of [...this.#held.keys()]) this.#end(serial, GRANT_REMOVED)
    this.#domain.durable.set(content)
    this.#domain.load()
    this.#file?.write(0, this.byteLength)
  }

  /** An orderly end: what was stored is durable. */
  async close(): Promise<void> {
    if (this.#gone) return
    this.#gone = true
    for (const serial of [...this.#held.keys()]) this.#end(serial, GRANT_RECLAIMED)
    this.#domain.stage(0, this.byteLength)
    this.#domain.commit(0, this.byteLength)
    if (this.#file === undefined) return
    const written = this.#file.write(0, this.byteLength)
    if (!this.#file.close() || !written) throw this.#error('EIO', 'the image file could not be written')
  }

  #end(serial: number, state: number): void {
    this.#held.get(serial)?.control.end(state)
    this.#held.delete(serial)
  }

  #error(code: ErrorCode, message: string, details: { remedy?: string } = {}): ParakernelError {
    return new ParakernelError(code, message, { subject: this.name, ...details })
  }
}

/** In the thread of the holder, whichever it is. @throws ESTALE */
export function attachPersistent(grant: PersistentGrant<PersistentTransport>): EmulatedPersistentRegion {
  const { region, domain, fd } = grant.transport
  const visible = new Uint8Array(region.buffer, 0, domain.durable.byteLength)
  const views = new PersistenceDomain(visible, domain)
  return new EmulatedPersistentRegion(grant, views, fd < 0 ? undefined : new ImageFile(fd, views.durable, 1))
}
