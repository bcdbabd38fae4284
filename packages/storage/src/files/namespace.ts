import { ParakernelError } from '@parakernel/hal'
import { type FileStatus, parsePath, quotePath } from '@parakernel/queue'
import type { Core } from './core.ts'
import { Directory, type DirectoryEntry } from './directory/directory.ts'
import { DIRECTORY, FILE, ROOT_INODE } from './layout/constants.ts'

/** What the namespace needs of the rest of the volume. */
export interface NamespaceHost {
  readonly core: Core
  /** @throws EROFS, EIO, ENOBUFS, ENOSPC when no change can be made now; `more` says whether it takes room */
  allowChange(subject: string, more: boolean): void
  changed(): void
  time(): number
  /** The last name of a file is gone: it ends when nobody has it open. */
  unlinked(inode: number): void
}

interface Place {
  readonly directory: Directory
  readonly name: string
  readonly entry: DirectoryEntry | undefined
}

/** Paths and directories: all control calls, in memory. Each checks everything before it changes anything. */
export class Namespace {
  readonly #host: NamespaceHost
  readonly #directories = new Map<number, Directory>()

  constructor(host: NamespaceHost) {
    this.#host = host
  }

  /** @throws ENOENT, ENOTDIR, and what `parsePath` throws */
  lookup(path: string): number {
    const names = parsePath(path)
    let inode = ROOT_INODE
    let kind = DIRECTORY
    for (const name of names) {
      if (kind !== DIRECTORY) throw problem('ENOTDIR', path, 'a component is a file')
      const entry = this.#directory(inode).find(name)
      if (entry === undefined) throw problem('ENOENT', path, 'there is no such file or directory')
      inode = entry.inode
      kind = entry.kind
    }
    return inode
  }

  stat(path: string): FileStatus {
    return this.status(this.lookup(path))
  }

  status(number: number): FileStatus {
    const { inodes, geometry } = this.#host.core
    const inode = inodes.get(number)
    return {
      kind: inode.kind === DIRECTORY ? 'directory' : 'file',
      size: inode.size,
      allocated: inode.kind === DIRECTORY ? 0 : inode.map.clusters * geometry.clusterSize,
      inode: number,
      links: inode.links,
      modified: inode.modified,
      changed: inode.changed,
    }
  }

