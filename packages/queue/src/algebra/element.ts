import type { ErrorCode } from '@parakernel/hal'
import type { ScatterGatherArray } from '../scatter-gather.ts'
import type { SocketAddress } from '../types.ts'

/** What goes through queues: an array that its holder owns, and who sent it, for a datagram. */
export interface Element {
  readonly sga: ScatterGatherArray
  readonly source: SocketAddress | undefined
}

/** Why nothing more comes out of a queue: its end (an empty array, as of a stream), or an error. */
export type Ending = 'end' | { readonly code: ErrorCode; readonly message: string }

/** What the bytes of a queue's elements are, for expressions about them: a payload alone, or an Ethernet frame. */
export type ElementKind = 'payload' | 'frame'
