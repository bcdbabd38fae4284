import { connectOne } from '../client/find.ts'
import { EXIT, Failure } from '../exit-codes.ts'
import type { Command } from './command.ts'

export const metrics: Command = {
  name: 'metrics',
  description: 'prints the metrics of a process once, in the text format of Prometheus',
  words: '[socket|pid]',
  least: 0,
  most: 1,
  args: {},
  examples: ['metrics', 'metrics 4711', 'metrics /run/user/1000/parakernel/4711.sock'],
  async run({ words: [word], terminal }) {
    const connection = await connectOne(word, terminal)
    try {
      connection.send({ get: 'metrics' })
      for (;;) {
        const message = await connection.next()
        if (message === undefined) throw new Failure(EXIT.ended, `process ${connection.description.pid} has ended`)
        if (message.type !== 'metrics') continue
        terminal.out(message.text.trimEnd())
        return EXIT.ok
      }
    } finally {
      connection.close()
    }
  },
}
