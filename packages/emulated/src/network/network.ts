import { threadId } from 'node:worker_threads'
import { type Clock, createPlainRegion, MonotonicClock, ParakernelError, VirtualClock } from '@parakernel/hal'
import type { NicOptions } from '../options.ts'
import { Heap } from '../shared/heap.ts'
import { PORT_COUNT, SWITCH_COUNTERS, SWITCH_FLOODED, SWITCH_LEARNED, SWITCH_UNDELIVERABLE } from '../shared/layout.ts'
import { NetworkMemory } from '../shared/network-memory.ts'
import { NetworkView, registerView, releaseView } from '../shared/network-view.ts'
import { createRing, ringBacklog, ringBytes, ringNextTime } from '../shared/packet-ring.ts'
import { WakeDirectory } from '../shared/wake-directory.ts'
import { EmulatedNic } from './emulated-nic.ts'
import type { QueueSlot } from './queue-slot.ts'

export interface NetworkOptions {
  readonly name?: string
  /** A `VirtualClock` makes runs deterministic and keeps all queues in one thread; the host's clock by default. */
  readonly clock?: Clock
  /** Addresses are derived from it. */
  readonly seed?: number
  /** `direct`: a cable between exactly two NICs, without a switch. */
  readonly topology?: 'switch' | 'direct'
  /** Queues of all NICs together, at most. */
  readonly maxQueues?: number
  /** Bytes of address space for rings; pages are taken only when they are used. */
  readonly memory?: number
  /** Milliseconds after which the switch forgets a silent address; 0: never. */
  readonly aging?: number
}

export interface SwitchStatistics {
  /** Packets to an address that the switch did not know, or to a group. */
  readonly flooded: number
  /** Packets for the port that they came from, for a port that is down, or with no other port up. */
  readonly undeliverable: number
  /** Addresses learned or moved. */
  readonly learned: number
}

const DEFAULT_MEMORY = 512 * 1024 * 1024
let created = 0

/**
 * NICs and what joins them. The control half: used by one thread, which creates NICs and grants their queues. There is no
 * thread behind it: whoever transmits runs the hardware.
 */
export class Network {
  readonly name: string
  readonly seed: number
  readonly clock: Clock
  readonly topology: 'switch' | 'direct'
  /** @internal */
  readonly memory: NetworkMemory
  /** @internal */
  readonly view: NetworkView
  /** @internal */
  readonly heap: Heap
  /** By queue number in the network. @internal */
  readonly slots: (QueueSlot | undefined)[] = []
  readonly #ports: (EmulatedNic | undefined)[] = []
  #nicsMade = 0
  #closed = false

  constructor(options: NetworkOptions = {}) {
    const maxQueues = options.maxQueues ?? 128
    const id = `parakernel-emulated-${threadId}-${created++}`
    this.name = options.name ?? id
    this.seed = options.seed ?? 1
    this.clock = options.clock ?? new MonotonicClock()
    this.topology = options.topology ?? 'switch'
    if (!(Number.isInteger(maxQueues) && maxQueues >= 1 && maxQueues <= 1024)) {
      throw new ParakernelError('EINVAL', `maxQueues is ${maxQueues}, not between 1 and 1024`, { subject: this.name })
    }
    const region = createPlainRegion(options.memory ?? DEFAULT_MEMORY)
    const direct = this.topology === 'direct'
    this.memory = new NetworkMemory({ id, region, maxQueues, agingMs: options.aging ?? 0, direct })
    const { heapBytes } = this.memory.layout
    if (heapBytes >= region.byteLength) {
      throw new ParakernelError('EINVAL', `the tables of ${maxQueues} queues take ${heapBytes} bytes`, {
        subject: this.name,
        remedy: 'Raise `memory` or lower `maxQueues`',
      })
    }
    this.heap = new Heap(heapBytes, region.byteLength)
    this.view = new NetworkView(this.memory, WakeDirectory.ofControl(id), true)
    registerView(this.view)
  }

  /** Whether queues may be attached in other threads: they need a clock that those have too. */
  get threads(): boolean {
    return !(this.clock instanceof VirtualClock)
  }

  get nics(): readonly EmulatedNic[] {
    return this.#ports.filter((nic) => nic !== undefined)
  }

