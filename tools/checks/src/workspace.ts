import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '')

export interface Manifest {
  readonly name: string
  readonly version: string
  readonly private?: boolean
  readonly engines?: { readonly node?: string }
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

export interface WorkspacePackage {
  /** Folder, from the root: `packages/hal`. */
  readonly path: string
  readonly directory: string
  readonly manifest: Manifest
}

/** The packages of one group of the workspace, in alphabetical order. */
export function workspacePackages(group: 'packages' | 'apps' | 'tools'): WorkspacePackage[] {
  return readdirSync(join(root, group), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(root, group, entry.name, 'package.json')))
    .map((entry) => {
      const path = join(group, entry.name)
      const directory = join(root, path)
      return {
        path,
        directory,
        manifest: JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as Manifest,
      }
    })
    .sort((a, b) => a.path.localeCompare(b.path))
}

/** Every TypeScript file below a folder of a package, as paths from the package's folder. */
export function sourceFiles(directory: string, folder: string): string[] {
  if (!existsSync(join(directory, folder))) return []
  return readdirSync(join(directory, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join(folder, file))
}
