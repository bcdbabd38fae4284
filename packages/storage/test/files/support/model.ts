import type { Volume } from '../../../src/files/index.ts'
import { crc32c } from '../../../src/format/crc32c.ts'

import { Driver, type OperationFailed, pattern } from './driver.ts'

/** One step of a workload. Files are named by paths; `seed` makes the bytes. */
export type Step =
  | { readonly kind: 'create'; readonly path: string }
  | {
      readonly kind: 'write'
      readonly path: string
      readonly at: number
      readonly length: number
      readonly seed: number
    }
  | { readonly kind: 'truncate'; readonly path: string; readonly length: number }
  | { readonly kind: 'punch'; readonly path: string; readonly at: number; readonly length: number }
  | { readonly kind: 'fsync'; readonly path: string }
  | { readonly kind: 'sync' }
  | { readonly kind: 'mkdir'; readonly path: string }
  | { readonly kind: 'rmdir'; readonly path: string }
  | { readonly kind: 'unlink'; readonly path: string }
  | { readonly kind: 'rename'; readonly path: string; readonly to: string }
  | { readonly kind: 'snapshot'; readonly path: string }
  | { readonly kind: 'unsnapshot'; readonly path: string }

/** What a volume should hold, in the plainest form: bytes of files, null for directories, by path. */
export class Model {
  readonly nodes = new Map<string, Uint8Array | null>()
  /** What each snapshot holds. */
  readonly snapshots = new Map<string, string>()

  /** As the volume should after the step; nothing when the volume refused it. */
  apply(step: Step): void {
    const { nodes } = this
    if (step.kind === 'sync' || step.kind === 'fsync') return
    if (step.kind === 'snapshot') this.snapshots.set(step.path, this.#tree())
    if (step.kind === 'unsnapshot') this.snapshots.delete(step.path)
    if (step.kind === 'snapshot' || step.kind === 'unsnapshot') return
    const old = nodes.get(step.path)
    switch (step.kind) {
      case 'create':
        if (old === undefined) nodes.set(step.path, new Uint8Array(0))
        return
      case 'write': {
        const bytes = resized(old ?? new Uint8Array(0), Math.max(old?.length ?? 0, step.at + step.length))
        bytes.set(pattern(step.length, step.seed), step.at)
        nodes.set(step.path, bytes)
        return
      }
      case 'truncate':
        nodes.set(step.path, resized(old as Uint8Array, step.length))
        return
      case 'punch': {
        const bytes = (old as Uint8Array).slice()
        bytes.fill(0, step.at, Math.min(bytes.length, step.at + step.length))
        nodes.set(step.path, bytes)
        return
      }
      case 'mkdir':
        nodes.set(step.path, null)
        return
      case 'rmdir':
      case 'unlink':
        nodes.delete(step.path)
        return
      case 'rename': {
        if (step.path === step.to) return
        nodes.delete(step.to)
        for (const [path, value] of [...nodes]) {
          if (path !== step.path && !path.startsWith(`${step.path}/`)) continue
          nodes.delete(path)
          nodes.set(step.to + path.slice(step.path.length), value)
        }
      }
    }
  }

  /** The state in one line. */
  digest(): string {
    return withSnapshots(this.#tree(), this.snapshots)
  }

  #tree(): string {
    return [...this.nodes]
      .map(([path, bytes]) => line(path, bytes))
      .sort()
      .join(' ')
  }
}

function withSnapshots(tree: string, snapshots: ReadonlyMap<string, string>): string {
  const kept = [...snapshots].map(([name, content]) => `@${name}{${content}}`).sort()
  return [tree, ...kept].join(' ')
}

/** Does a step to a volume; false when it refused it, as it may. */
export async function perform(driver: Driver, step: Step): Promise<boolean> {
  const { volume } = driver
  try {
    switch (step.kind) {
      case 'create':
        volume.open(step.path, { write: true, create: true }).close()
        break
      case 'write': {
        const file = volume.open(step.path, { write: true, create: true })
        await driver.write(file, step.at, pattern(step.length, step.seed)).finally(() => file.close())
        break
      }
      case 'truncate': {
        const file = volume.open(step.path, { write: true })
        await driver.truncate(file, step.length).finally(() => file.close())
        break
      }
      case 'punch': {
        const file = volume.open(step.path, { write: true })
        await driver.punch(file, step.at, step.length).finally(() => file.close())
        break
      }
      case 'fsync': {
        const file = volume.open(step.path)
        await driver.fsync(file).finally(() => file.close())
        break
      }
      case 'sync':
        await driver.sync()
        break
      case 'mkdir':
        volume.mkdir(step.path)
        break
      case 'rmdir':
        volume.rmdir(step.path)
        break
      case 'unlink':
        volume.unlink(step.path)
        break
      case 'rename':
        volume.rename(step.path, step.to)
        break
      case 'snapshot':
        await volume.createSnapshot(step.path)
        break
      default:
        await volume.deleteSnapshot(step.path)
    }
    return true
  } catch (error) {
    if (REFUSALS.has((error as OperationFailed).code)) return false
    throw error
  }
}

const REFUSALS = new Set(['ENOENT', 'EEXIST', 'ENOTDIR', 'EISDIR', 'ENOTEMPTY', 'EINVAL', 'ENOSPC', 'EBUSY'])

/** What a volume and its snapshots hold, as `Model.digest` has it. */
export async function digestOf(driver: Driver): Promise<string> {
  const snapshots = new Map<string, string>()
  for (const { name } of driver.volume.snapshots()) {
    const volume = await driver.volume.mountSnapshot(name)
    snapshots.set(name, await treeOf(new Driver(volume, driver.pool)))
    await volume.close()
  }
  return withSnapshots(await treeOf(driver), snapshots)
}

async function treeOf(driver: Driver): Promise<string> {
  const lines: string[] = []
  const walk = async (volume: Volume, directory: string): Promise<void> => {
    for (const name of volume.readdir(directory === '' ? '/' : directory)) {
      const path = `${directory}/${name}`
      if (volume.stat(path).kind === 'directory') {
        lines.push(line(path, null))
        await walk(volume, path)
      } else lines.push(line(path, await driver.get(path)))
    }
  }
  await walk(driver.volume, '')
  return lines.sort().join(' ')
}

function line(path: string, bytes: Uint8Array | null): string {
  return bytes === null ? `${path}/` : `${path}=${bytes.length}:${crc32c(bytes)}`
}

function resized(bytes: Uint8Array, length: number): Uint8Array {
  const result = new Uint8Array(length)
  result.set(bytes.subarray(0, length))
  return result
}
