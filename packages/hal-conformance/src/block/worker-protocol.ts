import type { BlockQueueGrant } from '@parakernel/hal'

/** What the suite asks of a worker that holds a block queue. Steps run in the order in which they were posted. */
export type BlockStep =
  | { readonly kind: 'attach'; readonly grant: BlockQueueGrant; readonly hostModule: string | undefined }
  /** Writes a pattern to `blocks` blocks from `lba` on, a block a command, reads them back and compares. */
  | { readonly kind: 'exercise'; readonly lba: number; readonly blocks: number; readonly stamp: number }
  /** Reads one block again and again, asleep between submission and completion. */
  | { readonly kind: 'sleep'; readonly rounds: number }
  /** Writes blocks full of `stamp` until the worker is killed; answers when the first burst is accepted. */
  | { readonly kind: 'flood'; readonly lba: number; readonly blocks: number; readonly stamp: number }
  /** Keeps commands under way until the grant ends. */
  | { readonly kind: 'to-end'; readonly patience: number }
  | { readonly kind: 'detach' }
  /** Detaches what is attached, if anything. */
  | { readonly kind: 'reset' }

export interface ExerciseResult {
  readonly wrong: number
  readonly failed: number
}

export interface SleepResult {
  readonly completed: number
  readonly sleeps: number
  /** Sleeps that ran into their limit although a completion was there afterwards. */
  readonly lost: number
}

export interface EndResult {
  readonly state: number
  /** Accepted commands without a completion, and completions too many. */
  readonly missing: number
  readonly submittedAfter: number
}
