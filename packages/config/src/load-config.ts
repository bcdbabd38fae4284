import { type OptionSpecs, ParakernelError } from '@parakernel/hal'
import type { Config } from './settings/config.ts'
import type { ResolvedConfig } from './settings/resolved.ts'

export interface LoadOptions {
  /** A file to read; otherwise `parakernel.config.{ts,mts,js,mjs,json,yaml,yml}` in `directory`, if there is one. */
  readonly file?: string
  /** Where to look for the file; default the working directory. `false` reads none. */
  readonly directory?: string | false
  /** Overrides from the command line, by path (`network.backend`) or unambiguous last part (`backend`). Texts are parsed. */
  readonly flags?: Readonly<Record<string, unknown>>
  /** Default `process.env`; `false` reads none. */
  readonly environment?: Readonly<Record<string, string | undefined>> | false
  /** More presets than `emulated`, `host` and `af-xdp`. */
  readonly presets?: Readonly<Record<string, Config>>
  /** The application's own defaults, under every other layer. */
  readonly defaults?: Config
  /** The application's own settings, found under `app`. */
  readonly app?: OptionSpecs
  /** Packages are looked up from here: `import.meta.url` of the program; default its main script. */
  readonly application?: string | URL
}

/**
 * Reads and checks a config. Flags go before the environment, that before the file, that before the preset, and all before
 * defaults.
 * @throws ConfigError with every problem at once
 */
export async function loadConfig(_options: LoadOptions = {}): Promise<ResolvedConfig> {
  throw new ParakernelError('ENOSYS', 'not there yet')
}
