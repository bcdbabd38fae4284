import type { LibOSContext, NetworkLibOSFactory } from '@parakernel/queue'
import { interfaceSpecs } from './options/interface-options.ts'
import { type NetOptions, optionSpecs, resolveOptions } from './options.ts'
import { secureRandom, seededRandom } from './random.ts'
import { handOffBuffer } from './stack/hand-off.ts'
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
  interfaceOptions: interfaceSpecs,
  needsBackend: true,
  share(options, partitions, wakes = []) {
    if (partitions <= 1) return options
    // One secret, so that all make the same autoconfigured addresses.
    const { siblings = siblingsBuffer(), addressSecret = randomSecret(options.seed) } = options
    const { handOff = { buffer: handOffBuffer(), wakes } } = options
    return { ...options, siblings, addressSecret, handOff }
  },
  steeringRules(options, partitions) {
    const { ephemeral } = resolveOptions(options)
    const destinationPort = [ephemeral.first, ephemeral.last] as const
    const spread = Math.max(partitions, 1)
    return (['udp', 'tcp'] as const).map((protocol) => ({ protocol, destinationPort, queue: 0, spread }))
  },
  async create(options, context) {
    return new NetLibOS(resolveOptions(options), context)
  },
}

function randomSecret(seed: number | undefined): string {
  const random = seed === undefined ? secureRandom() : seededRandom(seed)
  return Array.from({ length: 4 }, () => random.next().toString(36)).join('-')
}
