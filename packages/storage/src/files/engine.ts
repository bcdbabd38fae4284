import { type ErrorCode, ParakernelError } from '@parakernel/hal'
import type { Loop } from '@parakernel/kernel'
import { type FileStatus, quotePath, type VolumeStatus } from '@parakernel/queue'
import { EROFS } from '../medium/errno.ts'
import type { Medium } from '../medium/medium.ts'
import { ClusterCache } from './cache/cluster-cache.ts'
import { Committer } from './commit/committer.ts'
import type { Core } from './core.ts'
import { statusOf } from './errno.ts'
import { FileHandle } from './file-handle.ts'
import { ClusterBuffers } from './io/buffers.ts'
import type { IoContext } from './io/context.ts'
import { FileNode } from './io/file-node.ts'
import { MetadataWriter } from './io/media.ts'
import { FileOperation, SYNC, TRUNCATE } from './io/operation.ts'
import { cut } from './io/reshape.ts'
import { Signal } from './io/task.ts'
import { WriteBack } from './io/write-back.ts'
import { Journal } from './journal/journal.ts'
import { DIRECTORY, MAX_LOGICAL } from './layout/constants.ts'
import { Namespace } from './namespace.ts'
import type { OpenVolumeFileOptions } from './volume.ts'

/** Clusters of cache below which a volume is not mounted. */
const LEAST_CACHE = 8
/** Clusters that must be free before a control call takes some: for the blocks that one call may need. */
const ROOM = 8

export interface EngineOptions {
  readonly core: Core
  readonly medium: Medium
  readonly name: string
  readonly readOnly: boolean
  readonly cacheSize: number
  readonly commitInterval: number
  readonly wallClock: () => number
  readonly epoch: number
  readonly sequence: number
  readonly checkpointNumber: number
}

/** A mounted volume's moving parts, and the files that are open. */
export class Engine implements IoContext {
  readonly core: Core
  readonly medium: Medium
  readonly loop: Loop
  readonly name: string
  readonly namespace: Namespace
  readonly cache: ClusterCache
  readonly writeBack: WriteBack
  readonly committer: Committer
  readonly journal: Journal
  readonly writer: MetadataWriter
  readonly progress = new Signal()
  readonly time: () => number
  readonly maxFileSize: number
  bytesCopied = 0
  failure: ErrorCode | undefined
  onReleased: () => void = () => {}
  readonly #readOnly: boolean
  readonly #nodes = new Map<number, FileNode>()
  readonly #handles = new Set<FileHandle>()
  #closing = false

  constructor(options: EngineOptions) {
    const { core, medium, name, readOnly, wallClock } = options
    const { clusterSize, journalClusters } = core.geometry
    this.core = core
    this.medium = medium
    this.loop = medium.loop
    this.name = name
    this.#readOnly = readOnly
    this.time = wallClock
    this.maxFileSize = Math.min(MAX_LOGICAL * clusterSize, Number.MAX_SAFE_INTEGER)
    this.writer = new MetadataWriter(medium, clusterSize)
    const wanted = Math.max(LEAST_CACHE, Math.floor(options.cacheSize / clusterSize))
    // Half of what the pool has is left to the application and to transfers.
    const { pool } = medium
    const spare = Math.floor((pool.available * pool.frameSize) / clusterSize / 2)
    try {
      const buffers = new ClusterBuffers(
        medium,
        clusterSize,
        Math.max(LEAST_CACHE, Math.min(wanted, spare)),
        LEAST_CACHE,
      )
      const dirtyLimit = Math.max(1, Math.min(buffers.count >> 1, journalClusters >> 3))
      this.cache = new ClusterCache(buffers, dirtyLimit, this.progress)
    } catch (error) {
      this.writer.close()
      throw error
    }
    this.writeBack = new WriteBack(core, this.cache, medium, this.progress, (status) => this.committer.fail(status))
    this.journal = new Journal(this.writer, core.geometry, options.epoch, options.sequence)
    this.committer = new Committer({
      core,
      loop: this.loop,
      journal: this.journal,
      writer: this.writer,
      writeBack: this.writeBack,
      dirtyLimit: this.cache.dirtyLimit,
      progress: this.progress,
      volatileCache: medium.volatileCache,
      checkpointNumber: options.checkpointNumber,
      interval: options.commitInterval,
      onFailure: (code) => {
        this.failure = code
      },
    })
    this.namespace = new Namespace({
      core,
      allowChange: (subject, more) => this.#allowChange(subject, more),
      changed: () => this.committer.changed(),
      time: wallClock,
      unlinked: (number) => this.#unlinked(number),
    })
  }

  get readOnly(): boolean {
    return this.#readOnly || this.failure !== undefined
  }

  /** Bytes that one write may have and still be one step over a power cut. */
  get atomicWrite(): number {
    return (this.cache.dirtyLimit - 1) * this.core.geometry.clusterSize
  }

  get openFiles(): number {
    return this.#handles.size
  }

  readonly refusal = (): number => {
    if (this.failure !== undefined) return statusOf(this.failure)
    return this.#readOnly ? -EROFS : 0
  }

