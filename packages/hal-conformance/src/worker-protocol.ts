import type { NetQueueGrant } from '@parakernel/hal'

/** What the suite asks of a worker that holds a queue. Steps run in the order in which they were posted. */
export type Step =
  | { readonly kind: 'attach'; readonly grant: NetQueueGrant; readonly hostModule: string | undefined }
  /**
   * Sends `count` packets back to where they came from, with the addresses exchanged, and gives up when none came for
   * `patience` ms.
   */
  | { readonly kind: 'echo'; readonly count: number; readonly sleep: boolean; readonly patience: number }
  /** Transmits copies of `packet` in bursts until the worker is killed; answers when the first burst is out. */
  | { readonly kind: 'flood'; readonly packet: Uint8Array }
  /** Polls until the grant ends and then once more. */
  | { readonly kind: 'poll-to-end'; readonly patience: number }
  | { readonly kind: 'detach' }

export interface EchoResult {
  readonly received: number
  readonly transmitted: number
  /** Sleeps, and those that ran into their limit although a packet was there afterwards: lost wake-ups. */
  readonly sleeps: number
  readonly lost: number
}

export interface PollResult {
  /** State of the grant's control block when polling stopped. */
  readonly state: number
  readonly receivedAfter: number
  readonly transmittedAfter: number
}

export interface DetachResult {
  readonly missing: number
  readonly report: string
}

export type Answer =
  | { readonly ok: true; readonly result: unknown }
  | { readonly ok: false; readonly code: string | undefined; readonly message: string }
