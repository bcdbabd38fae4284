import type { ErrorCode } from '@parakernel/hal'
import type { ScatterGatherArray } from './scatter-gather.ts'

declare const descriptorBrand: unique symbol
declare const tokenBrand: unique symbol

/** Names a queue of this thread: a socket, a file, a memory queue. A small integer, not reused before the table is full. */
export type QueueDescriptor = number & { readonly [descriptorBrand]: true }

/** Names one pending operation; redeemed exactly once by a `wait*`, or ended by `cancel` or `close`. A small integer. */
export type QueueToken = number & { readonly [tokenBrand]: true }

/** An end point as text, `10.0.0.1` or `fe80::1`, and a port. */
export interface SocketAddress {
  readonly address: string
  readonly port: number
}

/** What became of a token. Data calls never throw: they end here, as `failed` if need be. */
export type Completion =
  | { readonly kind: 'push'; readonly qd: QueueDescriptor; readonly token: QueueToken; readonly bytes: number }
  | {
      readonly kind: 'pop'
      readonly qd: QueueDescriptor
      readonly token: QueueToken
      /** The caller's, who frees it with `sga.free()`. Empty (no segments) at the end of a stream. */
      readonly sga: ScatterGatherArray
      /** Sender of a datagram. */
      readonly source: SocketAddress | undefined
    }
  | {
      readonly kind: 'accept'
      readonly qd: QueueDescriptor
      readonly token: QueueToken
      readonly accepted: QueueDescriptor
      readonly peer: SocketAddress
    }
  | { readonly kind: 'connect'; readonly qd: QueueDescriptor; readonly token: QueueToken }
  | { readonly kind: 'close'; readonly qd: QueueDescriptor; readonly token: QueueToken }
  | {
      readonly kind: 'failed'
      readonly qd: QueueDescriptor
      readonly token: QueueToken
      readonly code: ErrorCode
      readonly message: string
    }
