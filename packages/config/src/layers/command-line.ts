import type { Layer } from './layer.ts'

/** A command line taken apart; no setting is known yet. */
export interface CommandLine {
  /** `--network.backend x`, `--backend=x`, `--demo` (`"true"`), `--no-demo` (`"false"`), by name without dashes. */
  readonly flags: Readonly<Record<string, string>>
  /** `--config FILE`; empty when the name is missing. */
  readonly file: string | undefined
  readonly help: boolean
  readonly printConfig: boolean
  /** Words that belong to no flag, and everything after `--`. */
  readonly positionals: readonly string[]
}

/**
 * Reads flags. A flag takes the next word as its value unless that is a flag too, or the flag is one of `switches`, which
 * take a value only as `--name=value`. A flag that is given twice makes a list: `--address a --address b` is `a,b`.
 */
export function readCommandLine(argv: readonly string[], switches: readonly string[] = []): CommandLine {
  const flags: Record<string, string> = {}
  const positionals: string[] = []
  const valueless = new Set(['help', 'print-config', ...switches])
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i]
    if (word === '--') {
      positionals.push(...argv.slice(i + 1))
      break
    }
    if (word === '-h') flags['help'] = 'true'
    if (!word.startsWith('--')) {
      if (word !== '-h') positionals.push(word)
      continue
    }
    const equals = word.indexOf('=')
    const name = equals < 0 ? word.slice(2) : word.slice(2, equals)
    const next = argv[i + 1]
    if (equals >= 0) add(flags, name, word.slice(equals + 1))
    else if (name.startsWith('no-')) add(flags, name.slice(3), 'false')
    else if (name === 'config' && (next === undefined || next.startsWith('--'))) add(flags, name, '')
    else if (valueless.has(name) || next === undefined || next.startsWith('--')) add(flags, name, 'true')
    else {
      add(flags, name, next)
      i++
    }
  }
  const { help, 'print-config': printConfig, config, ...settings } = flags
  return { flags: settings, file: config, help: help === 'true', printConfig: printConfig === 'true', positionals }
}

export function flagLayer(flags: Readonly<Record<string, unknown>>): Layer {
  const entries = Object.entries(flags)
    .filter(([, value]) => value !== undefined)
    .map(([path, value]) => ({ path, value, origin: { layer: 'flag', name: `--${path}` } as const }))
  return { entries, loose: true }
}

function add(flags: Record<string, string>, name: string, value: string): void {
  flags[name] = flags[name] === undefined ? value : `${flags[name]},${value}`
}
