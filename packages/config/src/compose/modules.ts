import { existsSync } from 'node:fs'

/** This package's module for a partition's thread; beside the built `index.js`, or two folders up in the source. */
export const WORKER_MODULE = new URL(import.meta.url.endsWith('.ts') ? '../worker.ts' : './worker.js', import.meta.url)
  .href

/**
 * URL of the application's partition module. `./partition.js` stands for `./partition.ts` where only that is there, so that one
 * line serves a program that runs from source and from its build.
 */
export function partitionModule(module: URL | string): string {
  const url = new URL(module)
  if (url.protocol !== 'file:' || existsSync(url) || !url.pathname.endsWith('.js')) return url.href
  const source = new URL(url.href.replace(/\.js$/, '.ts'))
  return existsSync(source) ? source.href : url.href
}
