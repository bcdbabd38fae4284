import { Worker } from 'node:worker_threads'
import type { Answer } from './worker-protocol.ts'

// Built, everything is one chunk beside the worker.
const entry = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url)
/** Milliseconds within which a step must answer. */
const LIMIT = 20_000

/** Starts a thread that runs the steps of one kind of device. */
export async function startStepThread(kind: 'net' | 'block' | 'persistent'): Promise<Worker> {
  const worker = new Worker(entry, { workerData: kind })
  await new Promise<void>((resolve, reject) => {
    worker.once('online', resolve)
    worker.once('error', reject)
  })
  return worker
}

/** A thread that runs the suite's steps on what it holds; each step is answered once, in order. */
export class StepWorker<Step> {
  readonly #worker: Worker
  readonly #waiting: { resolve(answer: Answer): void; reject(error: Error): void }[] = []

  constructor(worker: Worker) {
    this.#worker = worker
    worker.on('message', (answer: Answer) => this.#waiting.shift()?.resolve(answer))
    worker.on('error', (error: Error) => this.#waiting.shift()?.reject(error))
  }

  /** As a crash would. */
  async terminate(): Promise<void> {
    await this.#worker.terminate()
  }

  protected get idle(): boolean {
    return this.#waiting.length === 0
  }

  protected ask(step: Step): Promise<unknown> {
    const answer = this.#answer()
    this.#worker.postMessage(step)
    return answer
  }

  /** For a step that answers twice: resolves when it is under way, with what it answers at its end. */
  protected async askTwice(step: Step): Promise<{ readonly ended: Promise<unknown> }> {
    const started = this.ask(step)
    const ended = this.#answer()
    await started
    return { ended }
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
