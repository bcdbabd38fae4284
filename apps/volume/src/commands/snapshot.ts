import type { Volume } from '@parakernel/storage'
import { usageError } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'
import { formatBytes, formatTime, printable, table } from '../report/format.ts'
import { withVolume } from '../session.ts'
import type { Command } from './command.ts'

export const snapshot: Command = {
  name: 'snapshot',
  description: 'lists, creates, deletes snapshots, or goes back to one',
  words: 'list | create name | delete name | rollback name',
  least: 1,
  most: 2,
  args: {},
  examples: ['snapshot --path disk.img create before-upgrade', 'snapshot --path disk.img list'],
  run(invocation) {
    const [action, name] = invocation.words
    if (action === 'list') {
      if (name !== undefined) throw usageError('snapshot list takes no name')
      return withVolume(invocation, { readOnly: true }, async ({ engine }) => list(engine, invocation))
    }
    const change = ACTIONS[action]
    if (change === undefined) throw usageError(`snapshot ${action}: there are list, create, delete and rollback`)
    if (name === undefined) throw usageError(`snapshot ${action}: which one? Give its name`)
    return withVolume(invocation, {}, async ({ engine }) => {
      await change(engine, name)
      if (invocation.json) invocation.terminal.out(JSON.stringify({ [action]: name }))
      return undefined
    })
  },
}

const ACTIONS: Readonly<Record<string, (volume: Volume, name: string) => Promise<void>>> = {
  create: (volume, name) => volume.createSnapshot(name),
  delete: (volume, name) => volume.deleteSnapshot(name),
  rollback: (volume, name) => volume.rollback(name),
}

function list(volume: Volume, { json, image, terminal }: Invocation): undefined {
  const snapshots = volume.snapshots()
  if (json) terminal.out(JSON.stringify(snapshots, null, 2))
  else if (snapshots.length === 0) terminal.out(`${image.path}: no snapshots`)
  else {
    const rows = snapshots.map(({ name, created, exclusiveBytes }) => [
      printable(name),
      formatTime(created),
      formatBytes(exclusiveBytes),
    ])
    terminal.out(table([['snapshot', 'created', 'held by it alone'], ...rows]))
  }
}
