import { AfXdpDevice, type AfXdpOptions, backend } from '@parakernel/af-xdp'
import {
  attachNetQueue,
  createPlainWindow,
  DebugFramePool,
  MonotonicClock,
  type NetDevice,
  type NetQueue,
} from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import { LinuxHost, probeLab } from '@parakernel/linux'
import { createQueueRuntime } from '@parakernel/queue'
import { libos, type NetLibOS, type NetOptions } from '../../src/index.ts'

const clock = new MonotonicClock()
const moduleUrl = import.meta.resolve('@parakernel/af-xdp')

/** Why nothing can run over AF_XDP here; undefined when it can. */
export function afXdpMissing(): string | undefined {
  for (const availability of [probeLab(), backend.probe({ clock })]) {
    if (!availability.available) return `needs ${availability.missing}`
  }
  return undefined
}

const inPlace = <T>(body: () => T): T => body()

/** libOSes on AF_XDP devices, all on one loop of this thread, on the machine's own clock. */
export class Stations {
  readonly loop: RunLoop
  readonly #host = new LinuxHost()
  readonly #all: { libos: NetLibOS; queues: readonly NetQueue[] }[] = []
  readonly #devices: NetDevice[] = []

  constructor() {
    this.loop = new RunLoop({ clock, host: this.#host })
  }

  /**
   * A libOS over all queues of an interface. `inside` runs what opens sockets in the namespace of the interface: `inside`
   * of a veth pair for its peer.
   */
  async add(interfaceOptions: AfXdpOptions, options: NetOptions, inside = inPlace): Promise<NetLibOS> {
    const window = createPlainWindow(2048)
    const pool = new DebugFramePool(window)
    const grants = inside(() => {
      const device = new AfXdpDevice(interfaceOptions, { clock, host: this.#host }, moduleUrl)
      this.#devices.push(device)
      return Array.from({ length: device.queues }, (_, queue) => device.grant(queue, window))
    })
    const queues: NetQueue[] = []
    for (const grant of grants) queues.push(await attachNetQueue(grant, { pool, clock, host: this.#host }))
    const runtime = createQueueRuntime(this.loop)
    const context = { pool, clock, loop: this.loop, runtime, queues, partition: 0, partitions: 1 }
    const instance = await libos.create(options, context)
    this.#all.push({ libos: instance, queues })
    return instance
  }

  async close(): Promise<void> {
    for (const { libos: instance, queues } of this.#all) {
      await instance.shutdown()
      for (const queue of queues) queue.detach()
    }
    this.loop.close()
    for (const device of this.#devices) await device.close()
  }
}

export const pause = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds))
