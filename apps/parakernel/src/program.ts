import { ParakernelError } from '@parakernel/hal'
import { type ArgsDef, parseArgs } from 'citty'
import type { Command } from './commands/command.ts'
import { commands } from './commands/index.ts'
import { EXIT, Failure, usageError } from './exit-codes.ts'
import type { Terminal } from './terminal.ts'

const NAME = 'parakernel'

/** Runs the program on a command line; returns its exit code. */
export async function program(argv: readonly string[], terminal: Terminal, signal: AbortSignal): Promise<number> {
  const [name, ...rest] = argv
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    terminal.out(overview())
    return name === undefined ? EXIT.usage : EXIT.ok
  }
  try {
    const command = commands.find((one) => one.name === name)
    if (command === undefined) {
      throw usageError(`there is no command ${name}; there are ${commands.map((one) => one.name).join(', ')}`)
    }
    if (rest.includes('--help') || rest.includes('-h')) {
      terminal.out(usage(command))
      return EXIT.ok
    }
    const args = parse(command, rest)
    const words = (args['_'] as string[]).map(String)
    return await command.run({ args, words, json: args['json'] === true, terminal, signal })
  } catch (error) {
    return fail(error, rest.includes('--json'), terminal)
  }
}

/** Flags by their definitions. @throws a usage error for those that there are not, and for too few or too many words */
function parse(command: Command, rest: readonly string[]): Record<string, unknown> {
  const args: Record<string, unknown> = parseArgs([...rest], command.args as ArgsDef)
  for (const name of Object.keys(args)) {
    if (name === '_' || Object.hasOwn(command.args, name)) continue
    throw usageError(`${command.name} knows no flag --${name}; see ${NAME} ${command.name} --help`)
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
  terminal.err(json ? JSON.stringify({ error: { code, message } }) : `${NAME}: ${message}`)
  if (error instanceof Failure) return error.exitCode
  // Not a refusal of ours, nor of the system's: say where.
  if (code === undefined && (error as NodeJS.ErrnoException).code === undefined && error instanceof Error && !json) {
    terminal.err(error.stack ?? '')
  }
  return EXIT.failed
}

function overview(): string {
  const width = Math.max(...commands.map(({ name }) => name.length))
  const lines = commands.map(({ name, description }) => `  ${name.padEnd(width)}  ${description}`)
  return `${NAME} command: looks at running machines

Commands
${lines.join('\n')}

A machine is seen when its config says observe.socket; programs have it by themselves. Each command has its own --help.
Exit codes: 0 done, 1 failed, 2 wrong command line, 3 what was looked at has ended, 130 interrupted.`
}

function usage({ name, description, words, args, examples }: Command): string {
  const rows = Object.entries(args as Record<string, { type: string; valueHint?: string; description?: string }>).map(
    ([flag, { type, valueHint, description: what = '' }]) => [
      `  --${flag}${type === 'boolean' ? '' : ` ${valueHint}`}`,
      what,
    ],
  )
  const width = Math.max(...rows.map(([flag]) => flag.length), 0)
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
