import { type BackendContext, type NetDevice, ParakernelError } from '@parakernel/hal'
import type { ResolvedConfig } from '../settings/resolved.ts'
import { NETWORK } from '../settings/section.ts'
import { openBackend } from './backend.ts'
import { BorrowedDevice } from './borrowed-device.ts'

/**
 * Opens the device that the config names, or takes the given one, and wraps its probes around it, the first one innermost.
 * Undefined for a libOS that stands on none.
 * @throws ENOTSUP when this machine cannot run the backend, with what is missing and what would work; what `open` throws
 */
export async function openDevice(
  config: ResolvedConfig,
  context: BackendContext,
  given: NetDevice | undefined,
): Promise<NetDevice | undefined> {
  const { settings, backend, probes, application } = config
  if (backend === undefined) return undefined
  const { backendOptions } = settings.network
  let device =
    given !== undefined
      ? new BorrowedDevice(given)
      : await openBackend(NETWORK, backend, backendOptions, context, application)
  try {
    for (const [i, probe] of probes.entries()) {
      device = probe.export.wrap(device, settings.network.probes[i].options, context)
    }
    return withQueuesFor(settings.partitions, device)
  } catch (error) {
    await device.close()
    throw error
  }
}

/**
 * Opens the devices of further interfaces, in the order of the config.
 * @param opened called with each as soon as it is there
 * @throws as `openDevice`
 */
export async function openFurtherDevices(
  config: ResolvedConfig,
  context: BackendContext,
  opened: (device: NetDevice) => void,
): Promise<readonly NetDevice[]> {
  const { settings, interfaces } = config
  const devices: NetDevice[] = []
  for (const [i, backend] of interfaces.entries()) {
    const device = await openBackend(
      NETWORK,
      backend,
      settings.network.interfaces[i].backendOptions,
      context,
      config.application,
    )
    opened(device)
    devices.push(withQueuesFor(settings.partitions, device))
  }
  return devices
}

/** @throws EINVAL unless the device has a queue for each partition */
function withQueuesFor(partitions: number, device: NetDevice): NetDevice {
  if (device.queues >= partitions) return device
  throw new ParakernelError(
    'EINVAL',
    `has ${device.queues} ${device.queues === 1 ? 'queue' : 'queues'} for ${partitions} partitions`,
    {
      subject: device.name,
      remedy: `Set partitions to ${device.queues}, or give the device more queues`,
    },
  )
}
