import {
  attachPersistentRegion,
  type ByteRanges,
  type MemoryRegion,
  ParakernelError,
  type PersistentAttachContext,
  type PersistentCapabilities,
  type PersistentDevice,
  type PersistentGrant,
  type PersistentRange,
  type PersistentRegion,
} from '@parakernel/hal'
import { MODULE } from '../module.ts'
import { PersistentRecording, WORD } from './persistent-recording.ts'
import type { Mutation, Recording } from './recording.ts'

export interface RecordPersistentOptions {
  /** What the device holds now. Default: a copy of its `durable`, as emulated memory has, else zeroes. */
  readonly base?: Uint8Array
  readonly mutation?: Mutation
}

interface RecorderTransport {
  readonly recorder: number
  readonly inner: PersistentGrant
}

const recorders = new Map<number, PersistentRecording>()
let serials = 0

/** Wraps persistent memory so that its stores, flushes and drains are recorded. Regions stay in this thread, because the recording does. */
export function recordPersistent(
  device: PersistentDevice & { readonly durable?: Uint8Array },
  options: RecordPersistentOptions = {},
): { readonly device: PersistentDevice; readonly recording: Recording } {
  const base = new Uint8Array(device.byteLength)
  const source = options.base ?? device.durable
  if (source !== undefined) base.set(source)
  const recording = new PersistentRecording(device.name, base, device.capabilities.granularity, options.mutation)
  return { device: new RecordingPersistentDevice(device, recording), recording }
}

class RecordingPersistentDevice implements PersistentDevice {
  readonly name: string
  readonly byteLength: number
  readonly capabilities: PersistentCapabilities
  readonly #inner: PersistentDevice
  readonly #recorder = ++serials

  constructor(inner: PersistentDevice, recording: PersistentRecording) {
    this.name = inner.name
    this.byteLength = inner.byteLength
    this.capabilities = inner.capabilities
    this.#inner = inner
    recorders.set(this.#recorder, recording)
  }

  grant(range: PersistentRange, lease?: number): PersistentGrant<RecorderTransport> {
    if (range.byteOffset % WORD !== 0 || range.byteLength % WORD !== 0) {
      throw new ParakernelError('EINVAL', 'a range that is recorded begins and ends at multiples of 8', {
        subject: this.name,
      })
    }
    const inner = this.#inner.grant(range, lease)
    return { ...inner, module: MODULE, transport: { recorder: this.#recorder, inner } }
  }

  reclaim(grant: PersistentGrant): void {
    this.#inner.reclaim((grant.transport as RecorderTransport).inner)
  }

  async close(): Promise<void> {
    recorders.delete(this.#recorder)
    await this.#inner.close()
  }
}

class RecordingRegion implements PersistentRegion {
  readonly name: string
  readonly grant: PersistentGrant
  readonly region: MemoryRegion
  readonly byteOffset: number
  readonly byteLength: number
  readonly capabilities: PersistentCapabilities
  readonly #inner: PersistentRegion
  readonly #recording: PersistentRecording
  readonly #memory: Uint8Array

  constructor(inner: PersistentRegion, grant: PersistentGrant, recording: PersistentRecording) {
    this.name = inner.name
    this.grant = grant
    this.region = inner.region
    this.byteOffset = inner.byteOffset
    this.byteLength = inner.byteLength
    this.capabilities = inner.capabilities
    this.#inner = inner
    this.#recording = recording
    this.#memory = new Uint8Array(inner.region.buffer, inner.byteOffset, inner.byteLength)
  }

  flush(ranges: ByteRanges): void {
    this.#observe()
    this.#inner.flush(ranges)
    if (!this.#recording.beginFlush()) return
    const { byteOffset } = this.grant.range
    for (let i = 0; i < ranges.length; i += 2) {
      if (ranges[i + 1] > 0) this.#recording.flush(byteOffset + ranges[i], ranges[i + 1])
    }
  }

  drain(): void {
    this.#observe()
    this.#inner.drain()
    this.#recording.drain()
  }

  persist(ranges: ByteRanges): void {
    this.flush(ranges)
    this.drain()
  }

  poisonedFrom(offset: number): number {
    return this.#inner.poisonedFrom(offset)
  }

  detach(): void {
    this.#observe()
    this.#inner.detach()
  }

  #observe(): void {
    this.#recording.observe(this.#memory, this.grant.range.byteOffset)
  }
}

/** What `attachPersistentRegion` finds in this package's module. */
export const persistentBackend = {
  /** @throws ENOTSUP in another thread than the recorder's */
  async attach(grant: PersistentGrant, context: PersistentAttachContext): Promise<PersistentRegion> {
    const { recorder, inner } = grant.transport as RecorderTransport
    const recording = recorders.get(recorder)
    if (recording === undefined) {
      throw new ParakernelError('ENOTSUP', 'recorded memory stays in the thread that records', {
        subject: `${grant.device} lease ${grant.lease}`,
      })
    }
    return new RecordingRegion(await attachPersistentRegion(inner, context), grant, recording)
  },
}
