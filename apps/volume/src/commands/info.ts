import { formatBytes, pairs } from '../report/format.ts'
import { withVolume } from '../session.ts'
import type { Command } from './command.ts'

export const info: Command = {
  name: 'info',
  description: 'tells what kind of volume it is, and what survives what',
  words: '',
  least: 0,
  most: 0,
  args: {},
  examples: ['info --path disk.img'],
  run: (invocation) =>
    withVolume(invocation, { readOnly: true }, async (volume, { backend }) => {
      const { geometry } = volume.engine
      const snapshots = volume.engine.snapshots()
      const { durability } = volume
      const status = volume.volume()
      if (invocation.json) {
        invocation.terminal.out(JSON.stringify({ ...geometry, backend, durability, status, snapshots }, null, 2))
      } else {
        const { uuid, clusterSize, clusters, journalSize, maxSnapshots, checksums } = geometry
        invocation.terminal.out(
          pairs([
            ['volume', uuid],
            ['size', `${formatBytes(clusterSize * clusters)} in ${clusters} clusters of ${formatBytes(clusterSize)}`],
            ['free', `${formatBytes(status.freeBytes)}`],
            ['journal', `${formatBytes(journalSize)}`],
            ['snapshots', `${snapshots.length} of ${maxSnapshots}`],
            ['checksums', checksums ? 'of metadata and data' : 'of metadata alone'],
            ['backend', backend],
            ['promise', durability.promise],
          ]),
        )
      }
      return undefined
    }),
}
