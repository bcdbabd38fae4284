import { checkVolume } from '@parakernel/storage'
import { EXIT } from '../exit-codes.ts'
import { formatBytes, printable } from '../report/format.ts'
import { Progress } from '../report/progress.ts'
import { withMedium } from '../session.ts'
import type { Command } from './command.ts'

export const fsck: Command = {
  name: 'fsck',
  description: 'checks a volume that nobody has mounted, and mends it with --repair',
  words: '',
  least: 0,
  most: 0,
  args: { repair: { type: 'boolean', description: 'mends what can be mended; without it nothing is written' } },
  examples: ['fsck --path disk.img', 'fsck --path disk.img --repair'],
  run: (invocation) =>
    withMedium(invocation, {}, async (medium) => {
      const repair = invocation.args['repair'] === true
      const progress = new Progress(() => `fsck: ${formatBytes(medium.counters.get('bytesRead'))} read`, invocation)
      const report = await checkVolume(medium, { repair }).finally(() => progress.end())
      const { clean, problems, repaired, files, directories, usedBytes, snapshots, replayed } = report
      if (invocation.json) invocation.terminal.out(JSON.stringify(report, null, 2))
      else {
        for (const { kind, message, repair: how } of problems)
          invocation.terminal.out(`${kind}: ${printable(message)} (${how})`)
        const verdict = clean
          ? 'clean'
          : repaired
            ? `${problems.length} problems, mended`
            : `${problems.length} problems`
        invocation.terminal.out(
          `${invocation.image.path}: ${verdict}; ${files} files, ${directories} directories, ${snapshots} snapshots, ` +
            `${formatBytes(usedBytes)} in use, ${replayed} transactions done again`,
        )
      }
      return clean || repaired ? EXIT.ok : EXIT.damaged
    }),
}
