import { existsSync, readFileSync } from 'node:fs'
import { basename, extname, join, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Problem } from '../problems/config-error.ts'
import { defineConfig } from '../settings/config.ts'
import { isRecord, type Layer, layerOf } from './layer.ts'

const OURS = '@parakernel/config'
const EXTENSIONS = ['.ts', '.mts', '.js', '.mjs', '.json', '.yaml', '.yml']

export type FileResult = { readonly file: string; readonly layer: Layer } | { readonly problem: Problem } | undefined

/** Reads `file`, or the one `parakernel.config.*` in `directory`; undefined when there is none. */
export async function fileLayer(file: string | undefined, directory: string | false): Promise<FileResult> {
  if (file === undefined && directory === false) return undefined
  if (file === '') return unreadable('--config', 'needs the name of a file')
  const base = directory === false ? process.cwd() : directory
  const candidates = file === undefined ? EXTENSIONS.map((extension) => `parakernel.config${extension}`) : [file]
  const found = candidates.map((name) => resolve(base, name)).filter((path) => existsSync(path))
  if (found.length === 0) return file === undefined ? undefined : unreadable(file, 'there is no such file')
  if (found.length > 1) {
    return unreadable(
      base,
      `has ${found.map((path) => basename(path)).join(' and ')}: keep one, or name one with --config`,
    )
  }
  const path = found[0]
  const shown = relative(process.cwd(), path).startsWith('..') ? path : relative(process.cwd(), path)
  try {
    const config = await readConfig(path)
    if (!isRecord(config)) return unreadable(shown, 'holds no object; a module exports its config as default')
    return { file: path, layer: layerOf(config, { layer: 'file', name: shown }) }
  } catch (error) {
    return unreadable(shown, error instanceof Error ? error.message.split('\n')[0].replace(/:$/, '') : String(error))
  }
}

function unreadable(path: string, message: string): { problem: Problem } {
  return { problem: { kind: 'unreadable', path, message } }
}

async function readConfig(path: string): Promise<unknown> {
  switch (extname(path)) {
    case '.json':
      return JSON.parse(readFileSync(path, 'utf8'))
    case '.yaml':
    case '.yml': {
      const { parse } = await import('yaml')
      return parse(readFileSync(path, 'utf8'))
    }
    case '.ts':
    case '.mts':
    case '.js':
    case '.mjs':
      return importModule(path)
    default:
      throw new Error(`is of no known kind; known are ${EXTENSIONS.join(' ')}`)
  }
}

/**
 * Node strips types itself from 22.18 on. jiti takes older ones, syntax that is not erasable (enums), and files outside of
 * the application, from where this package cannot be found: they import `defineConfig` all the same.
 */
async function importModule(path: string): Promise<unknown> {
  if (process.features.typescript || /\.m?js$/.test(path)) {
    try {
      return defaultExport(await import(/* @vite-ignore */ pathToFileURL(path).href))
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      const isLost = code === 'ERR_MODULE_NOT_FOUND' && message.includes(`'${OURS}'`)
      if (!isLost && code !== 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX') throw error
    }
  }
  return importWithJiti(path)
}

export async function importWithJiti(path: string): Promise<unknown> {
  const { createJiti } = await import('jiti')
  const jiti = createJiti(join(path, '..', 'loader.js'), { virtualModules: { [OURS]: { defineConfig } } })
  return defaultExport(await jiti.import(path))
}

function defaultExport(module: unknown): unknown {
  const exported = (module as { default?: unknown }).default
  if (exported === undefined) throw new Error('has no default export')
  return exported
}
