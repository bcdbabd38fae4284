import type {
  BlockCapabilities,
  BlockCounter,
  BlockDevice,
  BlockQueueGrant,
  BlockRange,
  FrameWindow,
} from '@parakernel/hal'
import { MODULE } from '../module.ts'

export type BlockProbeName = 'block-faults' | 'block-recorder' | 'block-trace'

/** The transport of a probe's grant: the grant that it wraps, and what the data half needs to know. Plain data. */
export interface BlockProbeTransport<Settings> {
  readonly probe: BlockProbeName
  readonly inner: BlockQueueGrant
  readonly settings: Settings
}

/** The control half that every probe of block devices shares: grants are wrapped on their way out, and unwrapped on their way back. */
export abstract class BlockProbeDevice<Settings> implements BlockDevice {
  protected readonly inner: BlockDevice
  readonly #probe: BlockProbeName

  constructor(probe: BlockProbeName, inner: BlockDevice) {
    this.#probe = probe
    this.inner = inner
  }

  get name(): string {
    return this.inner.name
  }

  get queues(): number {
    return this.inner.queues
  }

  get capabilities(): BlockCapabilities {
    return this.inner.capabilities
  }

  get namespaces(): ReadonlyMap<number, number> {
    return this.inner.namespaces
  }

  grant(queue: number, range: BlockRange, window: FrameWindow): BlockQueueGrant<BlockProbeTransport<Settings>> {
    const inner = this.inner.grant(queue, range, window)
    return {
      ...inner,
      capabilities: this.capabilities,
      module: MODULE,
      transport: { probe: this.#probe, inner, settings: this.settings(inner) },
    }
  }

  reclaim(grant: BlockQueueGrant): void {
    this.inner.reclaim((grant.transport as BlockProbeTransport<Settings>).inner)
  }

  statistics(): Record<BlockCounter, number> {
    return this.inner.statistics()
  }

  close(): Promise<void> {
    return this.inner.close()
  }

  /** What the data half of a grant gets. */
  protected abstract settings(grant: BlockQueueGrant): Settings
}
