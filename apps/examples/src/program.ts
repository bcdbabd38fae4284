import { type Program, readRequest } from '@parakernel/config'
import { ParakernelError } from '@parakernel/hal'
import { EXAMPLES } from './catalogue.ts'
import type { Example } from './example.ts'
import { runExample } from './run/run-example.ts'
import { COMMON_SETTINGS } from './run/settings.ts'
import type { Terminal } from './run/terminal.ts'

const OK = 0
const FAILED = 1
const WRONG = 2

/**
 * Runs `examples NAME [settings]`; returns the exit code: 1 when something failed, 2 when the command line or the config is wrong.
 * @param interrupt ends what serves, with its report
 */
export async function program(argv: readonly string[], terminal: Terminal, interrupt: AbortSignal): Promise<number> {
  const [name, ...rest] = argv
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    terminal.print(overview())
    return OK
  }
  const example = EXAMPLES.find((one) => one.name === name)
  if (example === undefined) {
    terminal.note(`examples: there is no example ${JSON.stringify(name)}\n\n${overview()}`)
    return WRONG
  }
  const options = programOf(example)
  const request = await readRequest(options, rest)
  if (request.kind === 'print') {
    if (request.exitCode === 0) terminal.print(request.text)
    else terminal.note(request.text)
    return request.exitCode
  }
  if (request.positionals.length > 0) {
    terminal.note(`examples ${name}: takes no words, only settings: ${request.positionals.join(' ')}`)
    return WRONG
  }
  try {
    await runExample(example, request.config, options, terminal, interrupt)
    return OK
  } catch (error) {
    terminal.note(`examples ${name}: ${reasonOf(error)}`)
    return FAILED
  }
}

/** One line for what a user can meet, and the stack for a bug. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const isExpected = error instanceof ParakernelError || error.name === 'TimeoutError'
  return isExpected ? error.message : (error.stack ?? error.message)
}

function programOf({ name, summary, settings, defaults = {} }: Example): Program {
  return {
    name: `examples ${name}`,
    summary: `${summary}. What it runs on is config.`,
    examples: [`examples ${name}`, `examples ${name} --run virtual`],
    app: { ...COMMON_SETTINGS, ...settings },
    defaults,
    application: import.meta.url,
  }
}

function overview(): string {
  const width = Math.max(...EXAMPLES.map(({ name }) => name.length))
  const lines = EXAMPLES.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`)
  return [
    'examples NAME [settings]: short programs, the same on every backend',
    lines.join('\n'),
    'Each has its own --help. The transcript goes to the standard output, everything else to the standard error.',
  ].join('\n\n')
}
