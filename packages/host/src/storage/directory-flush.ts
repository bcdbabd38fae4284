import { close, constants, fsync, open } from 'node:fs'
import { sep } from 'node:path'
import { GroupFlush } from './group-flush.ts'

/** Makes names durable: the folders in which something was made, renamed or removed since they were last flushed. */
export class DirectoryFlush {
  #dirty = new Set<string>()
  readonly #flush = new GroupFlush((done) => this.#run(done))
  /** A flush that failed: what it was to cover is never safe again. */
  #lost: unknown = null
  /** Folders that were flushed. */
  flushes = 0

  changed(folder: string): void {
    this.#dirty.add(folder)
  }

  /** What was changed in a folder is now to be flushed at its new path. */
  moved(from: string, to: string): void {
    for (const folder of [...this.#dirty]) {
      if (folder !== from && !folder.startsWith(from + sep)) continue
      this.#dirty.delete(folder)
      this.#dirty.add(to + folder.slice(from.length))
    }
  }

  join(done: (error: unknown) => void): void {
    this.#flush.join(done)
  }

  #run(done: (error: unknown) => void): void {
    const folders = [...this.#dirty]
    this.#dirty = new Set()
    const next = (error: unknown) => {
      if (error) this.#lost = error
      const folder = folders.pop()
      if (folder === undefined) done(this.#lost)
      else {
        this.flushes++
        flushFolder(folder, next)
      }
    }
    next(null)
  }
}

function flushFolder(folder: string, done: (error: unknown) => void): void {
  // Windows has no descriptors of folders; its file systems journal names by themselves.
  if (process.platform === 'win32') {
    setImmediate(done, null)
    return
  }
  open(folder, constants.O_RDONLY | constants.O_DIRECTORY, (error, fd) => {
    // Removed or renamed meanwhile: the folder above it is dirty too.
    if (error) done(error.code === 'ENOENT' || error.code === 'ENOTDIR' ? null : error)
    else fsync(fd, (failed) => close(fd, () => done(failed)))
  })
}
