import { retryAfterSync, type StorageLibOS } from '@parakernel/queue'
import { EXIT, Failure } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'
import { basename, join, ownPath } from '../paths.ts'
import { withVolume } from '../session.ts'
import type { Command } from './command.ts'

export const mv: Command = {
  name: 'mv',
  description: 'moves or renames, replacing files',
  words: 'from... to',
  least: 2,
  most: Infinity,
  args: {},
  examples: ['mv --path disk.img /draft /final'],
  run: (invocation) =>
    changing(invocation, async (volume, words) => {
      const sources = words.slice(0, -1)
      const target = words[words.length - 1]
      const intoDirectory = isDirectory(volume, target)
      if (sources.length > 1 && !intoDirectory) throw new Failure(EXIT.failed, `${target} is no directory to move into`)
      for (const source of sources) {
        const to = intoDirectory ? join(target, basename(source)) : target
        await retryAfterSync(volume, () => volume.rename(source, to))
      }
    }),
}

export const rm: Command = {
  name: 'rm',
  description: 'removes files, and directories with -r',
  words: 'path...',
  least: 1,
  most: Infinity,
  args: {
    recursive: { type: 'boolean', alias: 'r', description: 'directories and what is in them' },
    force: { type: 'boolean', alias: 'f', description: 'what is not there is no error' },
  },
  examples: ['rm --path disk.img -r /old'],
  run: (invocation) =>
    changing(invocation, async (volume, words) => {
      for (const path of words) {
        try {
          await remove(volume, path, invocation.args['recursive'] === true)
        } catch (error) {
          const isGone = (error as { code?: unknown }).code === 'ENOENT'
          if (!(isGone && invocation.args['force'] === true)) throw error
        }
      }
    }),
}

export const mkdir: Command = {
  name: 'mkdir',
  description: 'makes directories, and those above them with --parents',
  words: 'path...',
  least: 1,
  most: Infinity,
  args: { parents: { type: 'boolean', description: 'what is missing above; what is there is no error' } },
  examples: ['mkdir --path disk.img --parents /a/b/c'],
  run: (invocation) =>
    changing(invocation, async (volume, words) => {
      for (const path of words) {
        if (invocation.args['parents'] === true) await makeAll(volume, path)
        else await retryAfterSync(volume, () => volume.mkdir(path))
      }
    }),
}

function changing(
  invocation: Invocation,
  body: (volume: StorageLibOS, words: readonly string[]) => Promise<void>,
): Promise<undefined> {
  const words = invocation.words.map(ownPath)
  return withVolume(invocation, {}, async (volume) => {
    await body(volume, words)
    if (invocation.json) invocation.terminal.out(JSON.stringify({ done: words }))
    return undefined
  })
}

export function isDirectory(volume: StorageLibOS, path: string): boolean {
  try {
    return volume.stat(path).kind === 'directory'
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return false
    throw error
  }
}

async function remove(volume: StorageLibOS, path: string, recursive: boolean): Promise<void> {
  if (path.split('/').every((part) => part === '')) {
    throw new Failure(EXIT.failed, `${path} is the root of the volume; name what is in it, or make the volume anew`)
  }
  if (volume.stat(path).kind === 'file') await retryAfterSync(volume, () => volume.unlink(path))
  else {
    if (!recursive) throw new Failure(EXIT.failed, `${path} is a directory; -r removes it with what is in it`)
    for (const name of volume.readdir(path)) await remove(volume, join(path, name), recursive)
    await retryAfterSync(volume, () => volume.rmdir(path))
  }
}

async function makeAll(volume: StorageLibOS, path: string): Promise<void> {
  let made = '/'
  for (const name of path.split('/').filter(Boolean)) {
    made = join(made, name)
    const directory = made
    if (!isDirectory(volume, directory)) await retryAfterSync(volume, () => volume.mkdir(directory))
  }
}
