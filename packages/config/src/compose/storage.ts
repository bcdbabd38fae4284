import {
  type BackendContext,
  type BlockDevice,
  type BlockQueueGrant,
  type BlockRange,
  type FrameWindow,
  ParakernelError,
  type PersistentDevice,
  type PersistentGrant,
  type PersistentRange,
} from '@parakernel/hal'
import type { ResolvedConfig } from '../settings/resolved.ts'
import { STORAGE } from '../settings/section.ts'
import { openBackend } from './backend.ts'
import type { Teardown } from './teardown.ts'

/** Whichever lies under the storage: queues of blocks, or bytes. */
export type StorageDevice = BlockDevice | PersistentDevice

/** Shares of a device begin at multiples of it, in bytes, where the device is large enough to be cut so. */
const SHARE_ALIGNMENT = 1 << 20
/** Of shares of persistent memory: pages, whatever the granularity. */
const PAGE = 4096

/**
 * Opens the device under the storage, or takes the given one, which stays the caller's to close, with its probes around it.
 * Undefined without a storage, and for a libOS that stands on no device.
 * @throws as `openBackend`; EINVAL for probes around persistent memory, and for fewer queues than partitions
 */
export async function openStorage(
  { storage, settings, application }: ResolvedConfig,
  context: BackendContext,
  given: StorageDevice | undefined,
  teardown: Teardown,
): Promise<StorageDevice | undefined> {
  const backend = storage?.backend
  if (storage === undefined || backend === undefined || settings.storage === undefined) return undefined
  const { backendOptions, probes } = settings.storage
  let device: StorageDevice =
    given ?? (await openBackend<StorageDevice>(STORAGE, backend, backendOptions, context, application))
  if (given === undefined) {
    const opened = device
    teardown.push(() => opened.close())
  }
  for (const [i, { export: decorator, name: subject }] of storage.probes.entries()) {
    if (!isBlock(device)) {
      const remedy = 'Leave storage.probes out, or take a block backend'
      throw new ParakernelError('EINVAL', 'goes around block devices, and this is persistent memory', {
        subject,
        remedy,
      })
    }
    device = decorator.wrap(device, probes[i].options, context)
  }
  if (isBlock(device) && device.queues < settings.partitions) {
    const remedy = `Set partitions to ${device.queues}, or give the device more queues`
    const what = `has ${device.queues} queue(s) for ${settings.partitions} partitions`
    throw new ParakernelError('EINVAL', what, { subject: device.name, remedy })
  }
  return device
}

export interface StorageGrants {
  readonly blockGrants: readonly BlockQueueGrant[]
  readonly persistentGrants: readonly PersistentGrant[]
}

/** What partition `index` gets of the device: a queue of its own, and an equal share of the blocks or bytes. */
export function grantStorage(
  device: StorageDevice | undefined,
  partitions: number,
  index: number,
  window: FrameWindow,
  teardown: Teardown,
): StorageGrants {
  if (device === undefined) return { blockGrants: [], persistentGrants: [] }
  if (!isBlock(device)) {
    const grant = device.grant(bytesOf(device, partitions, index), window.lease)
    teardown.push(() => device.reclaim(grant))
    return { blockGrants: [], persistentGrants: [grant] }
  }
  const grant = device.grant(index, blocksOf(device, partitions, index), window)
  teardown.push(() => device.reclaim(grant))
  return { blockGrants: [grant], persistentGrants: [] }
}

/** The share of partition `index`, in bytes. @throws ENOSPC */
export function bytesOf(device: PersistentDevice, partitions: number, index: number): PersistentRange {
  const byteLength = shareOf(device.byteLength, partitions, PAGE, device.name)
  return { byteOffset: index * byteLength, byteLength }
}

/** The share of partition `index`, in blocks. @throws ENOSPC */
export function blocksOf(device: BlockDevice, partitions: number, index: number): BlockRange {
  const [[namespace, total]] = [...device.namespaces].sort(([a], [b]) => a - b)
  const alignment = Math.max(1, SHARE_ALIGNMENT / device.capabilities.blockSize)
  const blocks = shareOf(total, partitions, alignment, device.name)
  return { namespace, firstLba: index * blocks, blocks }
}

/** @throws ENOSPC for a device with less than one unit for each */
function shareOf(total: number, partitions: number, alignment: number, subject: string): number {
  if (partitions === 1) return total
  const share = Math.floor(total / partitions)
  if (share < 1) throw new ParakernelError('ENOSPC', `is too small for ${partitions} partitions`, { subject })
  return share < alignment ? share : share - (share % alignment)
}

export function isBlock(device: StorageDevice): device is BlockDevice {
  return 'namespaces' in device
}
