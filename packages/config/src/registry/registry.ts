import type { BlockBackend, BlockDecorator, NetBackend, NetDecorator, PersistentBackend } from '@parakernel/hal'
import type { NetworkLibOSFactory, StorageLibOSFactory } from '@parakernel/queue'
import { listOf, type Problem } from '../problems/config-error.ts'
import { nearest } from '../problems/nearest.ts'
import type { Loaded } from '../settings/resolved.ts'
import { installCommand, isPath, resolvePackage } from './resolve-package.ts'

/** What a config can name. */
export interface Kinds {
  readonly 'net-libos': NetworkLibOSFactory<object>
  readonly 'net-backend': NetBackend<object>
  readonly 'net-decorator': NetDecorator<object>
  readonly 'storage-libos': StorageLibOSFactory<object>
  readonly 'storage-backend': BlockBackend<object> | PersistentBackend<object>
  readonly 'block-decorator': BlockDecorator<object>
}

interface Shelf {
  readonly noun: string
  /** Names of the exports by which a package joins, by the `kind` that they bear. */
  readonly exports: Readonly<Record<string, string>>
  /** Ours, with their packages. Nobody else has to be listed here. */
  readonly known: Readonly<Record<string, string>>
}

const SHELVES: Readonly<Record<keyof Kinds, Shelf>> = {
  'net-libos': {
    noun: 'libOS',
    exports: { 'net-libos': 'libos' },
    known: { net: '@parakernel/net', host: '@parakernel/host' },
  },
  'net-backend': {
    noun: 'backend',
    exports: { 'net-backend': 'backend' },
    known: { emulated: '@parakernel/emulated', 'af-xdp': '@parakernel/af-xdp', tap: '@parakernel/tap' },
  },
  'net-decorator': {
    noun: 'probe',
    exports: { 'net-decorator': 'decorator' },
    known: { pcap: '@parakernel/probes', faults: '@parakernel/probes', trace: '@parakernel/probes' },
  },
  'storage-libos': {
    noun: 'libOS',
    exports: { 'storage-libos': 'storageLibos' },
    known: { storage: '@parakernel/storage', host: '@parakernel/host' },
  },
  'storage-backend': {
    noun: 'backend',
    exports: { 'block-backend': 'blockBackend', 'persistent-backend': 'persistentBackend' },
    known: {
      emulated: '@parakernel/emulated',
      'emulated-pmem': '@parakernel/emulated',
      'io-uring': '@parakernel/io-uring',
      nvme: '@parakernel/nvme',
      pmem: '@parakernel/pmem',
    },
  },
  'block-decorator': {
    noun: 'probe',
    exports: { 'block-decorator': 'blockDecorator' },
    known: { 'block-faults': '@parakernel/probes', 'block-trace': '@parakernel/probes' },
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
    const exports = Object.entries(SHELVES[kind].exports).map(([one, named]) => `"${named}" of kind "${one}"`)
    const wanted = `no export ${listOf(exports)}`
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
  const { exports } = SHELVES[kind]
  const isKind = (value: unknown) => Object.hasOwn(exports, (value as { kind?: string } | undefined | null)?.kind ?? '')
  const all = Object.values(module).filter(isKind) as readonly Kinds[Kind][]
  const own = Object.values(exports).flatMap((named) => (isKind(module[named]) ? [module[named]] : []))
  return all.find((one) => one.name === name) ?? (own[0] as Kinds[Kind] | undefined)
}
