import type { NetBackend, NetDecorator } from '@parakernel/hal'
import type { NetworkLibOSFactory } from '@parakernel/queue'
import { listOf, type Problem } from '../problems/config-error.ts'
import { nearest } from '../problems/nearest.ts'
import type { Loaded } from '../settings/resolved.ts'
import { installCommand, isPath, resolvePackage } from './resolve-package.ts'

/** What a config can name, by the `kind` that the package's export bears. */
export interface Kinds {
  readonly 'net-libos': NetworkLibOSFactory<object>
  readonly 'net-backend': NetBackend<object>
  readonly 'net-decorator': NetDecorator<object>
}

interface Shelf {
  readonly noun: string
  /** Name of the export by which a package joins. */
  readonly export: string
  /** Ours, with their packages. Nobody else has to be listed here. */
  readonly known: Readonly<Record<string, string>>
}

const SHELVES: Readonly<Record<keyof Kinds, Shelf>> = {
  'net-libos': {
    noun: 'libOS',
    export: 'libos',
    known: { net: '@parakernel/net', host: '@parakernel/host' },
  },
  'net-backend': {
    noun: 'backend',
    export: 'backend',
    known: { emulated: '@parakernel/emulated', 'af-xdp': '@parakernel/af-xdp' },
  },
  'net-decorator': {
    noun: 'probe',
    export: 'decorator',
    known: { pcap: '@parakernel/probes', faults: '@parakernel/probes', trace: '@parakernel/probes' },
  },
}

export function knownNames(kind: keyof Kinds): readonly string[] {
  return Object.keys(SHELVES[kind].known)
}

/** Packages that a name may stand for, in order. A scoped name, a `parakernel-*` name and a path stand for themselves. */
export function packagesFor(kind: keyof Kinds, name: string): readonly string[] {
  const known = SHELVES[kind].known[name]
  if (known !== undefined) return [known]
  if (/^[@./]|^file:|\/|^parakernel-/.test(name)) return [name]
  return [`@parakernel/${name}`, `parakernel-${name}`]
}

export type LoadResult<Kind extends keyof Kinds> =
  | { readonly loaded: Loaded<Kinds[Kind]> }
  | { readonly problem: Pick<Problem, 'kind' | 'message'> }

/** Finds and imports what `name` stands for. */
export async function load<Kind extends keyof Kinds>(
  kind: Kind,
  name: string,
  application: string,
): Promise<LoadResult<Kind>> {
  const packages = packagesFor(kind, name)
  for (const specifier of packages) {
    const url = resolvePackage(specifier, application)
    if (url === undefined) continue
    let module: Record<string, unknown>
    try {
      module = (await import(/* @vite-ignore */ url)) as Record<string, unknown>
    } catch (error) {
      const why = error instanceof Error ? error.message.split('\n')[0] : String(error)
      return { problem: { kind: 'not-installed', message: `${specifier} is installed but does not load: ${why}` } }
    }
    const found = select(kind, name, module)
    if (found !== undefined) return { loaded: { name, url, export: found, module } }
    const wanted = `no export "${SHELVES[kind].export}" of kind "${kind}"`
    return { problem: { kind: 'wrong-value', message: `${specifier} is no ${SHELVES[kind].noun}: it has ${wanted}` } }
  }
  return { problem: { kind: 'not-installed', message: notInstalled(kind, name, packages, application) } }
}

function notInstalled(kind: keyof Kinds, name: string, packages: readonly string[], application: string): string {
  const { noun, known } = SHELVES[kind]
  const names = listOf(Object.keys(known).map((one) => JSON.stringify(one)))
  if (isPath(name)) return `${noun} ${JSON.stringify(name)}: there is no such file`
  if (packages.length === 1) {
    return `${noun} ${JSON.stringify(name)} is not installed: ${installCommand(packages[0], application)}`
  }
  const slip = nearest(name, Object.keys(known))
  const hint = slip === undefined ? '' : `; did you mean ${JSON.stringify(slip)}?`
  // No command to install it with: what a typing error names may be anybody's package.
  return `no ${noun} ${JSON.stringify(name)} is installed${hint || ','} allowed: ${names}, or an installed package, here ${listOf(packages)}`
}

/** A package has one export of the shelf's name, or several of the kind under names of their own (`pcap`, `trace`). */
function select<Kind extends keyof Kinds>(
  kind: Kind,
  name: string,
  module: Record<string, unknown>,
): Kinds[Kind] | undefined {
  const isKind = (value: unknown) => (value as { kind?: unknown } | undefined | null)?.kind === kind
  const own = module[SHELVES[kind].export]
  if (isKind(own)) return own as Kinds[Kind]
  return Object.values(module).find((value) => isKind(value) && (value as { name?: unknown }).name === name) as
    | Kinds[Kind]
    | undefined
}
