import { openFile } from '@parakernel/queue'
import { text } from '../invocation.ts'
import { ownPath } from '../paths.ts'
import { withVolume } from '../session.ts'
import type { Command } from './command.ts'

export const cat: Command = {
  name: 'cat',
  description: 'writes files to the standard output',
  words: 'path...',
  least: 1,
  most: Infinity,
  args: { snapshot: { type: 'string', valueHint: 'name', description: 'of this snapshot' } },
  examples: ['cat --path disk.img /docs/readme.txt'],
  run: (invocation) =>
    withVolume(invocation, { readOnly: true, snapshot: text(invocation.args, 'snapshot') }, async (volume) => {
      for (const word of invocation.words) {
        await using file = await openFile(volume, ownPath(word))
        for await (const bytes of file) await invocation.terminal.write(bytes)
      }
      return undefined
    }),
}
