import type { Worker } from 'node:worker_threads'
import type { NetQueueGrant } from '@parakernel/hal'
import { StepWorker, startStepThread } from './step-worker.ts'
import type { DetachResult, EchoResult, PollResult, Step } from './worker-protocol.ts'

/** A worker thread that holds one queue and runs the suite's steps on it. */
export class WorkerHolder extends StepWorker<Step> {
  readonly #hostModule: string | undefined

  private constructor(worker: Worker, hostModule: string | undefined) {
    super(worker)
    this.#hostModule = hostModule
  }

  static async start(hostModule?: string): Promise<WorkerHolder> {
    return new WorkerHolder(await startStepThread('net'), hostModule)
  }

  attach(grant: NetQueueGrant): Promise<void> {
    return this.ask({ kind: 'attach', grant, hostModule: this.#hostModule }) as Promise<void>
  }

  echo(count: number, options: { readonly sleep: boolean; readonly patience?: number }): Promise<EchoResult> {
    return this.ask({ kind: 'echo', count, patience: 4_000, ...options }) as Promise<EchoResult>
  }

  /** Resolves when the first burst is out; the worker goes on until it is terminated. */
  async flood(packet: Uint8Array): Promise<void> {
    await this.ask({ kind: 'flood', packet })
  }

  /** Resolves when the worker polls; the promise that it answers resolves when the grant has ended. */
  pollToEnd(patience = 10_000): Promise<{ readonly ended: Promise<PollResult> }> {
    return this.askTwice({ kind: 'poll-to-end', patience }) as Promise<{ readonly ended: Promise<PollResult> }>
  }

  detach(): Promise<DetachResult> {
    return this.ask({ kind: 'detach' }) as Promise<DetachResult>
  }
}
