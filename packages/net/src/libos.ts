import type { SteeringRule } from '@parakernel/hal'
import type { NetworkLibOSFactory } from '@parakernel/queue'
import { type NetOptions, optionSpecs, resolveOptions } from './options.ts'
import { NetLibOS } from './stack/net-libos.ts'
import { siblingsBuffer } from './stack/siblings.ts'

declare module '@parakernel/queue' {
  interface NetworkLibOSOptions {
    net: NetOptions
  }
}

/** What a config's `libos: 'net'` resolves to. */
export interface NetFactory extends NetworkLibOSFactory<NetOptions> {
  /**
   * Called once, by the control plane, before the partitions start: options for all of them. Where several share the
   * address, these hold the memory by which they tell each other what only one of them hears.
   */
  share(options: NetOptions, partitions: number): NetOptions
  create(options: NetOptions, context: Parameters<NetworkLibOSFactory['create']>[1]): Promise<NetLibOS>
}

export const libos: NetFactory = {
  kind: 'net-libos',
  name: 'net',
  options: optionSpecs,
  needsBackend: true,
  share: (options, partitions) =>
    partitions > 1 && options.siblings === undefined ? { ...options, siblings: siblingsBuffer() } : options,
  async create(options, context) {
    return new NetLibOS(resolveOptions(options), context)
  },
}

/**
 * The rules that bring answers to the partition whose ephemeral port they are for, where partition `i` holds queue `i`. For the
 * control plane of a device with the capability `steering`.
 * @throws EINVAL for bad options
 */
export function steeringRules(options: NetOptions, partitions: number): readonly SteeringRule[] {
  const { ephemeral } = resolveOptions(options)
  return [
    { protocol: 'udp', destinationPort: [ephemeral.first, ephemeral.last], queue: 0, spread: Math.max(partitions, 1) },
  ]
}
