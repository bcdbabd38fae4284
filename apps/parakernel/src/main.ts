import { EXIT } from './exit-codes.ts'
import { program } from './program.ts'
import { processTerminal } from './terminal.ts'

const interrupt = new AbortController()
// The first one lets the terminal be given back; a second one means it.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    interrupt.abort()
    process.once(signal, () => process.exit(EXIT.interrupted))
  })
}
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // Whoever reads our output has enough, as `head` does.
  if (error.code === 'EPIPE') process.exit(EXIT.ok)
  console.error(`parakernel: the standard output: ${error.message}`)
  process.exitCode = EXIT.failed
})

const code = await program(process.argv.slice(2), processTerminal, interrupt.signal)
if (code !== EXIT.ok) process.exitCode = code
