import { type ErrorCode, ParakernelError } from '@parakernel/hal'
import type { FileStatus, VolumeStatus } from '@parakernel/queue'
import type { Engine } from './engine.ts'
import type { Assembled } from './mount-volume.ts'
import { scrub } from './scrub.ts'
import { createSnapshot, deleteSnapshot, rollBack } from './snapshot/change.ts'
import { mountSnapshot } from './snapshot/mount-snapshot.ts'
import type { SnapshotSet } from './snapshot/snapshot-set.ts'
import type {
  MountOptions,
  OpenVolumeFileOptions,
  ScrubReport,
  SnapshotInfo,
  Volume,
  VolumeFile,
  VolumeGeometry,
} from './volume.ts'

/** The face of a mounted volume. */
export class MountedVolume implements Volume {
  readonly #options: MountOptions
  readonly #again: () => Promise<Assembled>
  #engine: Engine
  #snapshots: SnapshotSet
  #closed: Promise<void> | undefined
  #changing = false

  constructor(mounted: Assembled, options: MountOptions, again: () => Promise<Assembled>) {
    this.#engine = mounted.engine
    this.#snapshots = mounted.snapshots
    this.#options = options
    this.#again = again
  }

  get name(): string {
    return this.#engine.name
  }

  get geometry(): VolumeGeometry {
    return this.#engine.core.geometry.describe()
  }

  get readOnly(): boolean {
    return this.#engine.readOnly
  }

  get failure(): ErrorCode | undefined {
    return this.#engine.failure
  }

  get atomicWrite(): number {
    return this.#engine.atomicWrite
  }

  open(path: string, options: OpenVolumeFileOptions = {}): VolumeFile {
    return this.#live().open(path, options)
  }

  stat(path: string): FileStatus {
    const engine = this.#live()
    return engine.status(engine.namespace.lookup(path))
  }

  readdir(path: string): readonly string[] {
    return this.#live().namespace.readdir(path)
  }

  mkdir(path: string): void {
    this.#live().namespace.mkdir(path)
  }

  rmdir(path: string): void {
    this.#live().namespace.rmdir(path)
  }

  rename(from: string, to: string): void {
    this.#live().namespace.rename(from, to)
  }

  unlink(path: string): void {
    this.#live().namespace.unlink(path)
  }

  status(): VolumeStatus {
    return this.#engine.volumeStatus()
  }

  sync(done: (status: number) => void): void {
    this.#live().sync(done)
  }

  snapshots(): readonly SnapshotInfo[] {
    return this.#snapshots.list(this.#engine.core.space.usedWords())
  }

  async createSnapshot(name: string): Promise<void> {
    await this.#change(async () => {
      const engine = this.#writable()
      const slot = this.#snapshots.freeSlot(name)
      await settled(engine)
      await engine.committer.exclusive(() => createSnapshot(engine, this.#snapshots, name, slot))
    })
  }

  async deleteSnapshot(name: string): Promise<void> {
    await this.#change(async () => {
      const engine = this.#writable()
      const snapshot = this.#snapshots.get(name)
      if (this.#snapshots.isMounted(name)) throw busy(`snapshot ${name}`, 'it is mounted', 'Close it first')
      await engine.committer.exclusive(() => deleteSnapshot(engine, this.#snapshots, snapshot))
    })
  }

  async rollback(name: string): Promise<void> {
    await this.#change(async () => {
      const engine = this.#writable()
      const snapshot = this.#snapshots.get(name)
      if (engine.openFiles > 0) throw busy(this.name, `${engine.openFiles} files are open`, 'Close them first')
      await settled(engine)
      engine.stop()
      try {
        await engine.committer.exclusive(() => rollBack(engine, snapshot))
      } finally {
        await engine.release()
      }
      const { engine: next, snapshots } = await this.#again()
      this.#engine = next
      this.#snapshots = snapshots
    })
  }

  mountSnapshot(name: string): Promise<Volume> {
    const snapshot = this.#snapshots.get(name)
    const release = this.#snapshots.mounted(name)
    return mountSnapshot(this.#engine, snapshot, this.#options, release)
  }

  scrub(): Promise<ScrubReport> {
    return scrub(this.#live(), this.#snapshots)
  }

  statistics(): Readonly<Record<string, Readonly<Record<string, number>>>> {
    const { committer, journal, cache, writeBack, medium, bytesCopied } = this.#engine
    const { commits, checkpoints, flushes, blocksHome } = committer
    const { clustersWritten } = writeBack
    const { hits, misses } = cache
    return {
      volume: { commits, checkpoints, flushes, blocksHome, clustersWritten, bytesCopied },
      cache: { clusters: cache.buffers.count, dirty: cache.dirty.size, hits, misses },
      journal: { records: journal.records, bytesWritten: journal.bytesWritten },
      medium: medium.counters.snapshot(),
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#engine.close()
    return this.#closed
  }

  #live(): Engine {
    if (this.#closed !== undefined) throw new ParakernelError('EBADF', 'the volume is closed', { subject: this.name })
    return this.#engine
  }

  #writable(): Engine {
    const engine = this.#live()
    if (engine.readOnly) throw new ParakernelError('EROFS', 'the volume is read-only', { subject: this.name })
    return engine
  }

  async #change(task: () => Promise<void>): Promise<void> {
    if (this.#changing) throw busy(this.name, 'its snapshots are being changed', 'Wait until that is done')
    this.#changing = true
    try {
      await task()
    } finally {
      this.#changing = false
    }
  }
}

/** Everything that was handed to files so far has taken effect. */
function settled(engine: Engine): Promise<void> {
  return new Promise((resolve, reject) => {
    engine.sync((status) => {
      if (status === 0) resolve()
      else reject(new ParakernelError(engine.failure ?? 'EIO', 'the volume has failed', { subject: engine.name }))
    })
  })
}

function busy(subject: string, message: string, remedy: string): ParakernelError {
  return new ParakernelError('EBUSY', message, { subject, remedy })
}
