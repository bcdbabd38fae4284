import {
  type BigIntStats,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmdirSync,
  type Stats,
  statSync,
  unlinkSync,
} from 'node:fs'
import { sep } from 'node:path'
import { type ErrorCode, ParakernelError } from '@parakernel/hal'
import { compareNames, type FileStatus, quotePath } from '@parakernel/queue'
import type { DirectoryFlush } from './directory-flush.ts'
import { fileError } from './errors.ts'
import type { Place, RootFolder } from './root-folder.ts'

const REASONS: Partial<Record<ErrorCode, string>> = {
  EBUSY: 'is the root',
  EEXIST: 'is there already',
  EINVAL: 'would become a directory within itself',
  EISDIR: 'is a directory',
  ENOENT: 'is not there',
  ENOTDIR: 'is no directory',
  ENOTEMPTY: 'is not empty',
}

export function nameError(code: ErrorCode, path: string): ParakernelError {
  return new ParakernelError(code, REASONS[code] ?? 'was refused', { subject: `path ${quotePath(path)}` })
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

/**
 * The names of a volume: folders made, listed, renamed and removed in the call. What is asked is checked here, because hosts answer
 * with different codes.
 */
export class Names {
  readonly #root: RootFolder
  readonly #folders: DirectoryFlush
  /** Names that are no UTF-8, in listings. */
  skipped = 0

  constructor(root: RootFolder, folders: DirectoryFlush) {
    this.#root = root
    this.#folders = folders
  }

  list(path: string): string[] {
    const place = this.#root.place(path)
    const { path: folder } = this.#directory(place)
    const names: string[] = []
    for (const name of this.#call(path, () => readdirSync(folder, { encoding: 'buffer' }))) {
      try {
        names.push(utf8.decode(name))
      } catch {
        this.skipped++
      }
    }
    return names.sort(compareNames)
  }

  make(path: string): void {
    const place = this.#root.place(path)
    if (place.isRoot || this.#lstat(place) !== undefined) throw nameError('EEXIST', path)
    this.#call(path, () => mkdirSync(this.#root.at(place)))
    this.#folders.changed(place.folder)
  }

  remove(path: string): void {
    const place = this.#root.place(path)
    if (place.isRoot) throw nameError('EBUSY', path)
    const stats = this.#there(place)
    if (!stats.isDirectory()) throw nameError('ENOTDIR', path)
    const folder = this.#root.at(place)
    if (!this.#isEmpty(folder)) throw nameError('ENOTEMPTY', path)
    this.#call(path, () => rmdirSync(folder))
    this.#folders.changed(place.folder)
  }

  unlink(path: string): void {
    const place = this.#root.place(path)
    if (place.isRoot || this.#there(place).isDirectory()) throw nameError('EISDIR', path)
    this.#call(path, () => unlinkSync(this.#root.at(place)))
    this.#folders.changed(place.folder)
  }

  rename(from: string, to: string): void {
    const source = this.#root.place(from)
    if (source.isRoot) throw nameError('EBUSY', from)
    const moved = this.#there(source)
    const target = this.#root.place(to)
    if (target.isRoot) throw nameError('EBUSY', to)
    const [fromPath, toPath] = [this.#root.at(source), this.#root.at(target)]
    if (fromPath === toPath) return
    if (moved.isDirectory() && toPath.startsWith(fromPath + sep)) throw nameError('EINVAL', to)
    const replaced = this.#lstat(target)
    if (replaced !== undefined) {
      if (moved.isDirectory() && !replaced.isDirectory()) throw nameError('ENOTDIR', to)
      if (!moved.isDirectory() && replaced.isDirectory()) throw nameError('EISDIR', to)
      if (replaced.isDirectory() && !this.#isEmpty(toPath)) throw nameError('ENOTEMPTY', to)
    }
    this.#call(from, () => renameSync(fromPath, toPath))
    if (moved.isDirectory()) this.#folders.moved(fromPath, toPath)
    this.#folders.changed(source.folder)
    this.#folders.changed(target.folder)
  }

  /** What is at a path, and its status as far as the host knows it. */
  stat(path: string): { readonly path: string; readonly stats: BigIntStats } {
    const found = this.#root.look(this.#root.place(path))
    if (found === undefined) throw nameError('ENOENT', path)
    return { path: found.path, stats: this.#call(path, () => statSync(found.path, { bigint: true })) }
  }

  entries(path: string): number {
    return readdirSync(path).length
  }

  #directory(place: Place): { readonly path: string } {
    const found = this.#root.look(place)
    if (found === undefined) throw nameError('ENOENT', place.path)
    if (!found.stats.isDirectory()) throw nameError('ENOTDIR', place.path)
    return found
  }

  #lstat(place: Place): Stats | undefined {
    return this.#call(place.path, () => lstatSync(this.#root.at(place), { throwIfNoEntry: false }))
  }

  #there(place: Place): Stats {
    const stats = this.#lstat(place)
    if (stats === undefined) throw nameError('ENOENT', place.path)
    return stats
  }

  #isEmpty(folder: string): boolean {
    return this.#call(folder, () => readdirSync(folder)).length === 0
  }

  #call<T>(path: string, call: () => T): T {
    try {
      return call()
    } catch (error) {
      throw fileError(error, `path ${quotePath(path)}`)
    }
  }
}

/** As the contract has it. */
export function statusOf(stats: BigIntStats, size: number): FileStatus {
  const isDirectory = stats.isDirectory()
  return {
    kind: isDirectory ? 'directory' : 'file',
    size,
    // Blocks of 512 bytes, whatever the file system's.
    allocated: Number(stats.blocks) * 512,
    inode: Number(stats.ino),
    links: isDirectory ? 1 : Number(stats.nlink),
    modified: Number(stats.mtimeNs),
    changed: Number(stats.ctimeNs),
  }
}
