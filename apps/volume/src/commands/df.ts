import { formatBytes, table } from '../report/format.ts'
import { withVolume } from '../session.ts'
import type { Command } from './command.ts'

export const df: Command = {
  name: 'df',
  description: 'tells how much room there is',
  words: '',
  least: 0,
  most: 0,
  args: {},
  examples: ['df --path disk.img'],
  run: (invocation) =>
    withVolume(invocation, { readOnly: true }, async (volume) => {
      const status = volume.volume()
      const { blockSize, totalBytes, freeBytes, files } = status
      if (invocation.json) invocation.terminal.out(JSON.stringify(status, null, 2))
      else {
        const used = totalBytes - freeBytes
        invocation.terminal.out(
          table([
            ['image', 'size', 'used', 'free', 'use', 'clusters of', 'files'],
            [
              invocation.image.path,
              formatBytes(totalBytes),
              formatBytes(used),
              formatBytes(freeBytes),
              `${Math.ceil((100 * used) / Math.max(1, totalBytes))}%`,
              formatBytes(blockSize),
              `${files}`,
            ],
          ]),
        )
      }
      return undefined
    }),
}
