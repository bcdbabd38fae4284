import {
  type FrameWindow,
  leaseBlockRange,
  leaseNetQueue,
  leasePersistentRange,
  type NetDevice,
  ParakernelError,
  type ProcessLease,
} from '@parakernel/hal'
import type { ResolvedConfig } from '../settings/resolved.ts'
import { queuesOf } from './queues-of.ts'
import { blocksOf, bytesOf, isBlock, type StorageDevice } from './storage.ts'
import type { Teardown } from './teardown.ts'

/** Whether partitions can be processes at all. @throws ENOTSUP that says what stands against it */
export function checkIsolation({ settings, libos }: ResolvedConfig, inline: boolean): void {
  if (settings.isolation !== 'process') return
  const not = (message: string, remedy: string) =>
    new ParakernelError('ENOTSUP', message, { subject: 'isolation', remedy })
  if (inline) throw not('partitions of this thread are no processes', 'Compose without inline, loop and clock')
  if (settings.partitions > 1 && libos.export.share !== undefined) {
    throw not(
      `partitions of ${libos.name} share memory, which cannot cross to a process`,
      'Set partitions to 1, or isolation to "worker"',
    )
  }
}

/** What the process of partition `index` gets of the devices. @throws EPERM from a device that has nothing to enforce a lease with */
export function leaseAll(
  devices: readonly NetDevice[],
  storage: StorageDevice | undefined,
  partitions: number,
  index: number,
  window: FrameWindow,
  teardown: Teardown,
): ProcessLease[] {
  const leases: ProcessLease[] = []
  const add = (lease: ProcessLease) => {
    leases.push(lease)
    teardown.push(() => lease.close())
  }
  for (const device of devices) {
    for (const queue of queuesOf(device, partitions, index)) add(leaseNetQueue(device, queue, window))
  }
  if (storage === undefined) return leases
  if (isBlock(storage)) add(leaseBlockRange(storage, blocksOf(storage, partitions, index)))
  else add(leasePersistentRange(storage, bytesOf(storage, partitions, index)))
  return leases
}
