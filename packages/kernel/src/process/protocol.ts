import type { FrameWindow, ProcessLease, ProcessUser } from '@parakernel/hal'
import type { PartitionPlan } from '../contracts.ts'
import type { FromWorker, PlainError, ToWorker } from '../partition/messages.ts'
import type { PeerAnswer, PeerRequest } from '../partition/peer-calls.ts'

/** Descriptors that every partition process inherits after its standard ones; those of its leases follow. */
export const CHANNEL_FD = 3
export const WAKE_FD = 4
export const STATUS_FD = 5
export const REGION_FD = 6
export const FIRST_LEASE_FD = 7

/** On the command line: what is needed before there is a channel. */
export interface LaunchArguments {
  readonly name: string
  readonly hostModule: string
  readonly user?: ProcessUser
  /** The control plane. */
  readonly parent: number
  /** How many descriptors the partition inherits, from 0. */
  readonly descriptors: number
  readonly environment: Readonly<Record<string, string>>
}

/** A lease without what is the control plane's, and how many of the descriptors are its. */
export type SentLease = Pick<ProcessLease, 'kind' | 'module' | 'ticket'> & { readonly descriptors: number }

export type SentPlan = Omit<
  PartitionPlan,
  'window' | 'grants' | 'blockGrants' | 'persistentGrants' | 'leases' | 'incoming' | 'outgoing' | 'hostModule'
>

export interface StartMessage {
  readonly kind: 'start'
  readonly plan: SentPlan
  readonly window: Omit<FrameWindow, 'region' | 'wake'>
  readonly regionBytes: number
  readonly leases: readonly SentLease[]
}

export type ToProcess = StartMessage | Extract<ToWorker, { kind: 'call' | 'stop' }> | PeerAnswer
export type FromProcess = FromWorker

/** What a process sent, if it is a message: it may send anything. */
export function checkFromProcess(value: unknown): FromProcess | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { kind, id, error, partition, method, args } = value as Record<string, unknown>
  if (kind === 'ready' || kind === 'stopped') return { kind }
  if (kind === 'crashed') return { kind, error: checkError(error) }
  if (typeof id !== 'number') return undefined
  if (kind === 'returned') return { kind, id, value: (value as { value: unknown }).value }
  if (kind === 'threw') return { kind, id, error: checkError(error) }
  if (kind !== 'peer-call' || typeof method !== 'string' || !Array.isArray(args)) return undefined
  return isIndex(partition) ? { kind, id, partition, method, args } : undefined
}

const isIndex = (value: unknown): value is PeerRequest['partition'] => Number.isSafeInteger(value) && Number(value) >= 0

function checkError(error: unknown): PlainError {
  const fields = (typeof error === 'object' && error !== null ? error : {}) as Record<string, unknown>
  const text = (name: string) => (typeof fields[name] === 'string' ? fields[name] : undefined)
  return {
    name: text('name') ?? 'Error',
    message: text('message') ?? 'without a message',
    stack: text('stack'),
    code: text('code'),
    subject: text('subject'),
    remedy: text('remedy'),
    typed: fields['typed'] === true && text('code') !== undefined,
  }
}
