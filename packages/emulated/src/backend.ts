import type { NetBackend, NetQueueGrant } from '@parakernel/hal'
import { closeIfEmpty, namedNetwork } from './network/named-networks.ts'
import { type EmulatedOptions, optionSpecs } from './options.ts'
import { EmulatedQueue } from './queue/emulated-queue.ts'
import type { EmulatedTransport } from './queue/transport.ts'

declare module '@parakernel/hal' {
  interface NetBackendOptions {
    emulated: EmulatedOptions
  }
}

/** What a config's `backend: 'emulated'` resolves to. */
export const backend: NetBackend<EmulatedOptions> = {
  kind: 'net-backend',
  name: 'emulated',
  options: optionSpecs,
  probe: () => ({ available: true }),
  async open(options, { clock }) {
    const { network: name = 'default', seed, topology } = options
    const network = namedNetwork(name, {
      clock,
      ...(seed === undefined ? {} : { seed }),
      ...(topology === undefined ? {} : { topology }),
    })
    try {
      const nic = network.nic(options)
      nic.onClosed(() => closeIfEmpty(network))
      return nic
    } catch (error) {
      await closeIfEmpty(network)
      throw error
    }
  },
  attach: (grant, context) => new EmulatedQueue(grant as NetQueueGrant<EmulatedTransport>, context),
}