  readdir(path: string): readonly string[] {
    const inode = this.lookup(path)
    if (this.#host.core.inodes.kindOf(inode) !== DIRECTORY) throw problem('ENOTDIR', path, 'it is a file')
    return this.#directory(inode).list()
  }

  /** The inode of a file, made if it is not there and `create` says so. */
  file(path: string, create: boolean, exclusive: boolean): number {
    if (parsePath(path).length === 0) {
      throw create && exclusive ? problem('EEXIST', path, 'it is the root') : problem('EISDIR', path, 'it is the root')
    }
    const { directory, name, entry } = this.#place(path)
    if (entry !== undefined) {
      if (create && exclusive) throw problem('EEXIST', path, 'it is there')
      if (entry.kind === DIRECTORY) throw problem('EISDIR', path, 'it is a directory')
      return entry.inode
    }
    if (!create) throw problem('ENOENT', path, 'there is no such file')
    return this.#make(directory, name, FILE, path)
  }

  mkdir(path: string): void {
    if (parsePath(path).length === 0) throw problem('EEXIST', path, 'it is the root')
    const { directory, name, entry } = this.#place(path)
    if (entry !== undefined) throw problem('EEXIST', path, 'it is there')
    this.#make(directory, name, DIRECTORY, path)
  }

  rmdir(path: string): void {
    if (parsePath(path).length === 0) throw problem('EBUSY', path, 'it is the root')
    const { directory, name, entry } = this.#place(path)
    if (entry === undefined) throw problem('ENOENT', path, 'there is no such directory')
    if (entry.kind !== DIRECTORY) throw problem('ENOTDIR', path, 'it is a file')
    if (this.#directory(entry.inode).size > 0) throw problem('ENOTEMPTY', path, 'the directory is not empty')
    this.#host.allowChange(path, false)
    directory.remove(name, this.#host.time())
    this.#end(entry.inode)
    this.#host.changed()
  }

  unlink(path: string): void {
    if (parsePath(path).length === 0) throw problem('EISDIR', path, 'it is the root')
    const { directory, name, entry } = this.#place(path)
    if (entry === undefined) throw problem('ENOENT', path, 'there is no such file')
    if (entry.kind === DIRECTORY) throw problem('EISDIR', path, 'it is a directory')
    this.#host.allowChange(path, false)
    const time = this.#host.time()
    directory.remove(name, time)
    this.#drop(entry.inode, time)
    this.#host.changed()
  }

  rename(from: string, to: string): void {
    if (parsePath(from).length === 0 || parsePath(to).length === 0) throw problem('EBUSY', from, 'the root stays')
    const source = this.#place(from)
    const moved = source.entry
    if (moved === undefined) throw problem('ENOENT', from, 'there is no such file or directory')
    const target = this.#place(to)
    const replaced = target.entry
    if (moved.kind === DIRECTORY && this.#isWithin(target.directory.inode.number, moved.inode)) {
      throw problem('EINVAL', to, `a directory cannot go into itself (${quotePath(from)})`)
    }
    if (replaced !== undefined) {
      if (replaced.inode === moved.inode) return
      if (moved.kind !== DIRECTORY && replaced.kind === DIRECTORY) throw problem('EISDIR', to, 'it is a directory')
      if (moved.kind === DIRECTORY && replaced.kind !== DIRECTORY) throw problem('ENOTDIR', to, 'it is a file')
      if (replaced.kind === DIRECTORY && this.#directory(replaced.inode).size > 0) {
        throw problem('ENOTEMPTY', to, 'the directory is not empty')
      }
    }
    this.#host.allowChange(from, replaced === undefined)
    const time = this.#host.time()
    if (replaced === undefined) target.directory.add(target.name, moved.inode, moved.kind, time)
    else target.directory.replace(target.name, moved.inode, time)
    source.directory.remove(source.name, time)
    const inode = this.#host.core.inodes.get(moved.inode)
    inode.stampChanged(time)
    if (moved.kind === DIRECTORY) inode.parent = target.directory.inode.number
    if (replaced !== undefined) {
      if (replaced.kind === DIRECTORY) this.#end(replaced.inode)
      else this.#drop(replaced.inode, time)
    }
    this.#host.changed()
  }

  /** Puts an inode that has no name into a directory. For repairs. */
  adopt(parent: number, name: string, number: number): void {
    const { inodes } = this.#host.core
    this.#directory(parent).add(name, number, inodes.kindOf(number), this.#host.time())
    inodes.get(number).parent = parent
  }

  #make(directory: Directory, name: string, kind: number, path: string): number {
    this.#host.allowChange(path, true)
    const time = this.#host.time()
    const { number } = this.#host.core.inodes.allocate(kind, directory.inode.number, time)
    directory.add(name, number, kind, time)
    this.#host.changed()
    return number
  }

  /** An empty directory is gone. */
  #end(number: number): void {
    this.#directory(number).free()
    this.#directories.delete(number)
    this.#host.core.inodes.release(this.#host.core.inodes.get(number))
  }

  /** A file has lost its name. */
  #drop(number: number, time: number): void {
    const inode = this.#host.core.inodes.get(number)
    inode.links = 0
    inode.stampChanged(time)
    this.#host.unlinked(number)
  }

  #directory(number: number): Directory {
    let directory = this.#directories.get(number)
    if (directory === undefined) {
      directory = new Directory(this.#host.core, this.#host.core.inodes.get(number))
      this.#directories.set(number, directory)
    }
    return directory
  }

  /** Where the last component of a path is, or would be. The path is not that of the root. */
  #place(path: string): Place {
    const names = parsePath(path)
    const name = names.pop() as string
    let inode = ROOT_INODE
    for (const component of names) {
      const entry = this.#directory(inode).find(component)
      if (entry === undefined) throw problem('ENOENT', path, `there is no directory ${quotePath(component)} on the way`)
      if (entry.kind !== DIRECTORY) throw problem('ENOTDIR', path, `${quotePath(component)} is a file`)
      inode = entry.inode
    }
    const directory = this.#directory(inode)
    return { directory, name, entry: directory.find(name) }
  }

  #isWithin(number: number, ancestor: number): boolean {
    const { inodes } = this.#host.core
    for (let at = number; ; at = inodes.get(at).parent) {
      if (at === ancestor) return true
      if (at === ROOT_INODE) return false
    }
  }
}

type Code = ConstructorParameters<typeof ParakernelError>[0]

function problem(code: Code, path: string, message: string): ParakernelError {
  return new ParakernelError(code, message, { subject: quotePath(path) })
}
