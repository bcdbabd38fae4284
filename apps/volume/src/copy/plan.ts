import { readdir, stat } from 'node:fs/promises'
import { basename as hostBasename, join as hostJoin } from 'node:path'
import type { StorageLibOS } from '@parakernel/queue'
import { isDirectory } from '../commands/names.ts'
import { EXIT, Failure } from '../exit-codes.ts'
import { basename, join } from '../paths.ts'

/** A path of the host or of the volume; `-` on the host is a stream of this process. */
export interface CopySource {
  readonly side: 'host' | 'volume'
  readonly path: string
}

export interface CopyStep {
  readonly from: CopySource
  readonly to: CopySource
  readonly kind: 'file' | 'directory'
}

export interface CopyPlan {
  /** Directories before what is in them. */
  readonly steps: readonly CopyStep[]
  readonly files: number
  /** As far as it is known before: a stream has no length. */
  readonly bytes: number
}

interface Found {
  readonly kind: 'file' | 'directory'
  readonly size: number
}

/** Looks at everything that is to be copied, so that nothing is half copied because of what could have been known. */
export async function copyPlan(
  volume: StorageLibOS,
  sources: readonly CopySource[],
  target: CopySource,
  recursive: boolean,
): Promise<CopyPlan> {
  const steps: CopyStep[] = []
  let [files, bytes] = [0, 0]
  const visit = async (from: CopySource, to: CopySource): Promise<void> => {
    const { kind, size } = await look(volume, from)
    steps.push({ from, to, kind })
    if (kind === 'file') {
      files++
      bytes += size
      return
    }
    if (!recursive) throw new Failure(EXIT.failed, `cp: ${from.path} is a directory; -r copies it with what is in it`)
    if (within(from, to)) throw new Failure(EXIT.failed, `cp: ${from.path} cannot be copied into itself`)
    for (const name of await names(volume, from)) await visit(below(from, name), below(to, name))
  }
  const into = await isTargetDirectory(volume, target)
  if (sources.length > 1 && !into) throw new Failure(EXIT.failed, `cp: ${target.path} is no directory to copy into`)
  for (const source of sources) {
    const name = source.side === 'volume' ? basename(source.path) : hostBasename(source.path)
    if (into && name === '-') throw new Failure(EXIT.failed, 'cp: what comes from the standard input needs a name')
    await visit(source, into && name !== '' ? below(target, name) : target)
  }
  return { steps, files, bytes }
}

async function look(volume: StorageLibOS, { side, path }: CopySource): Promise<Found> {
  if (side === 'volume') return volume.stat(path)
  if (path === '-') return { kind: 'file', size: 0 }
  const found = await stat(path).catch((error: Error) => {
    throw new Failure(EXIT.failed, `cp: ${error.message}`)
  })
  if (found.isDirectory()) return { kind: 'directory', size: 0 }
  if (!found.isFile()) throw new Failure(EXIT.failed, `cp: ${path} is neither a file nor a directory`)
  return { kind: 'file', size: found.size }
}

async function isTargetDirectory(volume: StorageLibOS, { side, path }: CopySource): Promise<boolean> {
  if (side === 'volume') return isDirectory(volume, path)
  return path !== '-' && ((await stat(path).catch(() => undefined))?.isDirectory() ?? false)
}

async function names(volume: StorageLibOS, { side, path }: CopySource): Promise<readonly string[]> {
  return side === 'volume' ? volume.readdir(path) : (await readdir(path)).sort()
}

function below({ side, path }: CopySource, name: string): CopySource {
  return { side, path: side === 'volume' ? join(path, name) : hostJoin(path, name) }
}

function within(from: CopySource, to: CopySource): boolean {
  if (from.side !== 'volume' || to.side !== 'volume') return false
  return to.path === from.path || to.path.startsWith(from.path === '/' ? '/' : `${from.path}/`)
}
