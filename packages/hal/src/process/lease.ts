import type { BackendContext } from '../backend.ts'
import type { BlockCounter, BlockDevice, BlockRange } from '../block/device.ts'
import { ParakernelError } from '../errors.ts'
import type { FrameWindow } from '../memory/frame-window.ts'
import type { NetDevice } from '../net/device.ts'
import type { NetStatistics } from '../net/statistics.ts'
import type { PersistentDevice, PersistentRange } from '../persistent/region.ts'

/**
 * What another process gets instead of a grant, whose shared memory cannot cross: an object of the kernel that keeps it within what
 * it was given whatever code it runs, as descriptors to inherit and a ticket of plain data. Of these the process makes a device of
 * one queue (`openProcessLease`), which grants as any device does.
 */
interface LeaseToProcess {
  /** URL of the module that exports `openProcessLease` ({@link ProcessLeaseModule}). */
  readonly module: string
  /** The objects that hold against an enemy, joined by `+`: `bound-socket+memfd`, `restricted-ring+loop-device`. */
  readonly enforcedBy: string
  /** Plain data, also as JSON. Nothing in it is a secret, or a right. */
  readonly ticket: unknown
  /** What the process inherits, in this order. They stay this process's own until `close`. */
  readonly descriptors: readonly number[]
  /** What the kernel refused the holder, by the kernel's own counts; empty where it counts nothing. */
  refused(): Readonly<Record<string, number>>
  /**
   * Silences it at once as far as the kernel object allows, without the holder's help; absent where that is impossible. A descriptor
   * cannot be taken back: what is left of its powers ends with the process. Idempotent.
   */
  revoke?(): void
  /**
   * Revokes, and lets go of it here. What it was of can be granted again when the process has ended too. Its last counts go into the
   * device's. Idempotent.
   */
  close(): void
}

export interface NetProcessLease extends LeaseToProcess {
  readonly kind: 'net'
  /** What the kernel counts for it, and for the rest the holder's word, copied before it is looked at. */
  statistics(): NetStatistics
}

export interface BlockProcessLease extends LeaseToProcess {
  readonly kind: 'block'
  /** The holder's word. */
  statistics(): Record<BlockCounter, number>
}

export interface PersistentProcessLease extends LeaseToProcess {
  readonly kind: 'persistent'
}

export type ProcessLease = NetProcessLease | BlockProcessLease | PersistentProcessLease

/** The device that a lease is in the process that has it. */
export interface LeasedDevices {
  readonly net: NetDevice
  readonly block: BlockDevice
  readonly persistent: PersistentDevice
}

/** What `lease.module` exports. */
export interface ProcessLeaseModule<Kind extends ProcessLease['kind'] = ProcessLease['kind']> {
  /**
   * In the process that inherited `descriptors`, which become the device's: its `close` closes them.
   * @throws EBADF, EINVAL for descriptors that are not those of the ticket
   */
  openProcessLease(
    ticket: unknown,
    descriptors: readonly number[],
    context: BackendContext,
  ): LeasedDevices[Kind] | Promise<LeasedDevices[Kind]>
}

/**
 * Leases a queue with `window` as its frames, all of whose region the other process will map: a memfd of its own.
 * @throws EPERM where the device has nothing that would hold against an enemy; what `NetDevice.lease` throws
 */
export function leaseNetQueue(device: NetDevice, queue: number, window: FrameWindow): NetProcessLease {
  if (device.lease === undefined) throw noProcessLease(`${device.name} queue ${queue}`)
  return device.lease(queue, window)
}

/** @throws EPERM where the device has nothing that would hold against an enemy; what `BlockDevice.lease` throws */
export function leaseBlockRange(device: BlockDevice, range: BlockRange): BlockProcessLease {
  if (device.lease === undefined) throw noProcessLease(`${device.name} blocks from ${range.firstLba}`)
  return device.lease(range)
}

/** @throws EPERM where the device has nothing that would hold against an enemy; what `PersistentDevice.lease` throws */
export function leasePersistentRange(device: PersistentDevice, range: PersistentRange): PersistentProcessLease {
  if (device.lease === undefined) throw noProcessLease(`${device.name} bytes from ${range.byteOffset}`)
  return device.lease(range)
}

/** For a device without a kernel object that would keep another process within what it was given. */
export function noProcessLease(subject: string): ParakernelError {
  return new ParakernelError('EPERM', 'nothing of the kernel would keep another process within it', {
    subject,
    remedy: 'Run the partition in a worker, or use a backend with process leases: af-xdp, io-uring',
  })
}
