import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/**
 * URL of a package's module as the application at `application` (a file URL) sees it, undefined when it is not installed.
 * Relative and absolute paths and file URLs name a module of the application itself.
 */
export function resolvePackage(specifier: string, application: string): string | undefined {
  if (/^(\.{0,2}\/|file:)/.test(specifier)) {
    const url = new URL(specifier, application)
    return existsSync(url) ? url.href : undefined
  }
  const require = createRequire(application)
  try {
    return pathToFileURL(require.resolve(specifier)).href
  } catch (error) {
    // The package is there, but for `import` alone.
    if ((error as NodeJS.ErrnoException).code !== 'ERR_PACKAGE_PATH_NOT_EXPORTED') return undefined
    return resolveForImport(specifier, require.resolve.paths(specifier) ?? [])
  }
}

type Target = string | null | readonly Target[] | { readonly [condition: string]: Target }

/** Reads `exports` as Node's ESM loader does: the first condition that holds, in the order of the manifest. */
function resolveForImport(specifier: string, directories: readonly string[]): string | undefined {
  const [, name, subpath] = /^((?:@[^/]+\/)?[^/]+)(.*)$/.exec(specifier) as RegExpExecArray
  for (const directory of directories) {
    const root = join(directory, name)
    const manifest = join(root, 'package.json')
    if (!existsSync(manifest)) continue
    const { exports } = JSON.parse(readFileSync(manifest, 'utf8')) as { exports?: Target }
    const entry = typeof exports === 'object' && exports !== null && '.' in exports ? exports[`.${subpath}`] : exports
    const target = pick(entry as Target | undefined)
    return target === undefined ? undefined : pathToFileURL(join(root, target)).href
  }
  return undefined
}

function pick(target: Target | undefined): string | undefined {
  if (typeof target === 'string') return target
  if (Array.isArray(target)) return target.map(pick).find((found) => found !== undefined)
  for (const [condition, inner] of Object.entries(target ?? {})) {
    const found = ['import', 'node', 'default', 'module-sync'].includes(condition) ? pick(inner) : undefined
    if (found !== undefined) return found
  }
  return undefined
}

/** `pnpm add @parakernel/net`, by the lock file that lies at or above the application. */
export function installCommand(name: string, application: string): string {
  let directory = dirname(fileURLToPath(application))
  for (;;) {
    if (existsSync(join(directory, 'pnpm-lock.yaml'))) return `pnpm add ${name}`
    if (existsSync(join(directory, 'yarn.lock'))) return `yarn add ${name}`
    if (existsSync(join(directory, 'bun.lock'))) return `bun add ${name}`
    if (existsSync(join(directory, 'package-lock.json')) || dirname(directory) === directory)
      return `npm install ${name}`
    directory = dirname(directory)
  }
}
