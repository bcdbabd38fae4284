import { Worker } from 'node:worker_threads'
import type { PersistentGrant } from '@parakernel/hal'
import type { Answer } from '../worker-protocol.ts'
import type { PersistentStep } from './worker-steps.ts'

// From source this file lies in a folder of its own; built, everything is one chunk beside the worker.
const entry = new URL(import.meta.url.endsWith('.ts') ? '../worker.ts' : './worker.js', import.meta.url)

/** A worker thread that holds persistent memory. One step at a time. */
export class PersistentWorker {
  readonly #worker: Worker
  readonly #hostModule: string | undefined

  private constructor(worker: Worker, hostModule: string | undefined) {
    this.#worker = worker
    this.#hostModule = hostModule
  }

  static async start(hostModule?: string): Promise<PersistentWorker> {
    const worker = new Worker(entry, { workerData: 'persistent' })
    await new Promise<void>((resolve, reject) => {
      worker.once('online', resolve)
      worker.once('error', reject)
    })
    return new PersistentWorker(worker, hostModule)
  }

  fill(grant: PersistentGrant, value: number, keep = false): Promise<void> {
    return this.#ask({ kind: 'fill', grant, hostModule: this.#hostModule, value, keep })
  }

  /** Resolves when the worker counts; it goes on until it is terminated. */
  count(grant: PersistentGrant, progress: SharedArrayBuffer): Promise<void> {
    return this.#ask({ kind: 'count', grant, hostModule: this.#hostModule, progress })
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate()
  }

  async #ask(step: PersistentStep): Promise<void> {
    const answer = new Promise<Answer>((resolve, reject) => {
      this.#worker.once('message', resolve)
      this.#worker.once('error', reject)
    })
    this.#worker.postMessage(step)
    const { ok, ...rest } = await answer
    if (!ok) throw Object.assign(new Error('the worker failed'), rest)
  }
}
