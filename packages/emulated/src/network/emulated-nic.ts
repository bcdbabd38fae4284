import {
  ControlBlock,
  countersBuffer,
  type ErrorCode,
  type FrameWindow,
  formatMac,
  GRANT_ATTACHED,
  GRANT_DETACHED,
  GRANT_FREE,
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
  type SteeringRule,
  sumCounters,
} from '@parakernel/hal'
import { MODULE_URL } from '../module-url.ts'
import { capabilitiesOf, maxFrame, type NicOptions, type ResolvedNicOptions, resolveOptions } from '../options.ts'
import type { EmulatedTransport } from '../queue/transport.ts'
import { DROP_FILTER, DROP_NO_FRAME, DROP_RING_FULL, DROP_TOO_LONG, INDIRECTION_ENTRIES } from '../shared/layout.ts'
import { ringDataBytes } from '../shared/packet-ring.ts'
import { writeReceiveFilter } from '../shared/receive-filter.ts'
import type { Network } from './network.ts'
import { PortRegisters } from './port-registers.ts'
import { QueueSlot } from './queue-slot.ts'

const NOTHING = sumCounters(NET_COUNTERS, [])
let serials = 0

/** The control half of an emulated NIC. */
export class EmulatedNic implements NetDevice {
  readonly name: string
  readonly queues: number
  readonly capabilities: NetCapabilities
  readonly #network: Network
  readonly #options: ResolvedNicOptions
  readonly #registers: PortRegisters
  readonly #slots: QueueSlot[]
  readonly #listeners = new Set<(event: NetDeviceEvent) => void>()
  /** What holders count, by queue, over all grants. */
  readonly #counters: NetCounters[]
  /** What transmitters had counted for these queue numbers before this NIC had them. */
  readonly #before: NetStatistics[]
  /** What they counted until it was unplugged. */
  #final: NetStatistics[] | undefined
  #mac: MacAddress
  #mtu: number
  #linkUp = true
  #gone = false
  #unplugged = false
  #closed: (() => Promise<void>) | undefined

  /** @internal Use `Network.nic`. */
  constructor(network: Network, port: number, index: number, options: NicOptions) {
    this.name = options.name ?? `${network.name}:${index}`
    this.#options = resolveOptions(options, this.name)
    this.#network = network
    this.queues = this.#options.queues
    this.capabilities = capabilitiesOf(this.#options, network.threads)
    this.#mtu = this.#options.mtu
    this.#mac = options.mac ?? deriveMac(network.seed, index)
    const first = network.reserveQueues(this.queues, this.name)
    const { maxPacket, maxSuperPacket, ringSize, receiveSegmentation } = this.capabilities
    const dataBytes = ringDataBytes(ringSize, maxPacket, receiveSegmentation === 0 ? maxPacket : maxSuperPacket)
    this.#registers = new PortRegisters(network, port, first, this.#options, this.#mac)
    this.#slots = Array.from({ length: this.queues }, (_, i) => new QueueSlot(first + i, port, dataBytes, ringSize))
    for (const slot of this.#slots) {
      network.slots[slot.queue] = slot
      writeReceiveFilter(network.memory, slot.queue, {})
    }
    this.#counters = this.#slots.map(() => new NetCounters(countersBuffer(NET_COUNTERS)))
    this.#before = this.#slots.map((slot) => this.#drops(slot))
  }

  get mac(): MacAddress {
    return this.#mac
  }

  get mtu(): number {
    return this.#mtu
  }

  get linkUp(): boolean {
    return this.#linkUp
  }

  grant(queue: number, window: FrameWindow): NetQueueGrant<EmulatedTransport> {
    if (this.#gone) throw this.#error('ENODEV', 'the NIC is gone')
    const slot = this.#slot(queue)
    const state = slot.active?.control.state
    if (state === GRANT_FREE || state === GRANT_ATTACHED) {
      throw this.#error('EBUSY', `the queue belongs to lease ${slot.active?.grant.window.lease}`, queue, {
        remedy: 'Reclaim that grant first, or take another queue',
      })
    }
    if (state === GRANT_DETACHED) this.#end(slot, GRANT_RECLAIMED)
    this.#checkWindow(window, queue)

    const { memory, heap, view } = this.#network
    const scratchBytes = this.capabilities.maxSuperPacket + 64
    const scratch = heap.allocate(scratchBytes)
    const control = new ControlBlock()
    control.linkUp = this.#linkUp
    control.mtu = this.#mtu
    control.mac = this.#mac
    try {
      this.#network.connect(slot)
    } catch (error) {
      this.#network.disconnectFromAll(slot)
      heap.release(scratch, scratchBytes, false)
      throw error
    }
    view.wakes.announce(slot.queue, window.wake)
    const grant: NetQueueGrant<EmulatedTransport> = {
      module: MODULE_URL,
      device: this.name,
      queue,
      window,
      capabilities: this.capabilities,
      control: control.buffer,
      counters: this.#counters[queue].values.buffer as SharedArrayBuffer,
      transport: {
        network: memory.reference,
        port: slot.port,
        queue: slot.queue,
        scratch,
        wakes: view.wakes.notices(),
        serial: ++serials,
      },
    }
    slot.active = { grant, control, scratchBytes }
    memory.bump()
    return grant
  }

