import { Worker } from 'node:worker_threads'
import type { BlockQueueGrant } from '@parakernel/hal'
import type { Answer } from '../worker-protocol.ts'
import type { BlockStep, EndResult, ExerciseResult, SleepResult } from './worker-protocol.ts'

// From source this file lies in a folder of its own; built, everything is one chunk beside the worker.
const entry = new URL(import.meta.url.endsWith('.ts') ? '../worker.ts' : './worker.js', import.meta.url)
/** Milliseconds within which a step must answer. */
const LIMIT = 20_000

/** A worker thread that holds one block queue and runs the suite's steps on it. */
export class BlockWorker {
  /** Workers that wait for the next case: to start one costs more than most cases. */
  static readonly #idle: BlockWorker[] = []
  readonly #worker: Worker
  readonly #hostModule: string | undefined
  #gone = false
  readonly #waiting: { resolve(answer: Answer): void; reject(error: Error): void }[] = []

  private constructor(worker: Worker, hostModule: string | undefined) {
    this.#worker = worker
    this.#hostModule = hostModule
    worker.on('message', (answer: Answer) => this.#waiting.shift()?.resolve(answer))
    worker.on('error', (error: Error) => this.#waiting.shift()?.reject(error))
  }

  static async start(hostModule?: string): Promise<BlockWorker> {
    const idle = BlockWorker.#idle.findIndex((one) => one.#hostModule === hostModule)
    if (idle >= 0) return BlockWorker.#idle.splice(idle, 1)[0]
    const worker = new Worker(entry, { workerData: 'block' })
    await new Promise<void>((resolve, reject) => {
      worker.once('online', resolve)
      worker.once('error', reject)
    })
    return new BlockWorker(worker, hostModule)
  }

  attach(grant: BlockQueueGrant): Promise<void> {
    return this.#ask({ kind: 'attach', grant, hostModule: this.#hostModule }) as Promise<void>
  }

  exercise(lba: number, blocks: number, stamp: number): Promise<ExerciseResult> {
    return this.#ask({ kind: 'exercise', lba, blocks, stamp }) as Promise<ExerciseResult>
  }

  sleep(rounds: number): Promise<SleepResult> {
    return this.#ask({ kind: 'sleep', rounds }) as Promise<SleepResult>
  }

  /** Resolves when the first commands are accepted; the worker goes on until it is terminated. */
  async flood(lba: number, blocks: number, stamp: number): Promise<void> {
    await this.#ask({ kind: 'flood', lba, blocks, stamp })
  }

  /** Resolves when the worker is at it; the promise that it answers resolves when the grant has ended. */
  async toEnd(patience = 10_000): Promise<{ readonly ended: Promise<EndResult> }> {
    const started = this.#ask({ kind: 'to-end', patience })
    const ended = this.#answer() as Promise<EndResult>
    await started
    return { ended }
  }

  detach(): Promise<void> {
    return this.#ask({ kind: 'detach' }) as Promise<void>
  }

  /** As a crash would. */
  async terminate(): Promise<void> {
    this.#gone = true
    await this.#worker.terminate()
  }

  /** The case is over: what the worker holds is detached, and the next case may have it. */
  async release(): Promise<void> {
    if (this.#gone) return
    if (this.#waiting.length > 0) return this.terminate()
    await this.#ask({ kind: 'reset' })
    BlockWorker.#idle.push(this)
  }

  static async terminateIdle(): Promise<void> {
    for (const worker of BlockWorker.#idle.splice(0)) await worker.terminate()
  }

  #ask(step: BlockStep): Promise<unknown> {
    const answer = this.#answer()
    this.#worker.postMessage(step)
    return answer
  }

  async #answer(): Promise<unknown> {
    let timer: NodeJS.Timeout | undefined
    const answer = await new Promise<Answer>((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      timer = setTimeout(() => reject(new Error(`the worker did not answer within ${LIMIT} ms`)), LIMIT)
    }).finally(() => clearTimeout(timer))
    if (!answer.ok) throw Object.assign(new Error(answer.message), { code: answer.code })
    return answer.result
  }
}
