import {
  ControlBlock,
  type FrameWindow,
  GRANT_RECLAIMED,
  GRANT_REMOVED,
  type MacAddress,
  NET_COUNTERS,
  type NetCapabilities,
  NetCounters,
  type NetDevice,
  type NetDeviceEvent,
  type NetQueueGrant,
  type NetStatistics,
  ParakernelError,
  RX_DROPPED_RING_FULL,
  sumCounters,
  WAKE_UPS,
  WakeWord,
} from '@parakernel/hal'
import { PacketRing, packetRingBuffer, RING_SLOTS } from './packet-ring.ts'
import type { LoopbackTransport } from './queue.ts'

/** One granted queue, as the control half and the cable see it. */
interface Granted {
  readonly grant: NetQueueGrant<LoopbackTransport>
  readonly control: ControlBlock
  readonly wake: WakeWord
  readonly toDevice: PacketRing
  readonly fromDevice: PacketRing
}

/** The control half: grants queues, keeps the statistics, tells of events, and plays the cable (`deliver`, `take`). */
export class LoopbackDevice implements NetDevice {
  readonly name: string
  readonly queues: number
  readonly capabilities: NetCapabilities
  mac: MacAddress = '02:00:00:00:00:01'
  mtu = 1500
  linkUp = true
  readonly #module: string
  readonly #granted: (Granted | undefined)[]
  /** One for each queue, as long as the device lives, so that the counts of ended grants remain. */
  readonly #counters: NetCounters[]
  readonly #listeners = new Set<(event: NetDeviceEvent) => void>()
  #gone = false
  #serial = 0

  constructor(name: string, queues: number, module: string) {
    this.name = name
    this.queues = queues
    this.#module = module
    this.#granted = new Array(queues).fill(undefined)
    this.#counters = Array.from({ length: queues }, () => new NetCounters())
    this.capabilities = {
      columns: 0,
      checksum: { verifies: false, computes: false },
      partialChecksums: 'never',
      transmitSegmentation: 0,
      receiveSegmentation: 0,
      maxChain: 1,
      transmitAlignment: 1,
      maxPacket: 1514,
      maxSuperPacket: 1514,
      ringSize: RING_SLOTS,
      steering: false,
      rss: 'none',
      receiveFilter: false,
      attach: 'worker',
      // A memfd would do as well, but a device promises what was tried.
      regions: ['plain'],
    }
  }

  grant(queue: number, window: FrameWindow): NetQueueGrant<LoopbackTransport> {
    const fail = (code: 'ENODEV' | 'EINVAL' | 'EBUSY' | 'ENOTSUP', message: string) =>
      new ParakernelError(code, message, { subject: `${this.name} queue ${queue}` })
    if (this.#gone) throw fail('ENODEV', 'the device is gone')
    if (!Number.isInteger(queue) || queue < 0 || queue >= this.queues) throw fail('EINVAL', 'there is no such queue')
    if (!this.capabilities.regions.includes(window.region.kind))
      throw fail('ENOTSUP', `no ${window.region.kind} memory`)
    if (this.#granted[queue] !== undefined) throw fail('EBUSY', 'the queue has an owner')
    const control = new ControlBlock()
    control.linkUp = this.linkUp
    control.mtu = this.mtu
    control.mac = this.mac
    const transport = { serial: this.#serial++, toDevice: packetRingBuffer(), fromDevice: packetRingBuffer() }
    const grant: NetQueueGrant<LoopbackTransport> = {
      module: this.#module,
      device: this.name,
      queue,
      window,
      capabilities: this.capabilities,
      control: control.buffer,
      counters: this.#counters[queue].values.buffer as SharedArrayBuffer,
      transport,
    }
    this.#granted[queue] = {
      grant,
      control,
      wake: new WakeWord(window.wake),
      toDevice: new PacketRing(transport.toDevice),
      fromDevice: new PacketRing(transport.fromDevice),
    }
    return grant
  }

  reclaim(grant: NetQueueGrant): void {
    const granted = this.#granted[grant.queue]
    // The caller may hold a clone, and a later grant of the queue may be in force.
    const { serial } = grant.transport as LoopbackTransport
    if (granted === undefined || granted.grant.transport.serial !== serial) return
    this.#granted[grant.queue] = undefined
    granted.control.end(GRANT_RECLAIMED)
    granted.wake.notify()
  }

  steer(): void {
    throw new ParakernelError('ENOTSUP', 'cannot steer', { subject: this.name })
  }

  clearSteering(): void {}

  statistics(): NetStatistics {
    return sumCounters(
      NET_COUNTERS,
      this.#counters.map((counters) => counters.snapshot()),
    )
  }

  queueStatistics(queue: number): NetStatistics {
    return this.#counters[queue].snapshot()
  }

  subscribe(listener: (event: NetDeviceEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async close(): Promise<void> {
    this.#gone = true
    for (const granted of this.#granted) if (granted !== undefined) this.reclaim(granted.grant)
  }

  /** The cable's end: a packet arrives on a queue. Without an owner nobody sees it. */
  deliver(queue: number, packet: Uint8Array): void {
    const granted = this.#granted[queue]
    if (granted === undefined || !this.linkUp) return
    if (granted.toDevice.full) {
      this.#counters[queue].values[RX_DROPPED_RING_FULL]++
      return
    }
    granted.toDevice.push(packet, 0, packet.length)
    if (granted.wake.sleeping) this.#counters[queue].values[WAKE_UPS]++
    granted.wake.notify()
  }

  /** The cable's end: the next packet that left on any queue. */
  take(): Uint8Array | undefined {
    for (const granted of this.#granted) {
      if (granted === undefined || granted.fromDevice.size === 0) continue
      const packet = new Uint8Array(granted.fromDevice.nextLength)
      granted.fromDevice.take(packet, 0)
      return packet
    }
    return undefined
  }

  setLink(up: boolean): void {
    this.linkUp = up
    for (const granted of this.#granted) if (granted !== undefined) granted.control.linkUp = up
    this.#tell({ kind: 'link', up })
  }

  setMtu(mtu: number): void {
    this.mtu = mtu
    for (const granted of this.#granted) if (granted !== undefined) granted.control.mtu = mtu
    this.#tell({ kind: 'mtu', mtu })
  }

  setMac(mac: MacAddress): void {
    this.mac = mac
    for (const granted of this.#granted) if (granted !== undefined) granted.control.mac = mac
    this.#tell({ kind: 'mac', mac })
  }

  remove(): void {
    this.#gone = true
    for (const granted of this.#granted) {
      granted?.control.end(GRANT_REMOVED)
      granted?.wake.notify()
    }
    this.#granted.fill(undefined)
    this.#tell({ kind: 'removed' })
  }

  #tell(event: NetDeviceEvent): void {
    for (const listener of this.#listeners) listener(event)
  }
}
