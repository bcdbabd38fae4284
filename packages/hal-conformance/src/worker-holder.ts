import { Worker } from 'node:worker_threads'
import type { NetQueueGrant } from '@parakernel/hal'
import type { Answer, DetachResult, EchoResult, PollResult, Step } from './worker-protocol.ts'

const entry = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url)
/** Milliseconds within which a step must answer. */
const LIMIT = 20_000

/** A worker thread that holds one queue and runs the suite's steps on it. */
export class WorkerHolder {
  readonly #worker: Worker
  readonly #hostModule: string | undefined
  readonly #waiting: { resolve(answer: Answer): void; reject(error: Error): void }[] = []

  private constructor(worker: Worker, hostModule: string | undefined) {
    this.#worker = worker
    this.#hostModule = hostModule
    worker.on('message', (answer: Answer) => this.#waiting.shift()?.resolve(answer))
    worker.on('error', (error: Error) => this.#waiting.shift()?.reject(error))
  }

  static async start(hostModule?: string): Promise<WorkerHolder> {
    const worker = new Worker(entry)
    await new Promise<void>((resolve, reject) => {
      worker.once('online', resolve)
      worker.once('error', reject)
    })
    return new WorkerHolder(worker, hostModule)
  }

  attach(grant: NetQueueGrant): Promise<void> {
    return this.#ask({ kind: 'attach', grant, hostModule: this.#hostModule }) as Promise<void>
  }

  echo(count: number, options: { readonly sleep: boolean; readonly patience?: number }): Promise<EchoResult> {
    return this.#ask({ kind: 'echo', count, patience: 4_000, ...options }) as Promise<EchoResult>
  }

  /** Resolves when the first burst is out; the worker goes on until it is terminated. */
  async flood(packet: Uint8Array): Promise<void> {
    await this.#ask({ kind: 'flood', packet })
  }

  /** Resolves when the worker polls; the promise that it answers resolves when the grant has ended. */
  async pollToEnd(patience = 10_000): Promise<{ readonly ended: Promise<PollResult> }> {
    const started = this.#ask({ kind: 'poll-to-end', patience })
    const ended = this.#answer() as Promise<PollResult>
    await started
    return { ended }
  }

  detach(): Promise<DetachResult> {
    return this.#ask({ kind: 'detach' }) as Promise<DetachResult>
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate()
  }

  #ask(step: Step): Promise<unknown> {
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
