import { pathToFileURL } from 'node:url'
import type { OptionSpecs } from '@parakernel/hal'
import { flagLayer } from './layers/command-line.ts'
import { ENVIRONMENT_FILE, environmentLayer } from './layers/environment.ts'
import { fileLayer } from './layers/file.ts'
import { type Layer, layerOf } from './layers/layer.ts'
import { ConfigError } from './problems/config-error.ts'
import type { Config } from './settings/config.ts'
import { type Inspection, inspect } from './settings/inspect.ts'
import type { ResolvedConfig } from './settings/resolved.ts'

export interface LoadOptions {
  /** A config that the program has written in code, in the place of a file: none is looked for. */
  readonly config?: Config
  /** A file to read, instead of the one `parakernel.config.{ts,mts,js,mjs,json,yaml,yml}` that may lie in `directory`. */
  readonly file?: string | undefined
  /** Where to look for the file; default the working directory. `false` looks nowhere. */
  readonly directory?: string | false
  /** Overrides from the command line, by path (`network.backend`) or unambiguous last part (`backend`). Texts are parsed. */
  readonly flags?: Readonly<Record<string, unknown>>
  /** Default `process.env`; `false` reads none. */
  readonly environment?: Readonly<Record<string, string | undefined>> | false
  /** More presets than `emulated`, `host`, `af-xdp` and `tap`. */
  readonly presets?: Readonly<Record<string, Config>>
  /** The application's own defaults, under every other layer. */
  readonly defaults?: Config
  /** The application's own settings, found under `app`. Without specs, whatever is there is let through. */
  readonly app?: OptionSpecs
  /** Packages are looked up from here: `import.meta.url` of the program; default its main script. */
  readonly application?: string | URL
}

/**
 * Reads and checks a config. Flags go before the environment, that before the file, that before the preset, and all before
 * defaults.
 * @throws ConfigError with every problem at once
 */
export async function loadConfig(options: LoadOptions = {}): Promise<ResolvedConfig> {
  return resolved(await inspectConfig(options))
}

/** As `loadConfig`, but with the problems as data and whatever could be found out in spite of them. */
export async function inspectConfig(options: LoadOptions): Promise<Inspection> {
  const { config, flags = {}, environment = process.env, defaults = {} } = options
  const variables = environment === false ? {} : environment
  const directory = config === undefined ? (options.directory ?? process.cwd()) : false
  const found = await fileLayer(options.file ?? variables[ENVIRONMENT_FILE], directory)
  const file = found !== undefined && 'layer' in found ? found : undefined
  const layers: Layer[] = [flagLayer(flags), environmentLayer(variables)]
  if (file !== undefined) layers.push(file.layer)
  if (config !== undefined) layers.push(layerOf(config, { layer: 'program', name: '' }))
  const inspection = await inspect({
    layers,
    defaults,
    presets: options.presets ?? {},
    app: options.app,
    application: applicationUrl(options.application),
    file: file?.file,
  })
  return found !== undefined && 'problem' in found
    ? { ...inspection, problems: [found.problem, ...inspection.problems] }
    : inspection
}

export function resolved({ config, problems }: Inspection): ResolvedConfig {
  if (config === undefined || problems.length > 0) throw new ConfigError(problems)
  return config
}

export function applicationUrl(application: string | URL | undefined): string {
  if (application !== undefined) return new URL(application).href
  return pathToFileURL(process.argv[1] ?? `${process.cwd()}/main.js`).href
}
