import { ParakernelError, VirtualClock } from '@parakernel/hal'
import { Network, type NetworkOptions } from './network.ts'

const networks = new Map<string, Network>()

/**
 * The network of this name in this process, created on first use.
 * @throws EINVAL when it exists with another clock, seed or topology than asked for
 */
export function namedNetwork(name: string, options: NetworkOptions): Network {
  const existing = networks.get(name)
  if (existing === undefined) {
    const network = new Network({ ...options, name })
    networks.set(name, network)
    return network
  }
  for (const key of ['seed', 'topology'] as const) {
    if (options[key] !== undefined && options[key] !== existing[key]) {
      throw new ParakernelError('EINVAL', `exists with ${key} ${existing[key]}, not ${options[key]}`, {
        subject: `emulated network ${name}`,
        remedy: `Give \`${key}\` to its first NIC only, or the same to all`,
      })
    }
  }
  const { clock } = options
  const virtual = existing.clock instanceof VirtualClock || clock instanceof VirtualClock
  if (virtual && clock !== undefined && clock !== existing.clock) {
    throw new ParakernelError('EINVAL', 'exists with another clock', {
      subject: `emulated network ${name}`,
      remedy: 'Open all NICs of a network with the same VirtualClock',
    })
  }
  return existing
}

/** Closes a named network whose last NIC is gone. */
export async function closeIfEmpty(network: Network): Promise<void> {
  if (network.nics.length > 0 || networks.get(network.name) !== network) return
  networks.delete(network.name)
  await network.close()
}
