import { type ErrorCode, ParakernelError } from '@parakernel/hal'
import type { PartitionPlan } from '../contracts.ts'
import type { LeasedGrant } from '../lease/resource.ts'
import type { PeerAnswer, PeerRequest } from './peer-calls.ts'

/** What a partition's worker is started with. */
export interface WorkerData {
  readonly plan: PartitionPlan
  /** Shared memory of the loop's counters. */
  readonly counters: SharedArrayBuffer
}

export type ToWorker =
  | { readonly kind: 'call'; readonly id: number; readonly method: string; readonly args: readonly unknown[] }
  | { readonly kind: 'stop' }
  | PeerAnswer
  | ({ readonly id: number } & LeaseMessage)

/** What the control plane says about leases; each is answered as a call is. */
export type LeaseMessage =
  | { readonly kind: 'grant'; readonly leased: LeasedGrant }
  | { readonly kind: 'revoke'; readonly lease: number; readonly deadline: number }
  | { readonly kind: 'taken'; readonly lease: number }

export type FromWorker =
  | { readonly kind: 'ready' }
  | { readonly kind: 'returned'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'threw'; readonly id: number; readonly error: PlainError }
  | PeerRequest
  | { readonly kind: 'stopped' }
  | { readonly kind: 'crashed'; readonly error: PlainError }

/** An error as clonable data: structured clone keeps neither the class nor the code. */
export interface PlainError {
  readonly name: string
  readonly message: string
  readonly stack: string | undefined
  readonly code: string | undefined
  readonly subject: string | undefined
  readonly remedy: string | undefined
  readonly typed: boolean
}

export function toPlainError(error: unknown): PlainError {
  const typed = error instanceof ParakernelError
  if (!(error instanceof Error) && !typed) {
    return { name: 'Error', message: String(error), stack: undefined, code: undefined, ...EMPTY }
  }
  const { name, message, stack } = error as Error
  const { code } = error as { code?: unknown }
  const detail = typed ? { subject: error.subject, remedy: error.remedy, typed } : EMPTY
  return { name, message, stack, code: typeof code === 'string' ? code : undefined, ...detail }
}

const EMPTY = { subject: undefined, remedy: undefined, typed: false }

export function fromPlainError(plain: PlainError): Error {
  const { name, message, stack, code, subject, remedy, typed } = plain
  const error = typed
    ? new ParakernelError(code as ErrorCode, message, {
        ...(subject === undefined ? {} : { subject }),
        ...(remedy === undefined ? {} : { remedy }),
      })
    : new Error(message)
  // The message of a typed error has its code, subject and remedy in it already.
  Object.assign(error, { message, name }, stack === undefined ? {} : { stack }, code === undefined ? {} : { code })
  return error
}
