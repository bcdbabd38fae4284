import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of this tool. */
export const LAB = fileURLToPath(new URL('../..', import.meta.url))

interface Manifest {
  readonly name: string
  readonly exports?: Readonly<Record<string, string | { readonly source?: string; readonly default?: string }>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

export interface InstalledPackage {
  readonly folder: string
  readonly manifest: Manifest
  /** Ours, to be built from source; others are copied as they are. */
  readonly workspace: boolean
}

/** What this tool depends on, directly or not, as far as it is installed: each name once. */
export function dependencyClosure(): Map<string, InstalledPackage> {
  const found = new Map<string, InstalledPackage>()
  const visit = (folder: string, { dependencies = {}, optionalDependencies = {} }: Manifest) => {
    for (const [name, range] of Object.entries({ ...dependencies, ...optionalDependencies })) {
      if (found.has(name)) continue
      const path = resolveFrom(folder, name)
      if (path === undefined) continue
      const manifest = readManifest(path)
      found.set(name, { folder: path, manifest, workspace: range.startsWith('workspace:') })
      visit(path, manifest)
    }
  }
  const own = readManifest(LAB)
  visit(LAB, own)
  return found
}

function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
}

/** As Node looks for a package: in the node_modules of the folder and of those above. */
function resolveFrom(folder: string, name: string): string | undefined {
  for (let at = folder; ; at = join(at, '..')) {
    const candidate = join(at, 'node_modules', name)
    if (existsSync(join(candidate, 'package.json'))) return realpathSync(candidate)
    if (at === join(at, '..')) return undefined
  }
}
