import type { BlockCounter, Clock, NetDevice, NetStatistics } from '@parakernel/hal'
import type { RunLoop } from '@parakernel/kernel'
import type { Endpoints } from '../observe/observe.ts'
import type { LibOSStatistics } from '../partition/main.ts'
import type { ResolvedConfig } from '../settings/resolved.ts'
import type { MachineSteering } from './steering.ts'
import type { StorageDevice } from './storage.ts'

export interface ComposeOptions<Data = unknown> {
  /** The module that every partition runs: a URL (`new URL('./partition.js', import.meta.url)`) with the export `partition`. */
  readonly partition: URL | string
  /** What the partition finds as `context.data`: clonable, the same for all, or made for each. */
  readonly data?: Data | ((partition: number) => Data)
  /** In errors, thread names and statistics; default `machine`. */
  readonly name?: string
  /** Devices that are already open, instead of those of the config's backends; they stay the caller's to close. */
  readonly devices?: { readonly network?: NetDevice; readonly storage?: StorageDevice }
  /** Between every two partitions there is a ring each way; default 256 slots of 2048 bytes. */
  readonly rings?: { readonly slots: number; readonly slotBytes: number }
  /** Runs the partitions in the calling thread, on one loop, instead of in workers. Default false. */
  readonly inline?: boolean
  /** A virtual clock implies `inline`: run the machine by `machine.loop`, which is not started. Default: the host's clock. */
  readonly clock?: Clock
  /** A loop that is already there, of another machine in this thread say: implies `inline`, on the loop's clock. */
  readonly loop?: RunLoop
  /** Stops the machine in order on SIGINT and SIGTERM; a second signal ends the process at once. Default true. */
  readonly signals?: boolean
  /** Warnings that the user should see; default `console.warn`. */
  readonly warn?: (message: string) => void
}

export type Exit =
  | { readonly reason: 'stopped' }
  | { readonly reason: 'signal'; readonly signal: 'SIGINT' | 'SIGTERM' }
  /** A partition ended by itself; the others were stopped. */
  | { readonly reason: 'failed'; readonly error: Error }

export interface MachineStatistics {
  /** Of the device as the partitions see it, probes included; undefined without a device. */
  readonly device: NetStatistics | undefined
  readonly queues: readonly NetStatistics[]
  /** Of the devices of further interfaces, by the interface's name. */
  readonly interfaces: Readonly<Record<string, NetStatistics>>
  /** Counters of each partition's libOS by group; undefined for a partition that has started none. */
  readonly partitions: readonly (LibOSStatistics | undefined)[]
  /** Where the rules of `steering` run, and how often the device was wrong. */
  readonly steering: MachineSteering
  readonly storage: {
    /** Of the block device as the partitions see it; undefined for persistent memory, and without a device. */
    readonly device: Readonly<Record<BlockCounter, number>> | undefined
    /** Counters of each partition's storage libOS by group; undefined for a partition that has started none. */
    readonly partitions: readonly (LibOSStatistics | undefined)[]
  }
}

/** A config that runs. */
export interface Machine {
  readonly name: string
  readonly config: ResolvedConfig
  readonly partitions: number
  /** The device that the partitions' queues are of, with its probes around it. */
  readonly device: NetDevice | undefined
  /** The device under the storage, with its probes around it; each partition holds a share of it. */
  readonly storageDevice: StorageDevice | undefined
  /** The loop of the partitions that run in this thread; undefined when they run in workers of their own. */
  readonly loop: RunLoop | undefined
  /** Where it can be looked at, as `observe` of its config says. */
  readonly endpoints: Endpoints
  /**
   * Calls a method that a partition's module returned under `methods`. Arguments and result are cloned.
   * @throws what the method throws; ENOSYS for a method that it does not have; ECANCELED when the machine stops meanwhile
   */
  call<Result = unknown>(partition: number, method: string, ...args: unknown[]): Promise<Result>
  statistics(): Promise<MachineStatistics>
  /** Stops everything in the reverse order of its start. Idempotent; resolves when all is given back. */
  stop(): Promise<void>
  /**
   * Resolves when the machine has stopped, and why. Never rejects. Where nobody has read it, a failure is a warning, and makes
   * the exit code of the process 1.
   */
  readonly exited: Promise<Exit>
}
