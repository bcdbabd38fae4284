import { defineCommand, runCommand } from 'citty'
import { afXdp } from './commands/af-xdp.ts'
import { INTERRUPTED } from './commands/exit-codes.ts'
import { load } from './commands/load.ts'
import { run } from './commands/run.ts'
import { serve } from './commands/serve.ts'

// Flags are settings of the config, so citty picks the command and leaves the rest of the line as it is.
const commands = {
  run: defineCommand({
    meta: { name: 'run', description: 'server and load in one process (default)' },
    run: ({ rawArgs }) => run(rawArgs),
  }),
  serve: defineCommand({
    meta: { name: 'serve', description: 'a server until it is stopped' },
    run: ({ rawArgs }) => serve(rawArgs),
  }),
  load: defineCommand({
    meta: { name: 'load', description: 'a load against a server elsewhere, over a UDP socket' },
    run: ({ rawArgs }) => load(rawArgs),
  }),
  'af-xdp': defineCommand({
    meta: { name: 'af-xdp', description: 'server on AF_XDP, load as a plain Linux program in a namespace; needs root' },
    run: ({ rawArgs }) => afXdp(rawArgs),
  }),
}

const argv = process.argv.slice(2)
const named = argv[0] !== undefined && !argv[0].startsWith('-') ? argv[0] : undefined

if (named === 'help' || (named === undefined && (argv.includes('--help') || argv.includes('-h')))) {
  console.log('kvs [command] [settings]: a key-value store on a library operating system\n\nCommands')
  for (const [name, { meta }] of Object.entries(commands)) {
    console.log(`  ${name.padEnd(8)}  ${(meta as { description: string }).description}`)
  }
  console.log('\nEach command has its own --help.')
} else if (named !== undefined && !(named in commands)) {
  console.error(`kvs: there is no command '${named}'; there are ${Object.keys(commands).join(', ')}`)
  process.exitCode = 2
} else {
  try {
    await runCommand(commands[(named ?? 'run') as keyof typeof commands], {
      rawArgs: named === undefined ? argv : argv.slice(1),
    })
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    console.error(message.startsWith('kvs') ? message : `kvs: ${message}`)
    process.exitCode = (error as { code?: unknown } | undefined)?.code === 'ECANCELED' ? INTERRUPTED : 1
  }
}
