import type { Worker } from 'node:worker_threads'
import type { BlockQueueGrant } from '@parakernel/hal'
import { StepWorker, startStepThread } from '../step-worker.ts'
import type { BlockStep, EndResult, ExerciseResult, SleepResult } from './worker-protocol.ts'

/** A worker thread that holds one block queue and runs the suite's steps on it. */
export class BlockWorker extends StepWorker<BlockStep> {
  /** Workers that wait for the next case: to start one costs more than most cases. */
  static readonly #idle: BlockWorker[] = []
  readonly #hostModule: string | undefined
  #gone = false

  private constructor(worker: Worker, hostModule: string | undefined) {
    super(worker)
    this.#hostModule = hostModule
  }

  static async start(hostModule?: string): Promise<BlockWorker> {
    const idle = BlockWorker.#idle.findIndex((one) => one.#hostModule === hostModule)
    if (idle >= 0) return BlockWorker.#idle.splice(idle, 1)[0]
    return new BlockWorker(await startStepThread('block'), hostModule)
  }

  attach(grant: BlockQueueGrant): Promise<void> {
    return this.ask({ kind: 'attach', grant, hostModule: this.#hostModule }) as Promise<void>
  }

  exercise(lba: number, blocks: number, stamp: number): Promise<ExerciseResult> {
    return this.ask({ kind: 'exercise', lba, blocks, stamp }) as Promise<ExerciseResult>
  }

  sleep(rounds: number): Promise<SleepResult> {
    return this.ask({ kind: 'sleep', rounds }) as Promise<SleepResult>
  }

  /** Resolves when the first commands are accepted; the worker goes on until it is terminated. */
  async flood(lba: number, blocks: number, stamp: number): Promise<void> {
    await this.ask({ kind: 'flood', lba, blocks, stamp })
  }

  /** Resolves when the worker is at it; the promise that it answers resolves when the grant has ended. */
  toEnd(patience = 10_000): Promise<{ readonly ended: Promise<EndResult> }> {
    return this.askTwice({ kind: 'to-end', patience }) as Promise<{ readonly ended: Promise<EndResult> }>
  }

  detach(): Promise<void> {
    return this.ask({ kind: 'detach' }) as Promise<void>
  }

  override async terminate(): Promise<void> {
    this.#gone = true
    await super.terminate()
  }

  /** The case is over: what the worker holds is detached, and the next case may have it. */
  async release(): Promise<void> {
    if (this.#gone) return
    if (!this.idle) return this.terminate()
    await this.ask({ kind: 'reset' })
    BlockWorker.#idle.push(this)
  }

  static async terminateIdle(): Promise<void> {
    for (const worker of BlockWorker.#idle.splice(0)) await worker.terminate()
  }
}
