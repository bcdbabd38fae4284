import type { FileStatus, StorageLibOS } from '@parakernel/queue'
import { type Invocation, text } from '../invocation.ts'
import { basename, join, ownPath } from '../paths.ts'
import { formatTime, printable, table } from '../report/format.ts'
import { withVolume } from '../session.ts'
import type { Command } from './command.ts'

interface Entry extends FileStatus {
  readonly path: string
}

export const ls: Command = {
  name: 'ls',
  description: 'lists a directory',
  words: '[path]',
  least: 0,
  most: 1,
  args: {
    long: { type: 'boolean', alias: 'l', description: 'sizes, times and inodes' },
    recursive: { type: 'boolean', alias: 'r', description: 'what is in directories too' },
    snapshot: { type: 'string', valueHint: 'name', description: 'of this snapshot' },
  },
  examples: ['ls --path disk.img', 'ls --path disk.img -l -r /docs'],
  run: (invocation) =>
    withVolume(invocation, { readOnly: true, snapshot: text(invocation.args, 'snapshot') }, async (volume) => {
      list(volume, invocation)
      return undefined
    }),
}

function list(volume: StorageLibOS, { args, json, words, terminal }: Invocation): void {
  const path = ownPath(words[0] ?? '/')
  const status = volume.stat(path)
  const entries: Entry[] = []
  if (status.kind === 'file') entries.push({ ...status, path })
  else collect(volume, path, args['recursive'] === true, entries)
  if (json) terminal.out(JSON.stringify(entries, null, 2))
  else {
    const name = (entry: Entry) => {
      const shown = args['recursive'] === true ? entry.path : basename(entry.path)
      return printable(shown) + (entry.kind === 'directory' ? '/' : '')
    }
    if (args['long'] !== true) for (const entry of entries) terminal.out(name(entry))
    else if (entries.length > 0) {
      const row = (entry: Entry) => {
        const { size, allocated, inode, modified } = entry
        return [`${size}`, `${allocated}`, `${inode}`, formatTime(modified), name(entry)]
      }
      terminal.out(table([['bytes', 'on media', 'inode', 'modified', 'name'], ...entries.map(row)]))
    }
  }
}

function collect(volume: StorageLibOS, path: string, recursive: boolean, entries: Entry[]): void {
  for (const name of volume.readdir(path)) {
    const below = join(path, name)
    const status = volume.stat(below)
    entries.push({ ...status, path: below })
    if (recursive && status.kind === 'directory') collect(volume, below, recursive, entries)
  }
}
