import { readFile } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import { BACKENDS, type BackendName, type ImageRequest } from './device/backends.ts'
import { usageError } from './exit-codes.ts'
import { parseBytes } from './report/format.ts'
import type { Terminal } from './terminal.ts'

/** What every command takes. */
export const COMMON_ARGS = {
  path: { type: 'string', alias: 'p', valueHint: 'file', description: 'the image: a file, or a block device' },
  backend: {
    type: 'string',
    alias: 'b',
    valueHint: BACKENDS.join('|'),
    description: 'what it is opened by; io-uring where that runs, emulated otherwise',
  },
  options: {
    type: 'string',
    alias: 'o',
    valueHint: 'name=value,...',
    description: 'more options of the backend, as in queueDepth=64,direct=never',
  },
  config: {
    type: 'string',
    valueHint: 'file',
    description: 'a config (.json, .js or .ts) whose section `storage` names backend, path and options',
  },
  json: { type: 'boolean', description: 'print JSON' },
  quiet: { type: 'boolean', alias: 'q', description: 'tell nothing about progress' },
} as const

/** A command line that was understood. */
export interface Invocation {
  readonly args: Readonly<Record<string, unknown>>
  /** Words that are no flags. */
  readonly words: readonly string[]
  readonly json: boolean
  readonly quiet: boolean
  readonly terminal: Terminal
  /** Ends with SIGINT or SIGTERM. */
  readonly signal: AbortSignal
  readonly image: ImageRequest
}

export async function understand(
  args: Readonly<Record<string, unknown>>,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<Invocation> {
  const { backend: configured, path: configuredPath, ...configuredOptions } = await readConfig(text(args, 'config'))
  const backend = text(args, 'backend') ?? configured
  if (backend !== undefined && !(BACKENDS as readonly unknown[]).includes(backend)) {
    throw usageError(`--backend: ${backend} is none of ${BACKENDS.join(', ')}`)
  }
  const path = text(args, 'path') ?? configuredPath ?? process.env['PARAKERNEL_VOLUME']
  if (typeof path !== 'string' || path === '') {
    throw usageError('which image? Name it by --path disk.img, or by PARAKERNEL_VOLUME in the environment')
  }
  const [size, blockSize] = [text(args, 'size'), text(args, 'block-size')]
  return {
    args,
    words: (args['_'] as string[]).map(String),
    json: args['json'] === true,
    quiet: args['quiet'] === true || args['json'] === true,
    terminal,
    signal,
    image: {
      path,
      backend: backend as BackendName | undefined,
      size: size === undefined ? undefined : parseBytes(size, '--size'),
      blockSize: blockSize === undefined ? undefined : parseBytes(blockSize, '--block-size'),
      options: { ...configuredOptions, ...parseOptions(text(args, 'options')) },
      readOnly: false,
    },
  }
}

/** A flag's value; undefined when it is not there. @throws a usage error for a flag without one */
export function text(args: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = args[name]
  if (value === undefined) return undefined
  if (typeof value === 'string' && value !== '') return value
  throw usageError(`--${name} needs a value`)
}

function parseOptions(list: string | undefined): Record<string, unknown> {
  const options: Record<string, unknown> = {}
  for (const pair of list?.split(',') ?? []) {
    const at = pair.indexOf('=')
    if (at < 1) throw usageError(`--options: ${pair} is not of the form name=value`)
    const value = pair.slice(at + 1)
    options[pair.slice(0, at).trim()] = value === 'true' ? true : value === 'false' ? false : numberOr(value)
  }
  return options
}

function numberOr(text: string): number | string {
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text
}

/** The section `storage` of a config, without the libOS's name. */
async function readConfig(file: string | undefined): Promise<Record<string, unknown>> {
  if (file === undefined) return {}
  let config: unknown
  try {
    config = file.endsWith('.json')
      ? JSON.parse(await readFile(file, 'utf8'))
      : ((await import(pathToFileURL(file).href)) as { default: unknown }).default
  } catch (error) {
    throw usageError(`--config ${file}: ${error instanceof Error ? error.message : error}`)
  }
  const storage = (config as { storage?: Record<string, unknown> } | undefined)?.storage
  if (storage === undefined) throw usageError(`--config ${file}: has no section storage`)
  const { libos: _, ...rest } = storage
  return rest
}
