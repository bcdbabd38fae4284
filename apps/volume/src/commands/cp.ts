import { type CopySource, copyPlan } from '../copy/plan.ts'
import { copyAll } from '../copy/run.ts'
import { usageError } from '../exit-codes.ts'
import { text } from '../invocation.ts'
import { volumePath } from '../paths.ts'
import { formatBytes } from '../report/format.ts'
import { Progress } from '../report/progress.ts'
import { withVolume } from '../session.ts'
import type { Command } from './command.ts'

export const cp: Command = {
  name: 'cp',
  description: 'copies into the volume, out of it, or within it; vol:/path is of the volume',
  words: 'from... to',
  least: 2,
  most: Infinity,
  args: {
    recursive: { type: 'boolean', alias: 'r', description: 'directories and what is in them' },
    snapshot: { type: 'string', valueHint: 'name', description: 'out of this snapshot' },
  },
  examples: [
    'cp --path disk.img notes.txt vol:/',
    'cp --path disk.img -r vol:/docs ./docs',
    'cp --path disk.img - vol:/from-stdin',
  ],
  run(invocation) {
    const { args, words, json, terminal } = invocation
    const snapshot = text(args, 'snapshot')
    const places = words.map((word): CopySource => {
      const path = volumePath(word)
      return path === undefined ? { side: 'host', path: word } : { side: 'volume', path }
    })
    const target = places[places.length - 1]
    if (places.every(({ side }) => side === 'host')) throw usageError('cp: nothing is of the volume; write vol:/path')
    if (snapshot !== undefined && target.side === 'volume') throw usageError('cp: a snapshot cannot be copied into')
    const readOnly = target.side === 'host'
    return withVolume(invocation, { readOnly, snapshot }, async (volume) => {
      const plan = await copyPlan(volume, places.slice(0, -1), target, args['recursive'] === true)
      const done = { bytes: 0, files: 0 }
      const progress = new Progress(() => {
        const whole = plan.bytes > 0 ? ` of ${formatBytes(plan.bytes)}` : ''
        return `cp: ${formatBytes(done.bytes)}${whole}, ${done.files} of ${plan.files} files`
      }, invocation)
      try {
        await copyAll(volume, plan, invocation, done)
      } finally {
        progress.end()
      }
      if (json) terminal.out(JSON.stringify({ files: done.files, bytes: done.bytes }))
      return undefined
    })
  },
}
