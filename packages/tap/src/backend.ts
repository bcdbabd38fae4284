import {
  type AttachContext,
  type Availability,
  type BackendContext,
  type NetBackend,
  type NetQueue,
  type NetQueueGrant,
  ParakernelError,
  reasonOf,
} from '@parakernel/hal'
import { foreign, missingCapabilities, tunMissing } from '@parakernel/linux'
import { TapDevice } from './control/device.ts'
import { TapQueue } from './data/queue.ts'
import { optionSpecs, type TapOptions } from './options.ts'
import type { TapTransport } from './transport.ts'

/** TAP as a backend: a virtual cable whose other end is a network interface of this machine's kernel. */
export const backend: NetBackend<TapOptions> = {
  kind: 'net-backend',
  name: 'tap',
  options: optionSpecs,

  probe(): Availability {
    const lack = foreignMissing() ?? tunMissing()
    if (lack !== undefined) {
      return { available: false, missing: reasonOf(lack), remedy: lack.remedy ?? 'Use another backend' }
    }
    const missing = missingCapabilities('CAP_NET_ADMIN')
    if (missing.length === 0) return { available: true }
    return {
      available: false,
      missing: missing.join(', '),
      remedy: 'Run as root, grant the capability, or have an interface made for this user (ip tuntap add ... user)',
    }
  },

  async open(options: TapOptions, context: BackendContext): Promise<TapDevice> {
    // Grants name this module, by which a worker finds `attach`.
    return new TapDevice(options, context, import.meta.url)
  },

  attach(grant: NetQueueGrant, context: AttachContext): NetQueue {
    return new TapQueue(grant as NetQueueGrant<TapTransport>, context)
  },
}

function foreignMissing(): ParakernelError | undefined {
  try {
    foreign()
    return undefined
  } catch (error) {
    if (!(error instanceof ParakernelError)) throw error
    return error
  }
}
