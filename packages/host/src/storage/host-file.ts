import {
  type BigIntStats,
  close,
  closeSync,
  fdatasync,
  fstatSync,
  fsync,
  ftruncate,
  ftruncateSync,
  read,
  write,
} from 'node:fs'
import { GroupFlush } from './group-flush.ts'
import { OrderedJobs } from './ordered-jobs.ts'

/** Bytes of zeroes that are written at once over a hole. */
const ZEROES = new Uint8Array(65_536)

export type Done = (error: unknown) => void

/**
 * One file of the host that is open, or was and is not safe yet; all its descriptors share it. Operations take effect in the order
 * in which they came, and the size is that after all of them.
 */
export class HostFile {
  readonly key: string
  /** Descriptors of the libOS. */
  users = 0
  readonly jobs = new OrderedJobs()
  /** Written since the last flush that ended well began. */
  dirty = false
  /** A flush that failed: what it was to cover is never safe again. */
  lost: unknown = null
  flushes = 0
  readonly #data = new GroupFlush((done) => this.#flush(fdatasync, done))
  readonly #all = new GroupFlush((done) => this.#flush(fsync, done))
  #reader = -1
  #writer = -1
  #size = 0

  constructor(key: string) {
    this.key = key
  }

  /** Takes over a descriptor of the host's, or closes it when there is one that does as much. */
  adopt(fd: number, forWriting: boolean): void {
    const known = forWriting ? this.#writer : this.#reader
    if (known >= 0) closeSync(fd)
    else if (forWriting) this.#writer = fd
    else this.#reader = fd
  }

  /** Bytes, after everything that was issued. */
  get size(): number {
    if (this.jobs.idle) this.#size = fstatSync(this.#fd).size
    return this.#size
  }

  set size(size: number) {
    this.#size = size
  }

  get stats(): BigIntStats {
    return fstatSync(this.#fd, { bigint: true })
  }

  /** Up to `bytes.byteLength` bytes; calls back with how many there were. */
  read(bytes: Uint8Array, position: number, done: (error: unknown, length: number) => void): void {
    let length = 0
    const more = () =>
      read(this.#fd, bytes, length, bytes.byteLength - length, position + length, (error, read) => {
        length += read ?? 0
        if (error || read === 0 || length === bytes.byteLength) done(error, length)
        else more()
      })
    more()
  }

  write(bytes: Uint8Array, position: number, done: Done): void {
    this.dirty = true
    let at = 0
    const more = () =>
      write(this.#writer, bytes, at, bytes.byteLength - at, position + at, (error, written) => {
        at += written ?? 0
        if (error || at === bytes.byteLength) done(error)
        else more()
      })
    more()
  }

  zero(position: number, length: number, done: Done): void {
    const piece = Math.min(length, ZEROES.byteLength)
    if (piece === 0) done(null)
    else {
      this.write(ZEROES.subarray(0, piece), position, (error) => {
        if (error) done(error)
        else this.zero(position + piece, length - piece, done)
      })
    }
  }

  truncate(length: number, done: Done): void {
    this.dirty = true
    ftruncate(this.#writer, length, done)
  }

  /** Cuts it to nothing: in the call when nothing is under way, otherwise behind that. */
  empty(): void {
    this.dirty = true
    if (this.jobs.idle) ftruncateSync(this.#writer, 0)
    else {
      this.size = 0
      this.jobs.add(false, (next) =>
        this.truncate(0, (error) => {
          if (error) this.lost = error
          next()
        }),
      )
    }
  }

  /** Joins a flush of everything that was written before. */
  sync(what: 'data' | 'all', done: Done): void {
    // Nothing can have been written by who has no descriptor for writing.
    if (this.lost || this.#writer < 0) done(this.lost)
    else (what === 'data' ? this.#data : this.#all).join(done)
  }

  /** Whether a flush runs, or is to: the host's descriptors are needed. */
  get flushing(): boolean {
    return this.#data.busy || this.#all.busy
  }

  /** The host's descriptors are given back. */
  close(): void {
    for (const fd of [this.#reader, this.#writer]) if (fd >= 0) close(fd)
    this.#reader = -1
    this.#writer = -1
  }

  get #fd(): number {
    return this.#writer >= 0 ? this.#writer : this.#reader
  }

  #flush(call: (fd: number, done: (error: NodeJS.ErrnoException | null) => void) => void, done: Done): void {
    this.dirty = false
    this.flushes++
    call(this.#fd, (error) => {
      if (error) this.lost = error
      done(this.lost)
    })
  }
}
