import { ParakernelError } from '../errors.ts'
import type { FilterExpression } from '../filter/expression.ts'
import type { FrameWindow } from '../memory/frame-window.ts'
import type { NetCapabilities } from './capabilities.ts'
import type { NetDevice, NetDeviceEvent, NetQueueGrant, SteeringRule } from './device.ts'
import type { MacAddress } from './mac-address.ts'
import type { NetStatistics } from './statistics.ts'

/** Hands every call to another device: what a decorator extends, to change only what it is about. */
export class ForwardingDevice implements NetDevice {
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

  grant(queue: number, window: FrameWindow): NetQueueGrant {
    return this.inner.grant(queue, window)
  }

  reclaim(grant: NetQueueGrant): void {
    this.inner.reclaim(grant)
  }

  steer(rule: SteeringRule): void {
    this.inner.steer(rule)
  }

  clearSteering(): void {
    this.inner.clearSteering()
  }

  setPacketFilter(queue: number, expression: FilterExpression | undefined): void {
    if (this.inner.setPacketFilter === undefined) throw noPacketFilter(this.name)
    this.inner.setPacketFilter(queue, expression)
  }

  statistics(): NetStatistics {
    return this.inner.statistics()
  }

  queueStatistics(queue: number): NetStatistics {
    return this.inner.queueStatistics(queue)
  }

  queueBacklog(queue: number): number | undefined {
    return this.inner.queueBacklog?.(queue)
  }

  subscribe(listener: (event: NetDeviceEvent) => void): () => void {
    return this.inner.subscribe(listener)
  }

  close(): Promise<void> {
    return this.inner.close()
  }
}

export function noPacketFilter(subject: string): ParakernelError {
  return new ParakernelError('ENOTSUP', 'the device filters no packets by expression', {
    subject,
    remedy: 'Filter in software',
  })
}
