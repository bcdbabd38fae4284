import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { type BuildOptions, build, type Plugin } from 'esbuild'
import { dependencyClosure, type InstalledPackage, LAB } from './workspace.ts'

/** This tool's own dependencies that no suite needs. */
const HOST_ONLY = new Set(['citty', 'esbuild'])

/** Parts of a package that a program never loads. */
const BALLAST = new Set(['doc', 'vendor', 'musl_x64', 'CHANGELOG.md', 'cnoke.cjs'])

/** Tests of a package import its source; here they get the package, so that there is one copy of it. */
const PACKAGES_BY_NAME: Plugin = {
  name: 'packages-by-name',
  setup(build) {
    build.onResolve({ filter: /\/src\/index\.ts$/ }, ({ path, resolveDir }) => {
      const manifest = join(resolveDir, path, '../../package.json')
      if (!existsSync(manifest)) return undefined
      return { path: (JSON.parse(readFileSync(manifest, 'utf8')) as { name: string }).name, external: true }
    })
  },
}

const COMMON = {
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  packages: 'external',
  logLevel: 'warning',
  sourcemap: false,
} as const satisfies BuildOptions

/**
 * Builds the workspace from source into `folder`, laid out as it would be installed: `node_modules` with a bundle for each package,
 * so that workers and imports by name work as everywhere, `suites` with a file for each suite, and `programs` that suites start.
 *
 * Under the name `vitest` stands a small runner with the same functions: vitest itself takes half a minute to load in a machine whose
 * every instruction is emulated. Returns the suites, as paths within the folder.
 */
export async function buildPayload(folder: string, suites: readonly string[]): Promise<string[]> {
  const modules = join(folder, 'node_modules')
  const builds: Promise<unknown>[] = []
  for (const [name, installed] of dependencyClosure()) {
    if (HOST_ONLY.has(name) || name.startsWith('@esbuild/')) continue
    const target = join(modules, name)
    if (installed.workspace) builds.push(buildPackage(installed, target))
    else copyPackage(installed.folder, target)
  }
  const runner = join(modules, 'vitest')
  builds.push(build({ ...COMMON, entryPoints: [join(LAB, 'guest/vitest/index.ts')], outdir: runner }))
  builds.push(build({ ...COMMON, entryPoints: [join(LAB, 'guest/run.ts')], outdir: folder }))
  const entryPoints = suites.map((suite) => join(LAB, 'guest/suites', `${suite}.test.ts`))
  // Split: what suites share keeps its state from one to the next.
  const outbase = join(LAB, 'guest/suites')
  const plugins = [PACKAGES_BY_NAME]
  builds.push(build({ ...COMMON, entryPoints, outdir: join(folder, 'suites'), outbase, plugins, splitting: true }))
  const programs = readdirSync(join(LAB, 'guest/programs')).map((file) => join(LAB, 'guest/programs', file))
  builds.push(build({ ...COMMON, entryPoints: programs, outdir: join(folder, 'programs') }))
  await Promise.all(builds)
  writeManifest(runner, { name: 'vitest', exports: './index.js' })
  writeManifest(folder, { name: 'payload' })
  return suites.map((suite) => `./suites/${suite}.test.js`)
}

/** Every entry of its `exports` that has a source, and the modules that its worker threads and processes start in. */
async function buildPackage({ folder, manifest }: InstalledPackage, target: string): Promise<void> {
  const exports: Record<string, string> = {}
  const entryPoints = new Set<string>()
  for (const [key, value] of Object.entries(manifest.exports ?? {})) {
    if (typeof value === 'string' || value.source === undefined) continue
    entryPoints.add(value.source)
    exports[key] = `./dist/${basename(value.source).replace(/\.ts$/, '.js')}`
  }
  for (const entry of ['./src/worker.ts', './src/process.ts']) {
    if (existsSync(join(folder, entry))) entryPoints.add(entry)
  }
  const inputs = [...entryPoints].map((entry) => join(folder, entry))
  await build({ ...COMMON, entryPoints: inputs, outdir: join(target, 'dist') })
  writeManifest(target, { name: manifest.name, exports: { ...exports, './package.json': './package.json' } })
}

function copyPackage(from: string, to: string): void {
  cpSync(from, to, {
    recursive: true,
    dereference: true,
    filter: (source) => !BALLAST.has(basename(source)) && !/\.(d\.ts|md|map)$/.test(source),
  })
}

function writeManifest(folder: string, manifest: object): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ ...manifest, type: 'module' }))
}

/** Names of the suites, by profile: the folders and files below `guest/suites`. */
export function listSuites(): string[] {
  const folder = join(LAB, 'guest/suites')
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => join(dirname(file), basename(file, '.test.ts')))
    .sort()
}
