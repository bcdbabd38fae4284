import { writeFile } from 'node:fs/promises'
import type { ChromeTrace } from '@parakernel/config'
import type { ChromeEvent } from '@parakernel/hal'
import { connectOne } from '../client/find.ts'
import { EXIT, Failure } from '../exit-codes.ts'
import type { Command } from './command.ts'
import { secondsOf } from './flags.ts'

export const trace: Command = {
  name: 'trace',
  description: 'records what the machines of a process do for a while, for Perfetto or chrome://tracing',
  words: '[socket|pid] file',
  least: 1,
  most: 2,
  args: { seconds: { type: 'string', valueHint: 'n', description: 'how long; 5 unless told', default: '5' } },
  examples: ['trace out.json', 'trace 4711 --seconds 1 out.json'],
  async run({ words, args, terminal, signal }) {
    const seconds = secondsOf(args, 'seconds', 0.01, 600)
    const [file, word] = words.toReversed() as [string, string | undefined]
    const connection = await connectOne(word, terminal)
    const onAbort = () => connection.close()
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      connection.send({ trace: seconds })
      const traceEvents: ChromeEvent[] = []
      for (;;) {
        const message = await connection.next()
        if (signal.aborted) return EXIT.interrupted
        if (message === undefined) {
          const remedy = 'for a whole run start it with --observe.trace run.json'
          throw new Failure(EXIT.ended, `process ${connection.description.pid} ended before its trace did; ${remedy}`)
        }
        if (message.type === 'error') throw new Failure(EXIT.failed, `the process refuses: ${message.message}`)
        if (message.type === 'trace') for (const event of message.events) traceEvents.push(event)
        if (message.type !== 'trace-end') continue
        const { overwritten } = message
        const whole: ChromeTrace = { traceEvents, displayTimeUnit: 'ns', otherData: { overwritten } }
        await writeFile(file, JSON.stringify(whole))
        const lost =
          overwritten > 0 ? `; ${overwritten} older events were overwritten (observe.traceEvents keeps more)` : ''
        terminal.err(`${file}: ${traceEvents.length} events${lost}`)
        return EXIT.ok
      }
    } finally {
      signal.removeEventListener('abort', onAbort)
      connection.close()
    }
  },
}
