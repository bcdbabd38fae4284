import type { KnownPaths, SpecSource } from '../layers/known-paths.ts'
import { hasType } from './option-specs.ts'
import type { Origin } from './resolved.ts'

/**
 * Fills in what nobody has set: what follows from other values first, then what packages and the application give as the
 * default of an option. Returns the paths of the latter.
 */
export function addDefaults(
  sources: readonly SpecSource[],
  known: KnownPaths,
  values: Map<string, unknown>,
  origins: Map<string, Origin>,
): ReadonlySet<string> {
  const isSet = (path: string) => values.has(path) || [...values.keys()].some((other) => other.startsWith(`${path}.`))
  const add = (path: string, value: unknown, name: string) => {
    if (value === undefined || !known.has(path) || isSet(path)) return false
    values.set(path, value)
    origins.set(path, { layer: 'default', name })
    return true
  }

  const count = values.get('frames.count')
  if (typeof count === 'number') add('frames.reserve', Math.floor(count / 4), 'frames.count')

  // A backend that makes its queues has one for each partition; one that finds them in the hardware uses all.
  const partitions = values.get('partitions')
  for (const path of ['network.queues', 'storage.queues']) {
    if (typeof partitions === 'number' && partitions >= 1 && defaultOf(path, known) !== undefined) {
      add(path, partitions, 'partitions')
    }
  }

  // A backend that shares its interface with the kernel takes the traffic of the libOS's addresses, unless it is told what. An
  // address that a server will give is not known yet.
  const address = values.get('network.address')
  if (typeof address === 'string' && known.has('network.ports') && !isSet('network.ports') && !isSet('network.take')) {
    const further = values.get('network.addresses')
    if (address === 'dhcp') add('network.take', 'all', 'network.address')
    else if (address !== 'none' && Array.isArray(further)) values.set('network.addresses', [address, ...further])
    else if (address !== 'none') add('network.addresses', [address], 'network.address')
  }

  const byDefault = new Set<string>()
  for (const { prefix, owner, specs } of sources) {
    for (const [name, spec] of Object.entries(specs)) {
      if (add(`${prefix}.${name}`, spec.default, owner)) byDefault.add(`${prefix}.${name}`)
    }
  }
  return byDefault
}

function defaultOf(path: string, known: KnownPaths): unknown {
  const setting = known.get(path)
  return setting?.kind === 'option'
    ? setting.specs.find(({ spec }) => spec.default !== undefined)?.spec.default
    : undefined
}

/**
 * The options of one package. What somebody has set is for every package that has an option of this name and type; a
 * default in `byDefault` is for its own package alone.
 */
export function optionsOf(
  { prefix, specs }: SpecSource,
  tree: Readonly<Record<string, unknown>>,
  byDefault: ReadonlySet<string>,
): Record<string, unknown> {
  const options: Record<string, unknown> = {}
  for (const [name, spec] of Object.entries(specs)) {
    const isOwn = !byDefault.has(`${prefix}.${name}`) && hasType(spec, tree[name])
    const value = isOwn ? tree[name] : spec.default
    if (value !== undefined) options[name] = value
  }
  return options
}
