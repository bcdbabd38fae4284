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

/** A device that somebody else owns: everything passes through but `close`. */
export class BorrowedDevice implements NetDevice {
  readonly #device: NetDevice

  constructor(device: NetDevice) {
    this.#device = device
  }

  get name(): string {
    return this.#device.name
  }

  get mac(): MacAddress {
    return this.#device.mac
  }

  get mtu(): number {
    return this.#device.mtu
  }

  get linkUp(): boolean {
    return this.#device.linkUp
  }

  get queues(): number {
    return this.#device.queues
  }

  get capabilities(): NetCapabilities {
    return this.#device.capabilities
  }

  grant(queue: number, window: FrameWindow): NetQueueGrant {
    return this.#device.grant(queue, window)
  }

  reclaim(grant: NetQueueGrant): void {
    this.#device.reclaim(grant)
  }

  steer(rule: SteeringRule): void {
    this.#device.steer(rule)
  }

  clearSteering(): void {
    this.#device.clearSteering()
  }

  statistics(): NetStatistics {
    return this.#device.statistics()
  }

  queueStatistics(queue: number): NetStatistics {
    return this.#device.queueStatistics(queue)
  }

  subscribe(listener: (event: NetDeviceEvent) => void): () => void {
    return this.#device.subscribe(listener)
  }

  async close(): Promise<void> {}
}
