import { Worker } from 'node:worker_threads'
import { type Host, ParakernelError, WakeWord } from '@parakernel/hal'
import type { PartitionPlan } from '../contracts.ts'
import type { LeasedGrant } from '../lease/resource.ts'
import { LoopCounters } from '../loop/statistics.ts'
import { wake } from '../ring/ring-producer.ts'
import type { PartitionExit, PartitionHandle, PartitionStatistics } from './handle.ts'
import { STOP_TIMEOUT } from './handle.ts'
import { type FromWorker, fromPlainError, type ToWorker, type WorkerData } from './messages.ts'
import { answerPeer, type Peers } from './peer-calls.ts'
import { QueueCounters } from './queue-statistics.ts'
import { RemoteLife } from './remote-life.ts'

/** Milliseconds that a crashed partition's thread has to end. */
const CRASH_GRACE = 1000

export interface SpawnOptions {
  /** The control thread's host: wakes a partition at once that sleeps in poll(2). Without it a call may wait 50 ms. */
  readonly host?: Host
  /** As of `Worker`; default: those of the calling thread. */
  readonly execArgv?: readonly string[]
  /** Whom the partition's code can call. */
  readonly peers?: Peers
}

/**
 * Starts a partition in a worker thread of its own: pinned to `plan.cpu`, with its pool, its device queues attached, and
 * the owner driver over its loop. Returns at once; see `ready`.
 */
export function spawnPartition(plan: PartitionPlan, options: SpawnOptions = {}): PartitionHandle {
  return new WorkerPartition(plan, options)
}

class WorkerPartition implements PartitionHandle {
  readonly name: string
  readonly index: number
  readonly ready: Promise<void>
  readonly exited: Promise<PartitionExit>
  readonly #life: RemoteLife
  readonly #worker: Worker
  readonly #wake: WakeWord
  readonly #host: Host | undefined
  readonly #peers: Peers | undefined
  readonly #loopCounters = new LoopCounters()
  readonly #queueCounters: QueueCounters
  #stopping = false

  constructor(plan: PartitionPlan, { host, execArgv, peers }: SpawnOptions) {
    this.name = plan.name
    this.index = plan.index
    this.#life = new RemoteLife(plan.name)
    this.ready = this.#life.ready
    this.exited = this.#life.exited
    this.#host = host
    this.#peers = peers
    this.#wake = new WakeWord(plan.window.wake)
    this.#queueCounters = new QueueCounters(plan)
    const workerData: WorkerData = {
      plan,
      counters: this.#loopCounters.values.buffer as SharedArrayBuffer,
    }
    // Built, this module is a chunk beside worker.js.
    const entry = new URL(import.meta.url.endsWith('.ts') ? '../worker.ts' : './worker.js', import.meta.url)
    this.#worker = new Worker(entry, {
      workerData,
      name: plan.name,
      ...(execArgv === undefined ? {} : { execArgv: [...execArgv] }),
    })
    this.#worker.on('message', (message: FromWorker) => this.#received(message))
    this.#worker.on('messageerror', (error) => this.#crash(error))
    this.#worker.on('error', (error) => this.#crash(error as Error))
    this.#worker.on('exit', (code) => this.#life.gone(`its thread ended with code ${code}`))
  }

  async call(method: string, ...args: readonly unknown[]): Promise<unknown> {
    return this.#ask((id) => ({ kind: 'call', id, method, args }))
  }

  async grant(leased: LeasedGrant): Promise<void> {
    this.#queueCounters.add(leased)
    await this.#ask((id) => ({ kind: 'grant', id, leased }))
  }

  async revoke(lease: number, deadline: number): Promise<'returned' | 'take'> {
    return (await this.#ask((id) => ({ kind: 'revoke', id, lease, deadline }))) as 'returned' | 'take'
  }

  async taken(lease: number): Promise<number> {
    return (await this.#ask((id) => ({ kind: 'taken', id, lease }))) as number
  }

  statistics(): PartitionStatistics {
    return {
      loop: this.#loopCounters.snapshot(),
      roundTimes: this.#loopCounters.roundTimes.snapshot(),
      ...this.#queueCounters.snapshot(),
    }
  }

  async stop(timeout = STOP_TIMEOUT): Promise<PartitionExit> {
    if (this.#stopping || this.#life.exit !== undefined) return this.exited
    this.#stopping = true
    const timer = setTimeout(() => {
      this.#crash(
        new ParakernelError('ETIMEDOUT', `did not stop within ${timeout} ms`, { subject: `partition ${this.name}` }),
      )
      void this.#worker.terminate()
    }, timeout)
    try {
      // A partition that fails to start ends by itself.
      await this.ready.then(
        () => this.#send({ kind: 'stop' }),
        () => {},
      )
      return await this.exited
    } finally {
      clearTimeout(timer)
    }
  }

  async kill(): Promise<PartitionExit> {
    this.#life.crashed(new ParakernelError('ECANCELED', 'was killed', { subject: `partition ${this.name}` }))
    void this.#worker.terminate()
    return this.exited
  }

  #ask(message: (id: number) => ToWorker): Promise<unknown> {
    return this.#life.ask((id) => this.#send(message(id)))
  }

  #send(message: ToWorker): void {
    this.#worker.postMessage(message)
    // The thread may be asleep in its loop, where no message reaches it.
    wake(this.#wake, this.#host)
  }

  #received(message: FromWorker): void {
    if (message.kind === 'ready') this.#life.begun()
    else if (message.kind === 'stopped') this.#life.stopped()
    else if (message.kind === 'crashed') this.#crash(fromPlainError(message.error))
    else if (message.kind === 'peer-call') void answerPeer(message, this.#peers).then((answer) => this.#send(answer))
    else this.#life.answered(message)
  }

  #crash(error: Error): void {
    this.#life.crashed(error)
    // It ends by itself, unless something of the module's keeps its thread alive.
    setTimeout(() => void this.#worker.terminate(), CRASH_GRACE).unref()
  }
}
