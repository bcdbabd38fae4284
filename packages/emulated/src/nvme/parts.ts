import type { EmulatedBus } from './bus.ts'
import type { Chunks } from './data-pointer.ts'
import type { Features } from './features.ts'
import type { Health } from './health.ts'
import type { Namespace } from './namespace.ts'
import type { ResolvedNvmeOptions } from './options.ts'
import type { CompletionQueue, FetchedCommand, SubmissionQueue } from './queues.ts'

/** What commands work on. */
export interface ControllerParts {
  readonly options: ResolvedNvmeOptions
  readonly bus: EmulatedBus
  readonly namespaces: Map<number, Namespace>
  readonly features: Features
  readonly health: Health
  readonly submissions: Map<number, SubmissionQueue>
  readonly completions: Map<number, CompletionQueue>
  /** Of the command at hand. */
  readonly chunks: Chunks
  /** Dword 0 of the completion of the command at hand. */
  readonly result: Int32Array
  /** Commands that wait for an event. */
  readonly eventRequests: FetchedCommand[]
  /** Ends commands that are not done with a status; returns how many there were. */
  cancel(matching: (command: FetchedCommand) => boolean, status: number): number
}