  open(path: string, options: OpenVolumeFileOptions): FileHandle {
    const { write = false, create = false, exclusive = false, truncate = false } = options
    if (this.#closing) throw new ParakernelError('EBADF', 'the volume is closed', { subject: this.name })
    const number = this.namespace.file(path, create, exclusive)
    if ((write || truncate) && this.readOnly) this.#allowChange(path, false)
    let node = this.#nodes.get(number)
    if (node === undefined) {
      node = new FileNode(this.core.inodes.get(number), this, this.#settle)
      this.#nodes.set(number, node)
    }
    node.handles++
    const handle = new FileHandle(node, write, this)
    this.#handles.add(handle)
    if (truncate && node.size > 0) {
      node.size = 0
      node.submit(new FileOperation(() => {}), TRUNCATE)
    }
    return handle
  }

  /** @internal for handles */
  closed(handle: FileHandle): void {
    this.#handles.delete(handle)
    handle.node.handles--
    this.#settle(handle.node)
  }

  status(number: number): FileStatus {
    const status = this.namespace.status(number)
    const node = this.#nodes.get(number)
    if (node !== undefined) return { ...status, size: node.size }
    if (this.core.inodes.kindOf(number) !== DIRECTORY) this.core.inodes.forget(this.core.inodes.get(number))
    return status
  }

  volumeStatus(): VolumeStatus {
    const { geometry, space, inodes } = this.core
    const { clusterSize, dataStart, dataEnd } = geometry
    return {
      blockSize: clusterSize,
      totalBytes: (dataEnd - dataStart) * clusterSize,
      freeBytes: Math.max(0, space.available) * clusterSize,
      files: inodes.live,
      readOnly: this.readOnly,
    }
  }

  sync(done: (status: number) => void): void {
    const busy = [...this.#nodes.values()].filter((node) => !node.idle)
    if (busy.length === 0) {
      this.committer.request(done)
      return
    }
    let left = busy.length
    let worst = 0
    for (const node of busy) {
      const barrier = new FileOperation(({ status }) => {
        if (status !== 0) worst = status
        if (--left === 0) done(worst)
      })
      node.submit(barrier, SYNC)
    }
  }

  /** Frees what was unlinked while it was open, when power failed. */
  removeOrphans(orphans: readonly number[]): void {
    for (const number of orphans) this.#destroy(number)
  }

  /** Takes no more calls. */
  stop(): void {
    this.#closing = true
  }

  /** Ends everything that is open, and makes it durable. @throws what the media did */
  async close(): Promise<void> {
    this.stop()
    try {
      await new Promise<void>((resolve, reject) => {
        this.sync((status) => (status === 0 ? resolve() : reject(this.#failed())))
      })
      for (const handle of [...this.#handles]) handle.close()
      if (!this.readOnly) {
        const { committer } = this
        await committer.exclusive(function* () {
          yield* committer.commit()
          yield* committer.checkpoint()
        })
      }
    } finally {
      await this.release()
    }
  }

  /** Gives the frames back, once the media no longer have them. */
  async release(): Promise<void> {
    this.committer.close()
    while (this.writeBack.underWay > 0) await new Promise<void>((resume) => this.progress.wait(resume))
    this.cache.buffers.close()
    this.writer.close()
    this.onReleased()
  }

  #failed(): ParakernelError {
    return new ParakernelError(this.failure ?? 'EIO', 'what was written is not safe', {
      subject: this.name,
      remedy: 'Look at the medium, then mount it again: it is as the last successful sync left it',
    })
  }

  #allowChange(subject: string, more: boolean): void {
    const named = { subject: `${this.name} ${quotePath(subject)}` }
    if (this.failure !== undefined) {
      const remedy = 'Mount the volume again once its medium is well'
      throw new ParakernelError('EROFS', `the volume is read-only since it failed with ${this.failure}`, {
        ...named,
        remedy,
      })
    }
    if (this.#readOnly) throw new ParakernelError('EROFS', 'the volume is mounted read-only', named)
    if (this.committer.full) {
      this.committer.request(() => {})
      throw new ParakernelError('ENOBUFS', 'the journal cannot take more changes at once', {
        ...named,
        remedy: 'Let the loop run until a sync is done, or make the volume with a larger journal',
      })
    }
    const { space } = this.core
    if (more && space.free - space.promised < ROOM * (space.hasSnapshots ? 2 : 1)) {
      throw new ParakernelError('ENOSPC', 'the volume is full', { ...named, remedy: 'Delete something, then sync' })
    }
  }

  #unlinked(number: number): void {
    const node = this.#nodes.get(number)
    if (node === undefined || (node.handles === 0 && node.idle)) this.#destroy(number)
    else node.unlinked = true
  }

  readonly #settle = (node: FileNode): void => {
    if (node.handles > 0 || !node.idle) return
    const { number } = node.inode
    if (this.#nodes.get(number) !== node) return
    if (node.unlinked) this.#destroy(number)
    else if (node.cached.size === 0) {
      this.#nodes.delete(number)
      this.core.inodes.forget(node.inode)
    }
  }

  #destroy(number: number): void {
    const { inodes } = this.core
    const inode = inodes.get(number)
    const node = this.#nodes.get(number) ?? new FileNode(inode, this, () => {})
    this.#nodes.delete(number)
    cut(this, node, 0, MAX_LOGICAL)
    inode.map.freeBlocks()
    inodes.release(inode)
    this.committer.changed()
  }
}
