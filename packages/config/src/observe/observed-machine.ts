import { ringDepth } from '@parakernel/kernel'
import { queuesOf } from '../compose/queues-of.ts'
import type { Parts } from '../compose/start.ts'
import { THREAD } from '../partition/observed.ts'
import type { ResolvedConfig } from '../settings/resolved.ts'
import { MachineTrace } from './machine-trace.ts'
import type { MachineDescription, MachineSnapshot, PartitionSnapshot, QueueSnapshot } from './snapshot.ts'
import { threadTime } from './thread-time.ts'

/** A machine as those who look at it see it: read from shared memory, in the control thread. */
export class ObservedMachine {
  /** Unique among the machines of the process; the observer sees to that. */
  name: string
  readonly trace: MachineTrace
  readonly #config: ResolvedConfig
  readonly #parts: Parts
  readonly #threads: (string | undefined)[]
  readonly #ended = new Set<number>()

  private constructor(name: string, config: ResolvedConfig, parts: Parts, threads: (string | undefined)[]) {
    this.name = name
    this.trace = new MachineTrace(parts, config.settings.observe.traceEvents)
    this.#config = config
    this.#parts = parts
    this.#threads = threads
    for (const [i, { exited }] of parts.partitions.entries()) void exited.then(() => this.#ended.add(i))
  }

  /** Asks each partition once in which thread it runs. */
  static async of(name: string, config: ResolvedConfig, parts: Parts): Promise<ObservedMachine> {
    const threads = await Promise.all(
      parts.partitions.map((one) => one.call(THREAD).catch(() => undefined) as Promise<string | undefined>),
    )
    return new ObservedMachine(name, config, parts, threads)
  }

  describe(prometheus: string | undefined): MachineDescription {
    const { network, storage, partitions } = this.#config.settings
    const words = (section: { libos: string; backend: string | undefined } | undefined) =>
      section === undefined
        ? 'none'
        : section.backend === undefined
          ? section.libos
          : `${section.libos} on ${section.backend}`
    return { name: this.name, partitions, network: words(network), storage: words(storage), prometheus }
  }

  snapshot(): MachineSnapshot {
    return { name: this.name, partitions: this.#parts.partitions.map((_, i) => this.#partition(i)) }
  }

  #partition(index: number): PartitionSnapshot {
    const { partitions, plans, storageDevice } = this.#parts
    const plan = plans[index]
    const { incoming, cpu } = plan
    // A process has no grants, and at most one lease of blocks.
    const blockGrants =
      'grants' in plan ? (plan.blockGrants ?? []) : [{ device: storageDevice?.name ?? '', queue: index }]
    const { loop, roundTimes, blocks } = partitions[index].statistics()
    const thread = this.#threads[index]
    return {
      name: partitions[index].name,
      index,
      state: this.#ended.has(index) ? 'ended' : 'running',
      core: cpu,
      cpu: thread === undefined ? undefined : threadTime(thread),
      loop,
      roundTimes,
      queues: this.#queues(index),
      blocks: blocks.map((counters, i) => ({ device: blockGrants[i].device, queue: blockGrants[i].queue, counters })),
      ringDepth: incoming.reduce((sum, ring) => sum + (ring === undefined ? 0 : ringDepth(ring)), 0),
    }
  }

  /** By the devices, which know of drops that the holders of their queues have not seen. */
  #queues(index: number): QueueSnapshot[] {
    const { device, furtherDevices, partitions } = this.#parts
    const devices = device === undefined ? [] : [device, ...furtherDevices]
    return devices.flatMap((one, i) => {
      // Two devices may have the same name.
      const name = devices.findIndex((other) => other.name === one.name) < i ? `${one.name}#${i + 1}` : one.name
      return queuesOf(one, partitions.length, index).map((queue) => ({
        ...{ device: name, queue },
        counters: one.queueStatistics(queue),
        backlog: one.queueBacklog?.(queue),
      }))
    })
  }
}
