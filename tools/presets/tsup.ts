import { existsSync } from 'node:fs'
import { defineConfig, type Options } from 'tsup'

/**
 * The build of every package: ESM only, JavaScript by tsup (declarations come from the native tsc).
 * `src/worker.ts`, where a package has one, is an entry of its own beside `index`, because a worker
 * is started by file name.
 */
export function library(options: Options = {}) {
  const entry: Record<string, string> = { index: 'src/index.ts' }
  if (existsSync('src/worker.ts')) entry['worker'] = 'src/worker.ts'
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
