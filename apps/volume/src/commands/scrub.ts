import { EXIT } from '../exit-codes.ts'
import { formatBytes, printable } from '../report/format.ts'
import { Progress } from '../report/progress.ts'
import { withVolume } from '../session.ts'
import type { Command } from './command.ts'

export const scrub: Command = {
  name: 'scrub',
  description: 'reads everything that is in use and verifies its checksums',
  words: '',
  least: 0,
  most: 0,
  args: {},
  examples: ['scrub --path disk.img'],
  run: (invocation) =>
    withVolume(invocation, { readOnly: true }, async (volume) => {
      const read = () => formatBytes(volume.statistics().medium?.bytesRead ?? 0)
      const progress = new Progress(() => `scrub: ${read()} read`, invocation)
      const report = await volume.engine.scrub().finally(() => progress.end())
      const { bytesRead, lost, metadata } = report
      if (invocation.json) invocation.terminal.out(JSON.stringify(report, null, 2))
      else {
        for (const { path, position, length, reason } of lost) {
          invocation.terminal.out(`lost: ${printable(path)}, ${length} bytes at ${position} (${reason})`)
        }
        for (const what of metadata) invocation.terminal.out(`bad metadata: ${printable(what)}`)
        const bad = lost.length + metadata.length
        invocation.terminal.out(
          `${invocation.image.path}: ${formatBytes(bytesRead)} read, ${bad === 0 ? 'all is well' : `${bad} problems`}`,
        )
      }
      return lost.length + metadata.length === 0 ? EXIT.ok : EXIT.damaged
    }),
}