  /**
   * Plugs a NIC in.
   * @throws EINVAL for a bad option, ENOSPC when the network has no port or queues left, ENODEV when it is closed.
   */
  nic(options: NicOptions = {}): EmulatedNic {
    if (this.#closed) throw new ParakernelError('ENODEV', 'the network is closed', { subject: this.name })
    const limit = this.topology === 'direct' ? 2 : this.memory.layout.maxQueues
    let port = 0
    while (this.#ports[port] !== undefined) port++
    if (port >= limit) {
      throw new ParakernelError('ENOSPC', `all ${limit} ports are taken`, {
        subject: this.name,
        remedy: this.topology === 'direct' ? 'A direct cable has two ends: use a switch' : 'Raise `maxQueues`',
      })
    }
    const nic = new EmulatedNic(this, port, this.#nicsMade++, options)
    this.#ports[port] = nic
    this.memory.words[PORT_COUNT] = Math.max(this.memory.words[PORT_COUNT], port + 1)
    this.memory.bump()
    return nic
  }

  /** When the next packet arrives anywhere: 0 or the past for one that waits already, Infinity when none is under way. */
  nextDelivery(): number {
    const { words, layout } = this.memory
    let earliest = Number.POSITIVE_INFINITY
    for (const from of this.slots.keys()) {
      for (const to of this.slots.keys()) {
        const ring = words[layout.ringRef(from, to)]
        if (ring !== 0) earliest = Math.min(earliest, ringNextTime(this.memory, ring))
      }
    }
    return earliest
  }

  statistics(): SwitchStatistics {
    const { doubles, layout } = this.memory
    const total = (counter: number) => {
      let sum = 0
      for (let queue = 0; queue < layout.maxQueues; queue++) {
        sum += doubles[layout.switchCounters + queue * SWITCH_COUNTERS + counter]
      }
      return sum
    }
    return {
      flooded: total(SWITCH_FLOODED),
      undeliverable: total(SWITCH_UNDELIVERABLE),
      learned: total(SWITCH_LEARNED),
    }
  }

  /** Closes every NIC and lets go of the memory. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    for (const nic of this.nics) await nic.close()
    releaseView(this.view)
  }

  /** A run of free queue numbers. @throws ENOSPC @internal */
  reserveQueues(count: number, subject: string): number {
    for (let first = 0; first + count <= this.memory.layout.maxQueues; first++) {
      let free = 0
      while (free < count && this.slots[first + free] === undefined) free++
      if (free === count) return first
      first += free
    }
    throw new ParakernelError('ENOSPC', `no ${count} queues left of ${this.memory.layout.maxQueues}`, {
      subject,
      remedy: 'Create the network with a larger `maxQueues`',
    })
  }

  /** Takes a NIC's port back. @internal */
  vacate(port: number): void {
    this.#ports[port] = undefined
  }

  /** Makes the rings between a queue that is being granted and all that are granted on other ports. @throws ENOMEM @internal */
  connect(slot: QueueSlot): void {
    this.disconnectAbandoned(slot)
    for (const other of this.slots) {
      if (other?.active === undefined || other.port === slot.port) continue
      this.#ring(other, slot)
      this.#ring(slot, other)
    }
  }

  /** Ends all rings that lead to a queue. @internal */
  disconnectFromAll(slot: QueueSlot): void {
    for (let from = 0; from < this.slots.length; from++) this.#disconnect(from, slot)
  }

  /** Ends the rings of a queue whose last holder may still be writing to them. @internal */
  disconnectAbandoned(slot: QueueSlot): void {
    if (!slot.abandoned) return
    for (const other of this.slots) if (other !== undefined) this.#disconnect(slot.queue, other)
    slot.abandoned = false
  }

  /** Packets in the rings to a queue. @internal */
  backlog(to: QueueSlot): number {
    const { words, layout } = this.memory
    let sum = 0
    for (let from = 0; from < this.slots.length; from++) {
      const ring = words[layout.ringRef(from, to.queue)]
      if (ring !== 0) sum += ringBacklog(this.memory, ring)
    }
    return sum
  }

  /** Ends a ring and counts the packets in it, which nobody will take. */
  #disconnect(from: number, to: QueueSlot): void {
    const { words, layout } = this.memory
    const ref = layout.ringRef(from, to.queue)
    const ring = words[ref]
    if (ring === 0) return
    Atomics.store(words, ref, 0)
    to.lost += ringBacklog(this.memory, ring)
    const inUse = [this.slots[from], to].some((slot) => slot?.abandoned || slot?.heldElsewhere(this.memory))
    this.heap.release(ring, ringBytes(to.ringDataBytes), inUse)
  }

  #ring(from: QueueSlot, to: QueueSlot): void {
    const { words, layout } = this.memory
    const ref = layout.ringRef(from.queue, to.queue)
    if (words[ref] !== 0) return
    const ring = this.heap.allocate(ringBytes(to.ringDataBytes))
    createRing(this.memory, ring, to.ringDataBytes, to.ringSize)
    Atomics.store(words, ref, ring)
  }
}

/** Creates a network to which NICs are added with `nic()`. @throws EINVAL, ENOMEM */
export function createNetwork(options: NetworkOptions = {}): Network {
  return new Network(options)
}
