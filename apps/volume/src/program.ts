import { ParakernelError } from '@parakernel/hal'
import { type ArgsDef, parseArgs } from 'citty'
import type { Command } from './commands/command.ts'
import { commands } from './commands/index.ts'
import { EXIT, Failure, usageError } from './exit-codes.ts'
import { COMMON_ARGS, understand } from './invocation.ts'
import type { Terminal } from './terminal.ts'

const NAME = 'parakernel-volume'

/** Runs the program on a command line; returns its exit code. */
export async function program(argv: readonly string[], terminal: Terminal, signal: AbortSignal): Promise<number> {
  const [name, ...rest] = argv
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    terminal.out(overview())
    return name === undefined ? EXIT.usage : EXIT.ok
  }
  const json = rest.includes('--json')
  try {
    const command = commands.find((one) => one.name === name)
    if (command === undefined) {
      throw usageError(`there is no command ${name}; there are ${commands.map((one) => one.name).join(', ')}`)
    }
    if (rest.includes('--help') || rest.includes('-h')) {
      terminal.out(usage(command))
      return EXIT.ok
    }
    const invocation = await understand(parse(command, rest), terminal, signal)
    return (await command.run(invocation)) ?? EXIT.ok
  } catch (error) {
    return fail(error, json, terminal)
  }
}

/** Flags by their definitions. @throws a usage error for those that there are not, and for too few or too many words */
function parse(command: Command, rest: readonly string[]): Record<string, unknown> {
  const definitions: ArgsDef = { ...COMMON_ARGS, ...command.args }
  const known = new Set(['_'])
  for (const [name, { alias }] of Object.entries(definitions) as [string, { alias?: string | string[] }][]) {
    known.add(name)
    known.add(name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase()))
    for (const short of [alias ?? []].flat()) known.add(short)
  }
  const args: Record<string, unknown> = parseArgs([...rest], definitions)
  for (const name of Object.keys(args)) {
    if (known.has(name)) continue
    const flag = name.length === 1 ? `-${name}` : `--${name}`
    throw usageError(`${command.name} knows no flag ${flag}; see ${NAME} ${command.name} --help`)
  }
  const words = args['_'] as string[]
  if (words.length < command.least || words.length > command.most) {
    throw usageError(`${command.name}: expected ${command.words || 'no words'}, found ${words.join(' ') || 'none'}`)
  }
  return args
}

function fail(error: unknown, json: boolean, terminal: Terminal): number {
  const message = error instanceof Error ? error.message : String(error)
  const code = error instanceof ParakernelError ? error.code : undefined
  if (json) terminal.err(JSON.stringify({ error: { code, message } }))
  else terminal.err(`${NAME}: ${message}`)
  if (error instanceof Failure) return error.exitCode
  if (code === 'EUCLEAN') return EXIT.damaged
  // Not a refusal of ours, nor of the system's: say where.
  if (code === undefined && (error as NodeJS.ErrnoException).code === undefined && error instanceof Error && !json) {
    terminal.err(error.stack ?? '')
  }
  return EXIT.failed
}

function overview(): string {
  const width = Math.max(...commands.map(({ name }) => name.length))
  const lines = commands.map(({ name, description }) => `  ${name.padEnd(width)}  ${description}`)
  return `${NAME} command --path image: volumes of the parakernel storage libOS

Commands
${lines.join('\n')}

Each command has its own --help. Exit codes: 0 done, 1 failed, 2 wrong command line, 3 damage found, 130 interrupted.`
}

function usage({ name, description, words, args, examples }: Command): string {
  const rows: [string, string][] = []
  for (const [flag, definition] of Object.entries({ ...args, ...COMMON_ARGS } as ArgsDef)) {
    const {
      alias,
      type,
      description: what = '',
    } = definition as {
      alias?: string
      type: string
      description?: string
    }
    const { valueHint, default: value } = definition as { valueHint?: string; default?: unknown }
    const shown = value === true ? `--no-${flag}` : `--${flag}`
    const short = alias === undefined ? '    ' : `-${alias}, `
    const { negativeDescription } = definition as { negativeDescription?: string }
    rows.push([
      `  ${short}${shown}${type === 'boolean' ? '' : ` ${valueHint}`}`,
      value === true ? (negativeDescription ?? what) : what,
    ])
  }
  const width = Math.max(...rows.map(([flag]) => flag.length))
  return [
    `${NAME} ${name} ${words}`.trimEnd(),
    `  ${description}`,
    '',
    ...rows.map(([flag, what]) => `${flag.padEnd(width)}  ${what}`),
    '',
    'Examples',
    ...examples.map((example) => `  ${NAME} ${example}`),
  ].join('\n')
}
