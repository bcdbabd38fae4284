import { statfsSync } from 'node:fs'
import { join } from 'node:path'
import { type FramePool, ParakernelError } from '@parakernel/hal'
import type { Loop } from '@parakernel/kernel'
import {
  allocateSga,
  checkBytes,
  checkDurability,
  type Durability,
  type FileStatus,
  type OpenOptions,
  type QueueDescriptor,
  type QueueRuntime,
  type QueueToken,
  quotePath,
  resolveOpenOptions,
  type ScatterGatherArray,
  type StorageContext,
  type StorageLibOS,
  type VolumeStatus,
} from '@parakernel/queue'
import { Descriptor, OWNER } from './descriptor.ts'
import { DirectoryFlush } from './directory-flush.ts'
import { fileCodeOf } from './errors.ts'
import { FileTable } from './file-table.ts'
import { FrameWaiting } from './frame-waiting.ts'
import type { Done } from './host-file.ts'
import { Names, statusOf } from './names.ts'
import { openHostFile } from './open-file.ts'
import type { HostStorageOptions } from './options.ts'
import { RootFolder } from './root-folder.ts'
import { HostFileCounters } from './statistics.ts'

/**
 * The storage libOS over a folder of the host. Control calls are synchronous calls of node:fs; data calls run in Node's
 * thread pool, and are put into order file by file. Bytes are copied into frames of the pool and out of them. A synchronous wait
 * would hold Node's own loop up, and is refused with ENOTSUP.
 */
export class HostStorage implements StorageLibOS {
  readonly name = 'host'
  readonly runtime: QueueRuntime
  readonly loop: Loop
  readonly pool: FramePool
  readonly durability = {
    strongest: 'flushed',
    promise:
      "what was synced survives whatever the host's fsync survives, on its file system and disk; a push over a power cut may be there in part",
  } as const
  readonly #root: RootFolder
  readonly #folders = new DirectoryFlush()
  readonly #names: Names
  readonly #files = new FileTable()
  readonly #frames: FrameWaiting
  readonly #counters = new HostFileCounters()
  readonly #open = new Map<QueueDescriptor, Descriptor>()
  readonly #readOnly: boolean
  readonly #defaultDurability: Durability
  /** Whose tokens `syncVolume` gives out. */
  readonly #volume: QueueDescriptor
  readonly #leaveLoop: () => void
  /** Operations of all descriptors that have not ended. */
  #under = 0
  #whenEnded: (() => void) | undefined
  #closing: Promise<void> | undefined

  constructor(options: HostStorageOptions, { runtime, loop, pool, partition, partitions }: StorageContext) {
    this.#readOnly = options.readOnly ?? false
    this.#defaultDurability = checkDurability(options.durability ?? 'buffered', 'host option durability')
    const folder = partitions > 1 ? join(options.path, `partition-${partition}`) : options.path
    this.#root = new RootFolder(folder, !this.#readOnly)
    this.#names = new Names(this.#root, this.#folders)
    this.runtime = runtime
    this.loop = loop
    this.pool = pool
    this.#frames = new FrameWaiting(pool)
    this.#volume = runtime.open(OWNER, this)
    this.#leaveLoop = loop.dependOnNode()
  }

