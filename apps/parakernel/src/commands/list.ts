import { connectAll, nothingFound } from '../client/find.ts'
import { EXIT } from '../exit-codes.ts'
import { columns, formatAge, printable } from '../view/format.ts'
import type { Command } from './command.ts'

export const list: Command = {
  name: 'list',
  description: 'lists the machines that run',
  words: '',
  least: 0,
  most: 0,
  args: { json: { type: 'boolean', description: 'print JSON' } },
  examples: ['list', 'list --json'],
  async run({ terminal, json }) {
    const connections = await connectAll(terminal)
    for (const one of connections) one.close()
    if (json) {
      terminal.out(
        JSON.stringify(
          connections.map(({ path, description }) => ({ socket: path, ...description })),
          null,
          2,
        ),
      )
      return EXIT.ok
    }
    if (connections.length === 0) throw nothingFound()
    const rows = connections.flatMap(({ path, description: { pid, program, started, machines } }) =>
      machines.map(({ name, partitions, network, storage, prometheus }) =>
        [
          `${pid}`,
          formatAge((Date.now() - started) / 1000),
          program,
          name,
          `${partitions}`,
          network,
          storage,
          prometheus ?? '-',
          path,
        ].map(printable),
      ),
    )
    const titles = ['PID', 'AGE', 'PROGRAM', 'MACHINE', 'PARTITIONS', 'NETWORK', 'STORAGE', 'METRICS', 'SOCKET']
    for (const line of columns([titles, ...rows], (column) => column === 0 || column === 1 || column === 4))
      terminal.out(line)
    return EXIT.ok
  },
}
