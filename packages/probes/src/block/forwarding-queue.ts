import type {
  BlockBurst,
  BlockCapabilities,
  BlockCompletions,
  BlockCounter,
  BlockQueue,
  BlockQueueGrant,
  ControlBlock,
  Counters,
  FramePool,
  WakeSource,
} from '@parakernel/hal'

/** The data half that every probe of block devices shares: the wrapped queue's own objects, and its calls unless a probe has its own. */
export abstract class ForwardingBlockQueue implements BlockQueue {
  readonly grant: BlockQueueGrant
  readonly pool: FramePool
  readonly capabilities: BlockCapabilities
  readonly control: ControlBlock
  readonly counters: Counters<BlockCounter>
  readonly wake: WakeSource
  protected readonly inner: BlockQueue

  constructor(inner: BlockQueue, grant: BlockQueueGrant) {
    this.inner = inner
    this.grant = grant
    this.pool = inner.pool
    this.capabilities = inner.capabilities
    this.control = inner.control
    this.counters = inner.counters
    this.wake = inner.wake
  }

  abstract submit(burst: BlockBurst, start?: number): number
  abstract complete(completions: BlockCompletions): number

  arm(): boolean {
    return this.inner.arm()
  }

  nextEvent(): number {
    return this.inner.nextEvent?.() ?? Number.POSITIVE_INFINITY
  }

  detach(): void {
    this.inner.detach()
  }
}
