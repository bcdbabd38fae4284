import { existsSync } from 'node:fs'
import { defineConfig, type Options } from 'tsup'

/**
 * The build of every package: ESM only, JavaScript by tsup (declarations come from the native tsc).
 * `src/worker.ts` and `src/process.ts`, where a package has one, are entries of their own beside `index`,
 * because a worker and a process are started by file name.
 */
export function library(options: Options = {}) {
  const entry: Record<string, string> = { index: 'src/index.ts' }
  for (const name of ['worker', 'process']) if (existsSync(`src/${name}.ts`)) entry[name] = `src/${name}.ts`
  return defineConfig({
    entry,
    format: ['esm'],
    target: 'node22',
    platform: 'node',
    dts: false,
    sourcemap: true,
    clean: true,
    silent: true,
    ...options,
  })
}
