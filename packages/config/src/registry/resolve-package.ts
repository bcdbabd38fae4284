import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** Relative and absolute paths and file URLs name a module of the application itself. */
export const isPath = (specifier: string): boolean => /^(\.{0,2}\/|file:)/.test(specifier)

/** URL of a package's module as the application at `application` (a file URL) sees it, undefined when it is not installed. */
export function resolvePackage(specifier: string, application: string): string | undefined {
  if (isPath(specifier)) {
    const url = new URL(specifier, application)
    return existsSync(url) ? url.href : undefined
  }
  const [, name, subpath] = /^((?:@[^/]+\/)?[^/]+)(.*)$/.exec(specifier) as RegExpExecArray
  const root = findPackage(name, dirname(fileURLToPath(application)))
  if (root === undefined) return undefined
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { exports?: Target }
  const require = createRequire(join(root, 'package.json'))
  try {
    // By the package's own name for itself, so that the conditions of this process hold.
    return pathToFileURL(require.resolve(exports === undefined ? join(root, subpath) : specifier)).href
  } catch {
    // It is there for `import` alone, or its file is missing: then the import says which.
    const target = pickForImport(subpath, exports)
    return target === undefined ? undefined : pathToFileURL(join(root, target)).href
  }
}

/** The nearest `node_modules/<name>` at or above a directory, as `import` looks for it: NODE_PATH does not count. */
function findPackage(name: string, directory: string): string | undefined {
  for (let at = directory; ; at = dirname(at)) {
    const root = join(at, 'node_modules', name)
    if (existsSync(join(root, 'package.json'))) return realpathSync(root)
    if (dirname(at) === at) return undefined
  }
}

type Target = string | null | readonly Target[] | { readonly [condition: string]: Target }

/** For a package that is there for `import` alone: reads `exports` as Node does, the first condition that holds. */
function pickForImport(subpath: string, exports: Target | undefined): string | undefined {
  const hasSubpaths = typeof exports === 'object' && exports !== null && '.' in exports
  return pick(hasSubpaths ? (exports as Record<string, Target>)[`.${subpath}`] : exports)
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
