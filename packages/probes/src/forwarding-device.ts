import type {
  FrameWindow,
  MacAddress,
  NetCapabilities,
  NetDevice,
  NetDeviceEvent,
  NetQueueGrant,
  NetStatistics,
  SteeringRule,
} from '@parakernel/hal'
import type { ProbeGrant } from './grant.ts'

/** The control half that every probe shares: all calls go to the wrapped device, grants are wrapped on their way out. */
export abstract class ForwardingDevice<Settings> implements NetDevice {
  protected readonly inner: NetDevice

  constructor(inner: NetDevice) {
    this.inner = inner
  }

  get name(): string {
    return this.inner.name
  }

  get mac(): MacAddress {
    return this.inner.mac
  }

  get mtu(): number {
    return this.inner.mtu
  }

  get linkUp(): boolean {
    return this.inner.linkUp
  }

  get queues(): number {
    return this.inner.queues
  }

  get capabilities(): NetCapabilities {
    return this.inner.capabilities
  }

  grant(queue: number, window: FrameWindow): ProbeGrant<Settings> {
    return this.wrap(this.inner.grant(queue, window))
  }

  reclaim(grant: NetQueueGrant): void {
    this.inner.reclaim((grant as ProbeGrant<Settings>).transport.inner)
  }

  steer(rule: SteeringRule): void {
    this.inner.steer(rule)
  }

  clearSteering(): void {
    this.inner.clearSteering()
  }

  statistics(): NetStatistics {
    return this.inner.statistics()
  }

  queueStatistics(queue: number): NetStatistics {
    return this.inner.queueStatistics(queue)
  }

  subscribe(listener: (event: NetDeviceEvent) => void): () => void {
    return this.inner.subscribe(listener)
  }

  close(): Promise<void> {
    return this.inner.close()
  }

  protected abstract wrap(grant: NetQueueGrant): ProbeGrant<Settings>
}
