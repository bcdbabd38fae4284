import { createNetwork, type EmulatedNic, type Network, type NicOptions } from '@parakernel/emulated'
import {
  attachNetQueue,
  type Clock,
  createPlainWindow,
  DebugFramePool,
  FramePool,
  type NetDevice,
  type NetQueue,
  VirtualClock,
} from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import { createQueueRuntime, type LibOSInterface, type QueueRuntime } from '@parakernel/queue'
import { type InterfaceOptions, libos, type NetLibOS, type NetOptions } from '../../src/index.ts'

/** One libOS over some queues of an emulated NIC, with a pool of its own. */
export interface Machine {
  readonly libos: NetLibOS
  readonly pool: FramePool
  readonly queues: readonly NetQueue[]
  readonly runtime: QueueRuntime
}

export interface MachineOptions {
  readonly options: NetOptions
  readonly nic?: NicOptions
  /** Further interfaces, each over a NIC of its own with one queue for each partition. */
  readonly interfaces?: readonly {
    readonly name: string
    readonly nic?: NicOptions
    readonly options: InterfaceOptions
  }[]
  readonly frames?: number
  /** Wraps the NIC, in a fault injector say. */
  readonly wrap?: (device: NetDevice) => NetDevice
  /** Instances, each with one queue; one instance with one queue by default. */
  readonly partitions?: number
  /** Queues of one instance, instead. */
  readonly queues?: number
  /** A pool that checks every use; the default. */
  readonly debug?: boolean
  readonly deviceReserve?: number
}

/** NICs on one network, libOSes over them, and one loop that runs everything: deterministic on the virtual clock. */
export class Machines {
  readonly clock: Clock
  readonly loop: RunLoop
  readonly network: Network
  readonly nics: EmulatedNic[] = []
  readonly all: Machine[] = []
  readonly #devices: NetDevice[] = []

  constructor(clock: Clock = new VirtualClock(), topology: 'switch' | 'direct' = 'switch') {
    this.clock = clock
    this.loop = new RunLoop({ clock })
    this.network = createNetwork({ clock, topology })
  }

  get now(): number {
    return this.clock.now()
  }

  async add(setup: MachineOptions): Promise<Machine> {
    return (await this.addPartitions(setup))[0]
  }

  async addPartitions(setup: MachineOptions): Promise<Machine[]> {
    const { partitions = 1, queues: queueCount = 1, frames = 512, debug = true, deviceReserve = 0 } = setup
    const nic = this.network.nic({ queues: partitions * queueCount, ringSize: 64, ...setup.nic })
    this.nics.push(nic)
    const device = setup.wrap?.(nic) ?? nic
    this.#devices.push(device)
    const further = (setup.interfaces ?? []).map(({ name, nic: options = {}, options: own }) => {
      const other = this.network.nic({ queues: partitions, ringSize: 64, ...options })
      this.nics.push(other)
      this.#devices.push(other)
      return { name, device: other, options: { ...own } }
    })
    const shared = libos.share(setup.options, partitions)
    const machines: Machine[] = []
    for (let partition = 0; partition < partitions; partition++) {
      const window = createPlainWindow(frames)
      const pool = debug ? new DebugFramePool(window, { deviceReserve }) : new FramePool(window, { deviceReserve })
      const queues: NetQueue[] = []
      for (let i = 0; i < queueCount; i++) {
        const grant = device.grant(partition * queueCount + i, window)
        queues.push(await attachNetQueue(grant, { pool, clock: this.clock }))
      }
      const runtime = createQueueRuntime(this.loop)
      const interfaces: LibOSInterface[] = []
      for (const { name, device: other, options } of further) {
        const queue = await attachNetQueue(other.grant(partition, window), { pool, clock: this.clock })
        interfaces.push({ name, queues: [queue], options })
      }
      const context = { pool, clock: this.clock, loop: this.loop, runtime, queues, interfaces, partition, partitions }
      const machine = {
        libos: await libos.create(shared, context),
        pool,
        queues: [...queues, ...interfaces.flatMap((one) => one.queues)],
        runtime,
      }
      machines.push(machine)
      this.all.push(machine)
    }
    return machines
  }

  /** Runs for `nanoseconds` of virtual time. */
  run(nanoseconds: number): void {
    this.loop.runUntil(() => false, this.now + nanoseconds)
  }

  /** Shuts everything down and gives the queues back. */
  async close(): Promise<void> {
    for (const { libos: instance, queues } of this.all) {
      await instance.shutdown()
      for (const queue of queues) queue.detach()
    }
    this.loop.close()
    for (const device of this.#devices) await device.close()
    await this.network.close()
  }
}

export const MILLISECOND = 1e6
export const SECOND = 1e9
