import { type Host, ParakernelError } from '@parakernel/hal'
import type { PartitionPlan } from '../contracts.ts'
import type { LeasedGrant } from '../lease/resource.ts'
import type { RunLoop } from '../loop/run-loop.ts'
import type { PartitionExit, PartitionHandle } from './handle.ts'
import type { LeaseMessage } from './messages.ts'
import { answerPeer, PeerCalls, type Peers } from './peer-calls.ts'
import { QueueCounters } from './queue-statistics.ts'
import { RunningPartition } from './running-partition.ts'

/**
 * Runs a partition in the calling thread, on a loop that the caller drives: with a virtual clock, for a test, or where
 * one thread is enough. Several may share a loop. `peers`: whom its code can call. `plan.cpu`, `plan.wait` and `plan.hostModule` are not looked at.
 */
export function runPartitionInline(
  plan: PartitionPlan,
  loop: RunLoop,
  host: Host | undefined = loop.host,
  peers?: Peers,
): PartitionHandle {
  return new InlinePartition(plan, loop, host, peers)
}

class InlinePartition implements PartitionHandle {
  readonly name: string
  readonly index: number
  readonly ready: Promise<void>
  readonly exited: Promise<PartitionExit>
  readonly #running: RunningPartition
  readonly #counters: QueueCounters
  readonly #exit = Promise.withResolvers<PartitionExit>()
  #gone = false

  constructor(plan: PartitionPlan, loop: RunLoop, host: Host | undefined, peers: Peers | undefined) {
    this.name = plan.name
    this.index = plan.index
    this.exited = this.#exit.promise
    const calls = new PeerCalls(plan.partitions, loop.clock, loop.timers, (request) => {
      void answerPeer(request, peers).then((answer) => calls.answered(answer))
    })
    this.#running = new RunningPartition(plan, loop, host, calls)
    this.#counters = new QueueCounters(plan)
    this.ready = this.#running.start()
    this.ready.catch((error: Error) => this.#end({ kind: 'crashed', error }))
  }

  async call(method: string, ...args: readonly unknown[]): Promise<unknown> {
    await this.#there()
    return this.#running.call(method, args)
  }

  async grant(leased: LeasedGrant): Promise<void> {
    this.#counters.add(leased)
    await this.#lease({ kind: 'grant', leased })
  }

  async revoke(lease: number, deadline: number): Promise<'returned' | 'take'> {
    return (await this.#lease({ kind: 'revoke', lease, deadline })) as 'returned' | 'take'
  }

  async taken(lease: number): Promise<number> {
    return (await this.#lease({ kind: 'taken', lease })) as number
  }

  statistics() {
    const { counters } = this.#running.loop
    return {
      loop: counters.snapshot(),
      roundTimes: counters.roundTimes.snapshot(),
      ...this.#counters.snapshot(),
    }
  }

  async stop(): Promise<PartitionExit> {
    if (this.#gone) return this.exited
    try {
      await this.ready
      await this.#running.stop()
      this.#end({ kind: 'stopped' })
    } catch (error) {
      this.#end({ kind: 'crashed', error: error as Error })
    }
    return this.exited
  }

  async kill(): Promise<PartitionExit> {
    const error = new ParakernelError('ECANCELED', 'was killed', { subject: `partition ${this.name}` })
    this.#end({ kind: 'crashed', error })
    return this.exited
  }

  async #lease(message: LeaseMessage): Promise<unknown> {
    await this.#there()
    return this.#running.lease(message)
  }

  /** @throws ENXIO */
  async #there(): Promise<void> {
    await this.ready
    if (this.#gone) throw new ParakernelError('ENXIO', 'is stopped', { subject: `partition ${this.name}` })
  }

  #end(exit: PartitionExit): void {
    this.#gone = true
    this.#exit.resolve(exit)
  }
}
