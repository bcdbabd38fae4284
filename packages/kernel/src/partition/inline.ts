import { type Host, ParakernelError } from '@parakernel/hal'
import type { PartitionPlan } from '../contracts.ts'
import type { RunLoop } from '../loop/run-loop.ts'
import type { PartitionExit, PartitionHandle } from './handle.ts'
import { queueCounters } from './queue-statistics.ts'
import { RunningPartition } from './running-partition.ts'

/**
 * Runs a partition in the calling thread, on a loop that the caller drives: with a virtual clock, for a test, or where
 * one thread is enough. Several may share a loop. `plan.cpu`, `plan.wait` and `plan.hostModule` are not looked at.
 */
export function runPartitionInline(
  plan: PartitionPlan,
  loop: RunLoop,
  host: Host | undefined = loop.host,
): PartitionHandle {
  return new InlinePartition(plan, loop, host)
}

class InlinePartition implements PartitionHandle {
  readonly name: string
  readonly index: number
  readonly ready: Promise<void>
  readonly exited: Promise<PartitionExit>
  readonly #running: RunningPartition
  readonly #counters: ReturnType<typeof queueCounters>
  readonly #exit = Promise.withResolvers<PartitionExit>()
  #gone = false

  constructor(plan: PartitionPlan, loop: RunLoop, host: Host | undefined) {
    this.name = plan.name
    this.index = plan.index
    this.exited = this.#exit.promise
    this.#running = new RunningPartition(plan, loop, host)
    this.#counters = queueCounters(plan)
    this.ready = this.#running.start()
    this.ready.catch((error: Error) => this.#end({ kind: 'crashed', error }))
  }

  async call(method: string, ...args: readonly unknown[]): Promise<unknown> {
    await this.ready
    if (this.#gone) throw new ParakernelError('ENXIO', 'is stopped', { subject: `partition ${this.name}` })
    return this.#running.call(method, args)
  }

  statistics() {
    const { counters } = this.#running.loop
    return {
      loop: counters.snapshot(),
      roundTimes: counters.roundTimes.snapshot(),
      ...this.#counters(),
    }
  }

  async stop(): Promise<PartitionExit> {
    try {
      await this.ready
      await this.#running.stop()
      this.#end({ kind: 'stopped' })
    } catch (error) {
      this.#end({ kind: 'crashed', error: error as Error })
    }
    return this.exited
  }

  #end(exit: PartitionExit): void {
    this.#gone = true
    this.#exit.resolve(exit)
  }
}