  open(path: string, options: OpenOptions = {}): QueueDescriptor {
    this.#checkAlive()
    const resolved = resolveOpenOptions(path, options, this.#defaultDurability)
    const changes = resolved.write || resolved.create
    // Reserved first: without a descriptor nothing is made or cut.
    const qd = this.runtime.open(OWNER, this)
    try {
      const { place, key, fd, made } = openHostFile(this.#root, path, resolved, changes && this.#readOnly)
      const file = this.#files.open(key, fd, resolved.write || made)
      if (made) this.#folders.changed(place.folder)
      else if (resolved.truncate) file.empty()
      this.#open.set(qd, new Descriptor(qd, path, file, resolved))
    } catch (error) {
      this.runtime.close(qd)
      throw error
    }
    this.#counters.add('opens')
    return qd
  }

  creat(path: string): QueueDescriptor {
    return this.open(path, { create: true, truncate: true, write: true })
  }

  close(qd: QueueDescriptor): void {
    const descriptor = this.#of(qd)
    this.#open.delete(qd)
    this.runtime.close(qd)
    this.#release(descriptor)
  }

  asyncClose(qd: QueueDescriptor): QueueToken {
    const descriptor = this.#of(qd)
    const token = this.runtime.issue(qd)
    this.#open.delete(qd)
    descriptor.whenEnded(() => {
      const { lost } = descriptor.file
      if (this.runtime.isPending(token)) {
        if (lost) this.runtime.fail(token, fileCodeOf(lost), `an earlier push was lost: ${reason(lost)}`)
        else this.runtime.completeClose(token)
      }
      this.runtime.close(qd)
      this.#release(descriptor)
    })
    return token
  }

  push(qd: QueueDescriptor, sga: ScatterGatherArray): QueueToken {
    const descriptor = this.#of(qd)
    const { file, options } = descriptor
    const token = this.runtime.issue(qd)
    const position = options.append ? file.size : descriptor.cursor
    const length = this.#write(descriptor, token, sga, position)
    if (length > 0) descriptor.cursor = position + length
    return token
  }

  pushAt(qd: QueueDescriptor, sga: ScatterGatherArray, position: number): QueueToken {
    const descriptor = this.#of(qd)
    checkBytes(position, 'position of a push')
    const token = this.runtime.issue(qd)
    this.#write(descriptor, token, sga, position)
    return token
  }

  pop(qd: QueueDescriptor, limit = this.#frames.frameBytes): QueueToken {
    const descriptor = this.#of(qd)
    checkBytes(limit, 'limit of a pop', 1)
    const token = this.runtime.issue(qd)
    descriptor.cursor += this.#read(descriptor, token, descriptor.cursor, limit)
    return token
  }

  popAt(qd: QueueDescriptor, position: number, limit = this.#frames.frameBytes): QueueToken {
    const descriptor = this.#of(qd)
    checkBytes(position, 'position of a pop')
    checkBytes(limit, 'limit of a pop', 1)
    const token = this.runtime.issue(qd)
    this.#read(descriptor, token, position, limit)
    return token
  }

  sync(qd: QueueDescriptor, what: 'data' | 'all' = 'all'): QueueToken {
    const descriptor = this.#of(qd)
    const { file } = descriptor
    const token = this.runtime.issue(qd)
    const done = this.#ends(descriptor, token, 0, () => this.#counters.add('syncs'))
    file.jobs.add(true, (next) => {
      next()
      file.sync(what, (error) => (error ? done(error) : this.#folders.join(done)))
    })
    return token
  }

  syncVolume(): QueueToken {
    this.#checkAlive()
    const token = this.runtime.issue(this.#volume)
    this.#begun()
    this.#syncAll((error) => {
      this.#ended()
      if (error) this.#counters.add('failed')
      else this.#counters.add('syncs')
      if (!this.runtime.isPending(token)) return
      if (error) this.runtime.fail(token, fileCodeOf(error), reason(error))
      else this.runtime.completePush(token, 0)
    })
    return token
  }

  seek(qd: QueueDescriptor, offset: number, from: 'start' | 'cursor' | 'end' = 'start'): number {
    return this.#of(qd).seek(offset, from)
  }

  truncate(qd: QueueDescriptor, length: number): QueueToken {
    const descriptor = this.#of(qd)
    checkBytes(length, 'length of a truncation')
    const { file } = descriptor
    return this.#reshape(descriptor, (done) => file.truncate(length, done), length)
  }

  punchHole(qd: QueueDescriptor, position: number, length: number): QueueToken {
    const descriptor = this.#of(qd)
    checkBytes(position, 'position of a hole')
    checkBytes(length, 'length of a hole')
    const { file } = descriptor
    const end = descriptor.options.write ? Math.min(position + length, file.size) : 0
    return this.#reshape(descriptor, (done) => file.zero(position, Math.max(0, end - position), done), undefined)
  }

  sgaAlloc(length: number): ScatterGatherArray {
    return allocateSga(this.pool, length)
  }

  status(qd: QueueDescriptor): FileStatus {
    const { file } = this.#of(qd)
    return statusOf(file.stats, file.size)
  }

  stat(path: string): FileStatus {
    this.#checkAlive()
    const { path: hostPath, stats } = this.#names.stat(path)
    if (stats.isDirectory()) return statusOf(stats, this.#names.entries(hostPath))
    return statusOf(stats, this.#files.find(FileTable.key(stats))?.size ?? Number(stats.size))
  }

  readdir(path: string): readonly string[] {
    this.#checkAlive()
    return this.#names.list(path)
  }

  mkdir(path: string): void {
    this.#checkMayChange(path)
    this.#names.make(path)
  }

  rmdir(path: string): void {
    this.#checkMayChange(path)
    this.#names.remove(path)
  }

  rename(from: string, to: string): void {
    this.#checkMayChange(from)
    this.#names.rename(from, to)
  }

  unlink(path: string): void {
    this.#checkMayChange(path)
    this.#names.unlink(path)
  }

  volume(): VolumeStatus {
    this.#checkAlive()
    const { bsize, blocks, bavail, files, ffree } = statfsSync(this.#root.path)
    return {
      blockSize: bsize,
      totalBytes: blocks * bsize,
      freeBytes: bavail * bsize,
      files: files - ffree,
      readOnly: this.#readOnly,
    }
  }

  statistics(): Record<string, Record<string, number>> {
    const groups = this.#counters.byGroup(this.#files.flushes, this.#folders.flushes)
    groups.host.namesSkipped = this.#names.skipped
    return groups
  }

  shutdown(): Promise<void> {
    this.#closing ??= new Promise((resolve, reject) => {
      for (const qd of [...this.#open.keys()]) this.close(qd)
      const finish = () =>
        this.#syncAll((error) => {
          this.runtime.close(this.#volume)
          this.#leaveLoop()
          if (error)
            reject(new ParakernelError(fileCodeOf(error), reason(error), { subject: 'libOS host', cause: error }))
          else resolve()
        })
      if (this.#under === 0) finish()
      else this.#whenEnded = finish
    })
    return this.#closing
  }

  /** Writes a copy, so that the frames are not needed any longer than the call. Returns how many bytes were taken. */
  #write(descriptor: Descriptor, token: QueueToken, sga: ScatterGatherArray, position: number): number {
    const { file, options } = descriptor
    const wrong = sga.refusalBy(this.pool)
    if (wrong !== undefined) return this.#refuse(token, 'EINVAL', wrong)
    if (!options.write) return this.#refuse(token, 'EBADF', 'the file is open for reading alone')
    const length = sga.byteLength
    if (position + length > Number.MAX_SAFE_INTEGER)
      return this.#refuse(token, 'EFBIG', 'would end above 2^53 - 1 bytes')
    const done = this.#ends(descriptor, token, length, () => {
      this.#counters.add('pushes')
      this.#counters.add('bytesPushed', length)
    })
    if (length === 0) {
      file.jobs.add(true, (next) => {
        next()
        done(null)
      })
      return 0
    }
    const bytes = sga.toBytes()
    this.#counters.add('bytesCopied', length)
    file.size = Math.max(file.size, position + length)
    this.#counters.add('hostWrites')
    file.jobs.add(false, (next) => file.write(bytes, position, this.#madeDurable(descriptor, next, done)))
    return length
  }

  /** Returns how many bytes there are to be read. */
  #read(descriptor: Descriptor, token: QueueToken, position: number, limit: number): number {
    const { file } = descriptor
    const length = Math.max(0, Math.min(limit, file.size - position))
    if (!this.#frames.fits(length)) return this.#refuse(token, 'ENOBUFS', `the pool has no room for ${length} bytes`)
    const pending = () => this.runtime.isPending(token)
    const bytes = new Uint8Array(length)
    let got = 0
    const done = this.#ends(descriptor, token, 0, () => {
      this.#counters.add('pops')
      this.#counters.add('bytesPopped', got)
    })
    this.#counters.add('hostReads')
    const place = this.#frames.enter()
    file.jobs.add(true, (next) =>
      file.read(bytes, position, (error, read) => {
        next()
        got = error ? 0 : read
        this.#frames.ready(place, got, pending, (sga) => {
          this.#fill(sga, bytes)
          if (error) sga?.free()
          done(error, error ? undefined : sga)
        })
      }),
    )
    return length
  }

  #fill(sga: ScatterGatherArray | undefined, bytes: Uint8Array): void {
    let at = 0
    for (const { address, length } of sga?.segments ?? []) {
      this.pool.copyIn(address, bytes, at, length)
      at += length
    }
    this.#counters.add('bytesCopied', at)
  }

