import type { FramePool } from '../memory/frame-pool.ts'
import type { WakeSource } from '../wake.ts'
import type { NetBurst } from './burst.ts'
import type { NetCapabilities } from './capabilities.ts'
import type { ControlBlock } from './control-block.ts'
import type { NetQueue, NetQueueGrant, ReceiveFilter } from './device.ts'
import type { NetCounters } from './statistics.ts'

/** The data half of a decorator: the wrapped queue's own objects, and its calls unless the decorator has its own. */
export abstract class ForwardingQueue implements NetQueue {
  readonly grant: NetQueueGrant
  readonly pool: FramePool
  readonly capabilities: NetCapabilities
  readonly control: ControlBlock
  readonly counters: NetCounters
  readonly wake: WakeSource
  protected readonly inner: NetQueue

  constructor(inner: NetQueue, grant: NetQueueGrant) {
    this.inner = inner
    this.grant = grant
    this.pool = inner.pool
    this.capabilities = inner.capabilities
    this.control = inner.control
    this.counters = inner.counters
    this.wake = inner.wake
  }

  abstract receive(burst: NetBurst): number
  abstract transmit(burst: NetBurst, start?: number): number

  reap(): number {
    return this.inner.reap()
  }

  arm(): boolean {
    return this.inner.arm()
  }

  nextEvent(): number {
    return this.inner.nextEvent?.() ?? Infinity
  }

  setReceiveFilter(filter: ReceiveFilter): void {
    this.inner.setReceiveFilter(filter)
  }

  detach(): void {
    this.inner.detach()
  }
}
