import { parseCommand } from './arguments.ts'
import { runCommand } from './commands.ts'

process.exitCode = await runCommand(parseCommand(process.argv.slice(2)))
