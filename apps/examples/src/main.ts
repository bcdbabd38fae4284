import { program } from './program.ts'
import { Terminal } from './run/terminal.ts'

const interrupt = new AbortController()
// The first one asks for the report; a second one means it.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupt.abort())

const { stdout, stderr } = process
const terminal = new Terminal(
  (text) => stdout.write(text),
  (text) => stderr.write(text),
  stderr.isTTY ? stderr.columns : 0,
)
process.exitCode = await program(process.argv.slice(2), terminal, interrupt.signal)
