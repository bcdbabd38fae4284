import { type BackendContext, type NetDevice, ParakernelError } from '@parakernel/hal'
import { listOf } from '../problems/config-error.ts'
import { knownNames, load } from '../registry/registry.ts'
import type { ResolvedConfig } from '../settings/resolved.ts'
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
  const { settings, backend, probes } = config
  if (backend === undefined) return undefined
  let device: NetDevice
  if (given !== undefined) device = new BorrowedDevice(given)
  else {
    const availability = backend.export.probe(context)
    if (!availability.available) {
      throw new ParakernelError('ENOTSUP', `cannot run here: ${availability.missing}`, {
        subject: `backend ${backend.name}`,
        remedy: `${availability.remedy}. ${await alternatives(config, context)}`,
      })
    }
    device = await backend.export.open(settings.network.backendOptions, context)
  }
  try {
    for (const [i, probe] of probes.entries()) {
      device = probe.export.wrap(device, settings.network.probes[i].options, context)
    }
    const { partitions } = settings
    if (device.queues < partitions) {
      throw new ParakernelError(
        'EINVAL',
        `has ${device.queues} ${device.queues === 1 ? 'queue' : 'queues'} for ${partitions} partitions`,
        {
          subject: device.name,
          remedy: `Set partitions to ${device.queues}, or give the device more queues`,
        },
      )
    }
    return device
  } catch (error) {
    await device.close()
    throw error
  }
}

/** Which of the installed backends this machine can run, as a sentence. */
async function alternatives({ backend, application }: ResolvedConfig, context: BackendContext): Promise<string> {
  const working: string[] = []
  for (const name of knownNames('net-backend')) {
    const result = name === backend?.name ? undefined : await load('net-backend', name, application)
    if (result !== undefined && 'loaded' in result && result.loaded.export.probe(context).available) {
      working.push(`network.backend ${name}`)
    }
  }
  if ('loaded' in (await load('net-libos', 'host', application))) working.push('network.libos host')
  return working.length === 0 ? 'No other installed backend works here' : `These work here: ${listOf(working)}`
}