  reclaim(grant: NetQueueGrant): void {
    const slot = this.#slot(grant.queue)
    const { serial } = grant.transport as EmulatedTransport
    if (slot.active?.grant.transport.serial === serial) this.#end(slot, GRANT_RECLAIMED)
  }

  steer(rule: SteeringRule): void {
    if (!this.capabilities.steering) {
      throw this.#error('ENOTSUP', 'this NIC takes no steering rules', undefined, {
        remedy: 'Create it with `steering: true`',
      })
    }
    if (this.#gone) throw this.#error('ENODEV', 'the NIC is gone')
    this.#registers.addRule(rule, this.name)
  }

  clearSteering(): void {
    this.#registers.clearRules()
  }

  /** Replaces the RSS indirection table: 128 queue numbers, indexed by the low seven bits of the hash. @throws EINVAL */
  setIndirection(table: readonly number[]): void {
    const valid = (queue: number) => Number.isInteger(queue) && queue >= 0 && queue < this.queues
    if (table.length !== INDIRECTION_ENTRIES || !table.every(valid)) {
      throw this.#error('EINVAL', `the indirection table is not ${INDIRECTION_ENTRIES} queues below ${this.queues}`)
    }
    this.#registers.setIndirection(table)
  }

  /** Plugs the cable in, or pulls it. What is transmitted without one is lost and counted. */
  setLink(up: boolean): void {
    if (this.#gone || up === this.#linkUp) return
    this.#linkUp = up
    this.#registers.setLink(up)
    this.#tell({ kind: 'link', up }, (control) => {
      control.linkUp = up
    })
  }

  /** @throws EINVAL above `maxMtu`, for which the rings were made. */
  setMtu(mtu: number): void {
    if (!(Number.isInteger(mtu) && mtu >= 68 && mtu <= this.#options.maxMtu)) {
      throw this.#error('EINVAL', `MTU ${mtu} is not between 68 and ${this.#options.maxMtu}`, undefined, {
        remedy: 'Create the NIC with a larger `maxMtu`',
      })
    }
    this.#mtu = mtu
    this.#registers.setMaxFrame(maxFrame(mtu))
    this.#tell({ kind: 'mtu', mtu }, (control) => {
      control.mtu = mtu
    })
  }

  /** @throws EINVAL */
  setMac(mac: MacAddress): void {
    this.#registers.setMac(mac)
    this.#mac = mac
    this.#tell({ kind: 'mac', mac }, (control) => {
      control.mac = mac
    })
  }

  /** Pulls the NIC out, as a user or a fault would. Holders keep the frames that they have. */
  remove(): void {
    if (this.#gone) return
    this.#unplug(GRANT_REMOVED)
    for (const listener of this.#listeners) listener({ kind: 'removed' })
  }

  statistics(): NetStatistics {
    return sumCounters(
      NET_COUNTERS,
      this.#slots.map((_, queue) => this.queueStatistics(queue)),
    )
  }

  queueStatistics(queue: number): NetStatistics {
    const slot = this.#slot(queue)
    const counted = this.#counters[queue].snapshot()
    const sum = sumCounters(NET_COUNTERS, [counted, this.#final?.[queue] ?? this.#drops(slot)])
    for (const name of NET_COUNTERS) sum[name] -= this.#before[queue][name]
    sum.rxDroppedNoFrame += slot.lost
    return sum
  }

  /** Those on the link too. */
  queueBacklog(queue: number): number {
    return this.#network.backlog(this.#slot(queue))
  }

  subscribe(listener: (event: NetDeviceEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async close(): Promise<void> {
    if (!this.#gone) this.#unplug(GRANT_RECLAIMED)
    if (this.#unplugged) return
    this.#unplugged = true
    this.#network.vacate(this.#registers.port)
    for (const slot of this.#slots) this.#network.slots[slot.queue] = undefined
    await this.#closed?.()
  }

  /** @internal */
  onClosed(closed: () => Promise<void>): void {
    this.#closed = closed
  }

  #unplug(state: number): void {
    this.#gone = true
    this.#linkUp = false
    for (const slot of this.#slots) {
      this.#end(slot, state)
      this.#network.disconnectAbandoned(slot)
    }
    this.#final = this.#slots.map((slot) => this.#drops(slot))
    this.#registers.clear()
  }

  /** Ends a grant, without its holder: rings first, so that nothing more arrives, then the books. */
  #end(slot: QueueSlot, state: number): void {
    const { active } = slot
    if (active === undefined) return
    const { memory, heap } = this.#network
    const elsewhere = slot.heldElsewhere(memory)
    this.#network.disconnectFromAll(slot)
    if (elsewhere) slot.abandoned = true
    active.control.end(state)
    writeReceiveFilter(memory, slot.queue, {})
    this.#wake(slot)
    slot.active = undefined
    heap.release(active.grant.transport.scratch, active.scratchBytes, elsewhere)
  }

  #tell(event: NetDeviceEvent, change: (control: ControlBlock) => void): void {
    for (const slot of this.#slots) {
      if (slot.active === undefined) continue
      change(slot.active.control)
      this.#wake(slot)
    }
    for (const listener of this.#listeners) listener(event)
  }

  #wake(slot: QueueSlot): void {
    const word = this.#network.view.wakes.words[slot.queue]
    if (word?.sleeping) word.notify()
  }

  /** What transmitters counted on behalf of a queue. */
  #drops(slot: QueueSlot): NetStatistics {
    const { doubles, layout } = this.#network.memory
    const sum = { ...NOTHING }
    for (let from = 0; from < layout.maxQueues; from++) {
      const at = layout.drop(slot.queue, from)
      sum.rxDroppedRingFull += doubles[at + DROP_RING_FULL]
      sum.rxDroppedTooLong += doubles[at + DROP_TOO_LONG]
      sum.rxDroppedFilter += doubles[at + DROP_FILTER]
      sum.rxDroppedNoFrame += doubles[at + DROP_NO_FRAME]
    }
    return sum
  }

  #slot(queue: number): QueueSlot {
    const slot = this.#slots[queue]
    if (slot === undefined) throw this.#error('EINVAL', `queue ${queue} is not among the ${this.queues} of this NIC`)
    return slot
  }

  #checkWindow(window: FrameWindow, queue: number): void {
    if (!this.capabilities.regions.includes(window.region.kind)) {
      throw this.#error('ENOTSUP', `memory of the kind ${window.region.kind}`, queue)
    }
    const end = window.byteOffset + window.frameCount * window.frameSize
    if (!(window.byteOffset >= 0 && window.frameCount > 0 && end <= window.region.buffer.byteLength)) {
      throw this.#error('EINVAL', 'the frame window is not within its region', queue)
    }
  }

  #error(code: ErrorCode, message: string, queue?: number, details: { remedy?: string } = {}): ParakernelError {
    return new ParakernelError(code, message, {
      subject: queue === undefined ? this.name : `${this.name} queue ${queue}`,
      ...details,
    })
  }
}

/** A locally administered unicast address, mixed from the seed, so that two networks rarely share one. */
function deriveMac(seed: number, index: number): MacAddress {
  const mixed = Math.imul(seed ^ 0x9e37_79b9, 0x85eb_ca6b) >>> 0
  return formatMac(Uint8Array.of(0x02, mixed >>> 24, mixed >>> 16, mixed >>> 8, (index + 1) >> 8, index + 1))
}