  #reshape(descriptor: Descriptor, run: (done: Done) => void, size: number | undefined): QueueToken {
    const token = this.runtime.issue(descriptor.qd)
    const { file, options } = descriptor
    if (!options.write) {
      this.#refuse(token, 'EBADF', 'the file is open for reading alone')
      return token
    }
    const done = this.#ends(descriptor, token, 0, () => this.#counters.add('reshapes'))
    // Read first: the size of an idle file is the host's.
    file.size = size ?? file.size
    file.jobs.add(false, (next) => run(this.#madeDurable(descriptor, next, done)))
    return token
  }

  /** What follows a write: the next operation may begin, and the push ends when it is as durable as was asked for. */
  #madeDurable({ file, options }: Descriptor, next: () => void, done: Done): Done {
    return (error) => {
      next()
      if (error || options.durability === 'buffered') done(error)
      else file.sync('data', (failed) => (failed ? done(failed) : this.#folders.join(done)))
    }
  }

  /** Notes that an operation is under way, and gives what ends it: as a pop with an array, and as a push of `bytes` without. */
  #ends(
    descriptor: Descriptor,
    token: QueueToken,
    bytes: number,
    count: () => void,
  ): (error: unknown, sga?: ScatterGatherArray) => void {
    descriptor.begun()
    this.#begun()
    return (error, sga) => {
      const isWaited = this.runtime.isPending(token)
      if (error) {
        this.#counters.add('failed')
        if (isWaited) this.runtime.fail(token, fileCodeOf(error), `${descriptor.path}: ${reason(error)}`)
      } else {
        count()
        if (!isWaited) sga?.free()
        else if (sga === undefined) this.runtime.completePush(token, bytes)
        else this.runtime.completePop(token, sga, undefined)
      }
      descriptor.ended()
      this.#ended()
    }
  }

  #refuse(token: QueueToken, code: 'EINVAL' | 'EBADF' | 'EFBIG' | 'ENOBUFS', message: string): number {
    this.#counters.add('failed')
    this.runtime.fail(token, code, message)
    return 0
  }

  #syncAll(done: Done): void {
    this.#files.sync((error) => this.#folders.join((failed) => done(error || failed)))
  }

  #release(descriptor: Descriptor): void {
    this.#counters.add('closes')
    this.#files.release(descriptor.file)
  }

  #begun(): void {
    this.#under++
  }

  #ended(): void {
    if (--this.#under === 0) this.#whenEnded?.()
  }

  #of(qd: QueueDescriptor): Descriptor {
    const descriptor = this.#open.get(qd)
    if (descriptor === undefined) throw new ParakernelError('EBADF', 'is no open file', { subject: `queue ${qd}` })
    return descriptor
  }

  #checkAlive(): void {
    if (this.#closing !== undefined) throw new ParakernelError('EBADF', 'was shut down', { subject: 'libOS host' })
  }

  #checkMayChange(path: string): void {
    this.#checkAlive()
    if (this.#readOnly) {
      throw new ParakernelError('EROFS', 'the volume is read-only', { subject: `path ${quotePath(path)}` })
    }
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
