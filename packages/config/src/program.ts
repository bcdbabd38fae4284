import { ParakernelError } from '@parakernel/hal'
import { readCommandLine } from './layers/command-line.ts'
import { knownPaths, type SpecSource } from './layers/known-paths.ts'
import { applicationUrl, inspectConfig, type LoadOptions, resolved } from './load-config.ts'
import { printConfig } from './print-config.ts'
import { ConfigError } from './problems/config-error.ts'
import { oldNode } from './problems/old-node.ts'
import { allowedBy } from './settings/option-specs.ts'
import { PRESETS } from './settings/presets.ts'
import type { ResolvedConfig } from './settings/resolved.ts'

/** A program can be watched; a machine in a library's code opens nothing that it was not asked for. */
const PROGRAM_OBSERVE = { socket: 'auto' }

/** A program that takes a config, as its `--help` shows it. */
export interface Program extends Omit<LoadOptions, 'file' | 'flags' | 'application'> {
  readonly name: string
  /** One sentence. */
  readonly summary: string
  /** Command lines worth showing. */
  readonly examples?: readonly string[]
  /** `import.meta.url` of its main module: packages are looked up from there. */
  readonly application: string | URL
}

/** What a command line asks for: to run, or to print something and end. */
export type Request =
  | { readonly kind: 'run'; readonly config: ResolvedConfig; readonly positionals: readonly string[] }
  | { readonly kind: 'print'; readonly text: string; readonly exitCode: 0 | 2 }

/**
 * The config of a program from its command line, for the first line of its main module: `--config FILE`, a flag for every
 * setting, `--help`, `--print-config`. What is only to be printed is printed, and the process ends: with 0, or with 2 when
 * the config is wrong.
 */
export async function configFromCommandLine(program: Program, argv = process.argv.slice(2)): Promise<ResolvedConfig> {
  const request = await readRequest(program, argv)
  if (request.kind === 'run') return request.config
  if (request.exitCode === 0) console.log(request.text)
  else console.error(request.text)
  process.exit(request.exitCode)
}

/**
 * For the `catch` of a program's `compose`: prints what is wrong with the machine, in one line, and ends the process with 1.
 * What is no ParakernelError is a bug, and is thrown again with its stack.
 */
export function exitWithMessage(error: unknown): never {
  if (!(error instanceof ParakernelError)) throw error
  console.error(error.message)
  process.exit(1)
}

/** As `configFromCommandLine`, but leaves printing and ending to the caller. */
export async function readRequest(program: Program, argv: readonly string[]): Promise<Request> {
  const tooOld = oldNode()
  if (tooOld !== undefined) return { kind: 'print', text: `${program.name}: ${tooOld}`, exitCode: 2 }
  const switches = Object.entries(program.app ?? {}).flatMap(([name, { type }]) => (type === 'boolean' ? [name] : []))
  const { flags, file, help, printConfig: print, positionals } = readCommandLine(argv, switches)
  const defaults = { ...program.defaults, observe: { ...PROGRAM_OBSERVE, ...program.defaults?.observe } }
  const inspection = await inspectConfig({
    ...program,
    defaults,
    flags,
    file,
    application: applicationUrl(program.application),
  })
  if (help) return { kind: 'print', text: helpText(program, inspection.sources), exitCode: 0 }
  try {
    const config = resolved(inspection)
    return print ? { kind: 'print', text: printConfig(config), exitCode: 0 } : { kind: 'run', config, positionals }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return { kind: 'print', text: error.message, exitCode: 2 }
  }
}

function helpText(program: Program, sources: readonly SpecSource[]): string {
  const presets = Object.keys({ ...PRESETS, ...program.presets })
  const sections = [
    `${program.name}: ${program.summary}`,
    ...(program.examples === undefined
      ? []
      : [['Examples', ...program.examples.map((line) => `  ${line}`)].join('\n')]),
    [
      'Every setting can be given as a flag, by its path (--network.backend af-xdp) or its last part (--backend af-xdp);',
      'as a variable (PARAKERNEL_NETWORK__BACKEND=af-xdp); or in a file (parakernel.config.ts, .js, .json, .yaml).',
      '',
      ...columns([
        ['--config FILE', 'reads FILE instead of parakernel.config.* in the working directory'],
        ['--print-config', 'prints every value and where it comes from'],
        ['--help', 'prints this, with the options of the libOS and the backend that are chosen'],
      ]),
    ].join('\n'),
    ['Settings', ...columns(settingRows(sources, presets))].join('\n'),
  ]
  return sections.join('\n\n')
}

function settingRows(sources: readonly SpecSource[], presets: readonly string[]): string[][] {
  const rows: string[][] = []
  for (const [path, known] of knownPaths(sources)) {
    if (known.kind === 'fixed') {
      const { description, allowed, default: fallback } = known.setting
      const values = path === 'preset' ? `one of ${presets.join(', ')}` : allowed
      rows.push([`--${path}`, `${description}: ${values}${defaultText(fallback)}`])
    } else {
      for (const { owner, spec } of known.specs) {
        const fallback = spec.required === true ? ' (required)' : defaultText(spec.default)
        rows.push([`--${path}`, `${spec.description}: ${allowedBy(spec)}${fallback} [${owner}]`])
      }
    }
  }
  return rows.sort(([a], [b]) => Number(b.startsWith('--app.')) - Number(a.startsWith('--app.')))
}

function defaultText(value: unknown): string {
  return value === undefined ? '' : ` (default ${JSON.stringify(value)})`
}

function columns(rows: readonly string[][]): string[] {
  const width = Math.max(...rows.map(([first]) => first.length))
  return rows.map(([first, second]) => `  ${first.padEnd(width)}  ${second}`)
}
