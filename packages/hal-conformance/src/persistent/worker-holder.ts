import type { Worker } from 'node:worker_threads'
import type { PersistentGrant } from '@parakernel/hal'
import { StepWorker, startStepThread } from '../step-worker.ts'
import type { PersistentStep } from './worker-steps.ts'

/** A worker thread that holds persistent memory. */
export class PersistentWorker extends StepWorker<PersistentStep> {
  readonly #hostModule: string | undefined

  private constructor(worker: Worker, hostModule: string | undefined) {
    super(worker)
    this.#hostModule = hostModule
  }

  static async start(hostModule?: string): Promise<PersistentWorker> {
    return new PersistentWorker(await startStepThread('persistent'), hostModule)
  }

  async fill(grant: PersistentGrant, value: number, keep = false): Promise<void> {
    await this.ask({ kind: 'fill', grant, hostModule: this.#hostModule, value, keep })
  }

  /** Resolves when the worker counts; it goes on until it is terminated. */
  async count(grant: PersistentGrant, progress: SharedArrayBuffer): Promise<void> {
    await this.ask({ kind: 'count', grant, hostModule: this.#hostModule, progress })
  }
}
