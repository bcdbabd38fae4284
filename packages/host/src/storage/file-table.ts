import type { BigIntStats } from 'node:fs'
import { type Done, HostFile } from './host-file.ts'

/** Files that nobody has open and that are not safe yet; beyond it the oldest is flushed. */
const PARKED = 64

/** The files of the host that are open, by device and inode, and those that were written, closed, and not flushed. */
export class FileTable {
  readonly #files = new Map<string, HostFile>()
  readonly #parked = new Set<HostFile>()
  #flushes = 0
  /** A file that was closed could not be flushed: the volume is never safe again. */
  #lost: unknown = null

  static key({ dev, ino }: Pick<BigIntStats, 'dev' | 'ino'>): string {
    return `${dev}:${ino}`
  }

  find(key: string): HostFile | undefined {
    return this.#files.get(key)
  }

  /** The file of a descriptor of the host's, which is taken over. */
  open(key: string, fd: number, forWriting: boolean): HostFile {
    const file = this.#files.get(key) ?? new HostFile(key)
    this.#files.set(key, file)
    this.#parked.delete(file)
    file.users++
    file.adopt(fd, forWriting)
    return file
  }

  release(file: HostFile): void {
    file.users--
    this.#settle(file)
  }

  /** Flushes all that was written so far. */
  sync(done: Done): void {
    let left = 1
    let failed: unknown = null
    const one = (error: unknown) => {
      failed ??= error || null
      if (--left === 0) done(failed ?? this.#lost)
    }
    for (const file of this.#files.values()) {
      left++
      // Behind what was issued before.
      file.jobs.add(true, (next) => {
        if (this.#parked.has(file)) this.#retire(file, one)
        else file.sync('all', one)
        next()
      })
    }
    one(null)
  }

  get flushes(): number {
    let sum = this.#flushes
    for (const file of this.#files.values()) sum += file.flushes
    return sum
  }

  /** Lets go of a file that nobody uses, once that is possible; keeps one that is not safe. */
  #settle(file: HostFile): void {
    if (file.users > 0 || this.#files.get(file.key) !== file) return
    if (!file.jobs.idle) file.jobs.whenIdle(() => this.#settle(file))
    else if (file.flushing) file.sync('data', () => setImmediate(() => this.#settle(file)))
    else if (!file.dirty || file.lost || file.stats.nlink === 0n) this.#forget(file)
    else {
      this.#parked.add(file)
      const [oldest] = this.#parked
      if (this.#parked.size > PARKED) this.#retire(oldest, () => {})
    }
  }

  #retire(file: HostFile, done: Done): void {
    this.#parked.delete(file)
    file.sync('data', (error) => {
      this.#lost ??= error || null
      done(error)
      setImmediate(() => this.#settle(file))
    })
  }

  #forget(file: HostFile): void {
    this.#flushes += file.flushes
    this.#parked.delete(file)
    this.#files.delete(file.key)
    file.close()
  }
}
