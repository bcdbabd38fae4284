import type { NetBackend, OptionSpecs } from '@parakernel/hal'
import type { NetworkLibOSFactory } from '@parakernel/queue'
import type { Problem } from '../problems/config-error.ts'
import { load } from '../registry/registry.ts'
import { checkProbe } from './check.ts'
import { hasType } from './option-specs.ts'
import type { InterfaceSettings, Loaded, Origin } from './resolved.ts'

/** An entry of `network.interfaces`, before its backend's options are known. */
type Entry = Record<string, unknown> & { readonly name: string; readonly backend: string }

/** A further interface: its settings, and its backend's package. */
export interface LoadedInterface {
  readonly settings: InterfaceSettings
  readonly backend: Loaded<NetBackend<object>>
}

/**
 * Loads the backends of further interfaces, and checks their options: those of the libOS's `interfaceOptions` and those of the
 * backend, in one object as those of the first interface are.
 */
export async function loadInterfaces(
  list: readonly Entry[],
  libos: Loaded<NetworkLibOSFactory<object>>,
  partitions: number,
  origin: Origin,
  application: string,
  problems: Problem[],
): Promise<LoadedInterface[]> {
  const own = libos.export.interfaceOptions
  if (list.length > 0 && own === undefined) {
    const message = `libOS "${libos.name}" has one interface: leave it out`
    problems.push({ kind: 'wrong-value', path: 'network.interfaces', message, origin })
    return []
  }
  const loaded: LoadedInterface[] = []
  for (const [i, { name, backend: named, ...options }] of list.entries()) {
    const path = `network.interfaces.${i}`
    if (list.some((other, j) => j < i && other.name === name)) {
      const message = `found ${JSON.stringify(name)}, which another interface is called already`
      problems.push({ kind: 'wrong-value', path: `${path}.name`, message, origin })
    }
    const result = await load('net-backend', named, application)
    if ('problem' in result) {
      problems.push({ ...result.problem, path: `${path}.backend`, origin })
      continue
    }
    const backend = result.loaded
    const specs = backend.export.options
    const filled = withDefaults(options, specs, partitions)
    const checked = checkProbe(path, filled, { ...specs, ...own }, origin, problems)
    const settings = {
      ...{ name, backend: backend.name },
      options: pick(checked, own ?? {}),
      backendOptions: pick(checked, specs),
    }
    loaded.push({ settings, backend })
  }
  return loaded
}

/** As for the first interface: queues for all partitions, and the traffic of the interface's own addresses. */
function withDefaults(
  options: Readonly<Record<string, unknown>>,
  specs: OptionSpecs,
  partitions: number,
): Record<string, unknown> {
  const filled: Record<string, unknown> = { ...options }
  const { queues, addresses, ports, take } = specs
  if (queues?.default !== undefined) filled['queues'] ??= partitions
  const { address, addresses: further = [] } = filled
  const takesAll = (ports && filled['ports'] !== undefined) || (take && filled['take'] !== undefined)
  // What a server will give is not known yet.
  if (take !== undefined && !takesAll && address === 'dhcp') filled['take'] = 'all'
  if (addresses !== undefined && !takesAll && typeof address === 'string' && address.includes('/')) {
    filled['addresses'] = [...new Set([address, ...(further as string[])])]
  }
  return filled
}

/** The values that a package has an option for, of the option's type. */
function pick(values: Readonly<Record<string, unknown>>, specs: OptionSpecs): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(values).filter(([name, value]) => specs[name] !== undefined && hasType(specs[name], value)),
  )
}
