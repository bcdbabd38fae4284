import { closeSync, fdatasyncSync } from 'node:fs'
import {
  type BackendContext,
  ControlBlock,
  GRANT_DETACHED,
  GRANT_RECLAIMED,
  GRANT_REMOVED,
  ParakernelError,
  type PersistentCapabilities,
  type PersistentDevice,
  type PersistentGrant,
  type PersistentRange,
} from '@parakernel/hal'
import { unmapFileRegion } from '@parakernel/linux'
import type { PmemOptions } from '../options.ts'
import type { PmemTransport } from '../transport.ts'
import { type Mapping, mapFile } from './mapping.ts'
import { type OpenFile, openFile } from './open-file.ts'
import { poisonedRanges } from './poison.ts'

interface Held {
  readonly grant: PersistentGrant<PmemTransport>
  readonly control: ControlBlock
}

/** A mapped file: owns the descriptor, the lock and the mapping, and hands out ranges of it. */
export class PmemDevice implements PersistentDevice {
  readonly name: string
  readonly byteLength: number
  readonly capabilities: PersistentCapabilities
  /** Which guarantee holds and why, in a sentence. */
  readonly guarantee: string
  readonly #file: OpenFile
  readonly #mapping: Mapping
  readonly #module: string
  readonly #failure = new SharedArrayBuffer(4)
  #held: Held[] = []
  #closed = false

  /** @param module URL that grants name, whose `persistentBackend` attaches them */
  constructor(options: PmemOptions, context: BackendContext, module: string) {
    const warn = context.warn ?? (() => {})
    this.#file = openFile(options, warn)
    try {
      this.#mapping = mapFile(this.#file, options)
    } catch (error) {
      this.#file.abandon()
      throw error
    }
    this.name = this.#file.path
    this.byteLength = this.#file.byteLength
    this.capabilities = this.#mapping.capabilities
    this.guarantee = this.#mapping.guarantee
    this.#module = module
    if (this.#mapping.warning !== undefined) warn(`${this.name}: ${this.#mapping.warning}`)
  }

  grant(range: PersistentRange, lease = 0): PersistentGrant<PmemTransport> {
    if (this.#closed) throw new ParakernelError('ENODEV', 'is closed', { subject: this.name })
    this.#checkRange(range)
    this.#held = this.#held.filter(({ control }) => control.state < GRANT_DETACHED)
    const { byteOffset, byteLength } = range
    const taken = this.#held.find(({ grant: { range: other } }) => {
      return byteOffset < other.byteOffset + other.byteLength && other.byteOffset < byteOffset + byteLength
    })
    if (taken !== undefined) {
      const { range: other, lease: holder } = taken.grant
      throw new ParakernelError(
        'EBUSY',
        `bytes ${byteOffset} to ${byteOffset + byteLength} overlap ${other.byteOffset} to ${other.byteOffset + other.byteLength}, which lease ${holder} holds`,
        { subject: this.name, remedy: 'Detach or reclaim that range first' },
      )
    }
    const control = new ControlBlock()
    const grant: PersistentGrant<PmemTransport> = {
      module: this.#module,
      device: this.name,
      lease,
      range: { byteOffset, byteLength },
      capabilities: this.capabilities,
      transport: {
        process: process.pid,
        region: this.#mapping.region,
        writeBack: this.#mapping.writeBack,
        poisoned: poisonedRanges(this.#file),
        control: control.buffer,
        failure: this.#failure,
      },
    }
    this.#held.push({ grant, control })
    return grant
  }

  reclaim(grant: PersistentGrant): void {
    const { control: buffer } = (grant as PersistentGrant<PmemTransport>).transport
    // By its shared memory, not by the object: a grant may have been cloned.
    const control = new ControlBlock(buffer)
    if (control.state < GRANT_DETACHED) control.end(GRANT_RECLAIMED)
    this.#held = this.#held.filter((held) => held.control.state < GRANT_DETACHED)
  }

  /** Holders that are left get ENODEV, and what they store goes nowhere. @throws EIO when the last write-back fails */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    for (const { control } of this.#held) if (control.state < GRANT_DETACHED) control.end(GRANT_REMOVED)
    this.#held = []
    const { fd, path } = this.#file
    try {
      fdatasyncSync(fd)
    } catch (cause) {
      throw new ParakernelError('EIO', 'the last write-back failed: what was stored may be lost', {
        subject: path,
        cause,
      })
    } finally {
      unmapFileRegion(this.#mapping.region)
      closeSync(fd)
    }
  }

  #checkRange({ byteOffset, byteLength }: PersistentRange): void {
    const { granularity } = this.capabilities
    const whole = Number.isInteger(byteOffset) && Number.isInteger(byteLength)
    if (!whole || byteOffset < 0 || byteLength <= 0 || byteOffset + byteLength > this.byteLength) {
      throw new ParakernelError('EINVAL', `no range of ${byteLength} bytes from ${byteOffset} in ${this.byteLength}`, {
        subject: this.name,
      })
    }
    if (byteOffset % granularity !== 0 || byteLength % granularity !== 0) {
      throw new ParakernelError(
        'EINVAL',
        `${byteLength} bytes from ${byteOffset} are not multiples of ${granularity}`,
        {
          subject: this.name,
          remedy: 'Align the range to the granularity of the device',
        },
      )
    }
  }
}
