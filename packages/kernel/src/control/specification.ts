import type { BlockDevice, BlockRange, NetDevice, PersistentDevice, PersistentRange } from '@parakernel/hal'
import type { PartitionPlan, RingDescriptor, WaitPolicy } from '../contracts.ts'
import type { Enforcement } from '../lease/enforcement.ts'
import type { PartitionHandle } from '../partition/handle.ts'

/** What happens when a partition ends without having been asked to. Times in nanoseconds. */
export interface RestartPolicy {
  readonly when: 'never' | 'on-crash'
  /** Restarts within `within` after which it stays down; default 5 in a minute. */
  readonly maximum?: number
  readonly within?: number
  /** Before the first restart; doubled with each one within `within`, up to 100 times as long. Default 100 ms. */
  readonly backoff?: number
}

/** A restart, as it is told of before it happens. */
export interface Restart {
  /** From 1. */
  readonly number: number
  /** What the partition ended with. */
  readonly cause: Error
  /** Nanoseconds until the successor starts. */
  readonly delay: number
}

/** A partition to be, in the words of who wants one. */
export interface PartitionSpecification<Data = unknown> {
  /** In errors, listings and thread names. */
  readonly name: string
  /** URL of the module with the export `partition`. */
  readonly module: string | URL
  /** Core to pin it to; needs a host module. */
  readonly core?: number
  readonly memory?: {
    /** Default 512. */
    readonly frames?: number
    /** Bytes; default 2048. */
    readonly frameSize?: number
    /** Bytes beside the frames, for the partition's own use; default 0. A successor finds zeroes. */
    readonly heap?: number
    /** `memfd` needs a host; default `plain`. */
    readonly kind?: 'plain' | 'memfd'
  }
  readonly queues?: readonly { readonly device: NetDevice; readonly queue: number }[]
  readonly storage?: readonly (
    | { readonly device: BlockDevice; readonly queue: number; readonly range: BlockRange }
    | { readonly device: PersistentDevice; readonly range: PersistentRange }
  )[]
  /** What enforces its leases; default `GUARD`. */
  readonly enforcement?: Enforcement
  /** How it is started; default: in a worker, or inline where the control plane has a loop. */
  readonly start?: (plan: PartitionPlan) => PartitionHandle
  readonly restart?: RestartPolicy
  readonly onRestart?: (restart: Restart) => void
  readonly wait?: WaitPolicy
  /** Its number among `partitions`, for code that tells them apart; default 0 of 1. */
  readonly index?: number
  readonly partitions?: number
  readonly incoming?: readonly (RingDescriptor | undefined)[]
  readonly outgoing?: readonly (RingDescriptor | undefined)[]
  /** Its wake word, where rings name one already. */
  readonly wake?: SharedArrayBuffer
  readonly deviceReserve?: number
  readonly debugFrames?: boolean
  /** Clonable. */
  readonly data?: Data
}
