import type { LibOSContext, NetworkLibOSFactory } from '@parakernel/queue'
import { HostLibOS } from './host-libos.ts'
import { HOST_OPTIONS, type HostOptions } from './options.ts'

export const libos: NetworkLibOSFactory<HostOptions> = {
  kind: 'net-libos',
  name: 'host',
  options: HOST_OPTIONS,
  needsBackend: false,
  async create(options: HostOptions, context: LibOSContext) {
    return new HostLibOS(options, context)
  },
}
