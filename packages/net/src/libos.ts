import type { LibOSContext, NetworkLibOSFactory } from '@parakernel/queue'
import { type NetOptions, optionSpecs, resolveOptions } from './options.ts'
import { NetLibOS } from './stack/net-libos.ts'
import { siblingsBuffer } from './stack/siblings.ts'

declare module '@parakernel/queue' {
  interface NetworkLibOSOptions {
    net: NetOptions
  }
}

/** What a config's `libos: 'net'` resolves to. */
export interface NetFactory extends Required<NetworkLibOSFactory<NetOptions>> {
  create(options: NetOptions, context: LibOSContext): Promise<NetLibOS>
}

export const libos: NetFactory = {
  kind: 'net-libos',
  name: 'net',
  options: optionSpecs,
  needsBackend: true,
  share: (options, partitions) =>
    partitions > 1 && options.siblings === undefined ? { ...options, siblings: siblingsBuffer() } : options,
  steeringRules(options, partitions) {
    const { ephemeral } = resolveOptions(options)
    const destinationPort = [ephemeral.first, ephemeral.last] as const
    return [{ protocol: 'udp', destinationPort, queue: 0, spread: Math.max(partitions, 1) }]
  },
  async create(options, context) {
    return new NetLibOS(resolveOptions(options), context)
  },
}
