import { createNetwork, type Network } from '@parakernel/emulated'
import {
  attachNetQueue,
  createPlainWindow,
  FramePool,
  type NetDevice,
  type NetQueue,
  VirtualClock,
} from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import { libos, type NetLibOS, type NetOptions } from '@parakernel/net'
import { type FaultOptions, faults } from '@parakernel/probes'
import { createQueueRuntime } from '@parakernel/queue'

/** Of the libOSes' own random numbers (initial sequence numbers, ports); what the links do has seeds of its own. */
const SEED = 1

/** One host: a whole libOS over an emulated NIC, and what its link does to packets. */
export interface Host {
  readonly libos: NetLibOS
  readonly address: string
  readonly device: NetDevice
}

export interface HostSetup {
  readonly address: string
  readonly options: Partial<NetOptions>
  /** What happens to packets on their way in and out. */
  readonly faults: FaultOptions
  readonly frames: number
}

/** Hosts on one network and one loop, on a virtual clock: the same set-up runs the same way every time. */
export class World {
  readonly clock = new VirtualClock()
  readonly loop = new RunLoop({ clock: this.clock })
  readonly #network: Network = createNetwork({ clock: this.clock, topology: 'switch' })
  readonly #hosts: Host[] = []
  readonly #queues: NetQueue[] = []

  async host(setup: HostSetup): Promise<Host> {
    const nic = this.#network.nic({ ringSize: 1024, checksumVerify: true, checksumCompute: true })
    const device = faults.wrap(nic, setup.faults, { clock: this.clock })
    const window = createPlainWindow(setup.frames)
    const pool = new FramePool(window)
    const queue = await attachNetQueue(device.grant(0, window), { pool, clock: this.clock })
    const runtime = createQueueRuntime(this.loop)
    const options: NetOptions = { address: `${setup.address}/24`, addressCheck: 'none', seed: SEED, ...setup.options }
    const instance = await libos.create(libos.share?.(options, 1) ?? options, {
      pool,
      clock: this.clock,
      loop: this.loop,
      runtime,
      queues: [queue],
      partition: 0,
      partitions: 1,
    })
    const host = { libos: instance, address: setup.address, device }
    this.#hosts.push(host)
    this.#queues.push(queue)
    return host
  }

  /** Virtual time, ns. */
  get now(): number {
    return this.clock.now()
  }

  /** Runs until `done`, or until the virtual time `limit`. */
  run(done: () => boolean, limit: number): void {
    this.loop.runUntil(done, limit)
  }

  async close(): Promise<void> {
    for (const { libos: instance } of this.#hosts) await instance.shutdown()
    for (const queue of this.#queues) queue.detach()
    this.loop.close()
    for (const { device } of this.#hosts) await device.close()
    await this.#network.close()
  }
}
