import {
  attachNetQueue,
  createPlainWindow,
  DebugFramePool,
  MonotonicClock,
  NET_COUNTERS,
  type NetDevice,
  type NetQueue,
  type NetStatistics,
  sumCounters,
} from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import { createLabNamespace, type LabNamespace, LinuxHost, probeLab } from '@parakernel/linux'
import { createQueueRuntime } from '@parakernel/queue'
import { backend, type TapOptions } from '@parakernel/tap'
import { libos, type NetLibOS, type NetOptions } from '../../src/index.ts'

const clock = new MonotonicClock()
/** Longer than a delayed acknowledgment waits (RFC 9293 section 3.8.6.3 allows 500 ms; here it is 40 ms at most). */
const QUIET_MS = 45
const MOST_WAITS = 20

/** Why nothing can run over TAP here; undefined when it can. */
export function tapMissing(): string | undefined {
  for (const availability of [probeLab(), backend.probe({ clock })]) {
    if (!availability.available) return `needs ${availability.missing}`
  }
  return undefined
}

/** libOSes on TAP devices in a namespace of their own, all on one loop of this thread, on the machine's own clock. */
export class TapStations {
  readonly lab: LabNamespace
  readonly loop: RunLoop
  readonly #host = new LinuxHost()
  readonly #all: { libos: NetLibOS; queues: readonly NetQueue[] }[] = []
  readonly #devices: NetDevice[] = []

  constructor(label: string) {
    this.lab = createLabNamespace({ label })
    this.loop = new RunLoop({ clock, host: this.#host })
  }

  /** A libOS over all queues of an interface. */
  async add(
    tap: TapOptions,
    options: NetOptions,
    { frames = 2048, frameSize = 2048 }: { readonly frames?: number; readonly frameSize?: number } = {},
  ): Promise<NetLibOS> {
    const window = createPlainWindow(frames, { frameSize })
    const pool = new DebugFramePool(window)
    const device = await backend.open({ namespace: this.lab.namespace, ...tap }, { clock, host: this.#host })
    this.#devices.push(device)
    const queues: NetQueue[] = []
    for (let queue = 0; queue < device.queues; queue++) {
      queues.push(await attachNetQueue(device.grant(queue, window), { pool, clock, host: this.#host }))
    }
    const runtime = createQueueRuntime(this.loop)
    const context = { pool, clock, loop: this.loop, runtime, queues, partition: 0, partitions: 1 }
    const instance = await libos.create(options, context)
    this.#all.push({ libos: instance, queues })
    return instance
  }

  /** Of all devices together. */
  statistics(): NetStatistics {
    return sumCounters(
      NET_COUNTERS,
      this.#devices.map((device) => device.statistics()),
    )
  }

  /** Waits until nothing was sent or received for a while. */
  async settle(): Promise<void> {
    const moved = () => {
      const { rxPackets, txPackets } = this.statistics()
      return rxPackets + txPackets
    }
    for (let before = -1, i = 0; before !== moved() && i < MOST_WAITS; i++) {
      before = moved()
      await new Promise((resolve) => setTimeout(resolve, QUIET_MS))
    }
  }

  /** Joins the interfaces by a bridge. */
  bridge(...names: readonly string[]): void {
    // Without snooping, groups are passed on without being asked for.
    this.lab.ip(
      'link add br0 type bridge stp_state 0 mcast_snooping 0',
      'link set br0 addrgenmode none',
      'link set br0 up',
    )
    this.lab.ip(...names.map((name) => `link set ${name} master br0`))
  }

  async close(): Promise<void> {
    for (const { libos: instance, queues } of this.#all) {
      await instance.shutdown()
      for (const queue of queues) queue.detach()
    }
    this.loop.close()
    for (const device of this.#devices) await device.close()
    this.lab.remove()
  }
}
