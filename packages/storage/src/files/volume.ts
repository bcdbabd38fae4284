import type { ErrorCode } from '@parakernel/hal'
import type { FileStatus, VolumeStatus } from '@parakernel/queue'
import type { FileOperation } from './io/operation.ts'

/** Of `makeVolume`; what is absent is chosen by the size of the medium. */
export interface MakeVolumeOptions {
  /** Bytes by which media are given to files: a power of two from 1,024 to 65,536, a multiple of the medium's block. Default 4,096. */
  readonly clusterSize?: number
  /** Bytes of the metadata journal. Default: a 64th of the medium, between 64 clusters and 32 MiB. */
  readonly journalSize?: number
  /** Snapshots that the volume can have at a time, 0 to 31; each costs a bitmap's room. Default 8. */
  readonly snapshots?: number
  /** A CRC32C of every cluster of data, verified when it is read. Default true. */
  readonly checksums?: boolean
  /** Replaces what is there, whatever it is. Without it, a medium that holds an image of parakernel is refused with EEXIST. */
  readonly overwrite?: boolean
}

export interface MountOptions {
  /** Nothing is written, not even what recovery found: it is held in memory. */
  readonly readOnly?: boolean
  /** Bytes of the block cache, of which at most half hold what is not written yet. Default 4 MiB, less when the pool is small. */
  readonly cacheSize?: number
  /** Nanoseconds after which what was written goes to the media by itself; default 5 s. Infinity: only when asked, or out of room. */
  readonly commitInterval?: number
  /** Nanoseconds since 1970, for the times of files. Default: the host's. */
  readonly wallClock?: () => number
}

export interface VolumeGeometry {
  readonly uuid: string
  readonly clusterSize: number
  /** Clusters of the whole volume, metadata included. */
  readonly clusters: number
  readonly journalSize: number
  readonly maxSnapshots: number
  readonly checksums: boolean
}

export interface SnapshotInfo {
  readonly name: string
  /** Nanoseconds since 1970. */
  readonly created: number
  /** Bytes that it holds and the live volume does not. */
  readonly exclusiveBytes: number
}

export interface OpenVolumeFileOptions {
  readonly write?: boolean
  readonly create?: boolean
  readonly exclusive?: boolean
  readonly truncate?: boolean
}

/**
 * A mounted volume. Control calls act on metadata in memory, synchronously, and throw `ParakernelError`; everything that happened
 * before a `sync` began is durable when it is done, as one atomic step: after a crash the whole volume is as it was
 * at the last commit, which is at or after the last completed sync. Lives in one thread.
 */
export interface Volume {
  /** As errors name it. */
  readonly name: string
  readonly geometry: VolumeGeometry
  /** Mounted so, or since a write of metadata failed. */
  readonly readOnly: boolean
  /** Why it became read-only: EIO, ENODEV, ...; undefined while it is well. */
  readonly failure: ErrorCode | undefined
  /** Bytes that one write may have and still be there wholly or not at all after a power cut. */
  readonly atomicWrite: number

  /** @throws as `StorageLibOS.open` (the libOS checks what needs `write`) */
  open(path: string, options?: OpenVolumeFileOptions): VolumeFile
  stat(path: string): FileStatus
  /** In the order of their bytes. */
  readdir(path: string): readonly string[]
  mkdir(path: string): void
  rmdir(path: string): void
  rename(from: string, to: string): void
  unlink(path: string): void
  status(): VolumeStatus

  /** Everything that was done so far becomes durable; `done(0)` or `done(-errno)`, never within the call. */
  sync(done: (status: number) => void): void

  /** As the last sync left it: read-only volumes that share the media. */
  snapshots(): readonly SnapshotInfo[]
  /** Syncs, and keeps what there is then. @throws EEXIST, ENOSPC (all slots in use), EROFS, EINVAL or ENAMETOOLONG for the name (1 to 63 bytes) */
  createSnapshot(name: string): Promise<void>
  /** @throws ENOENT, EBUSY while it is mounted */
  deleteSnapshot(name: string): Promise<void>
  /** Makes the volume what it was then. Other snapshots stay. @throws ENOENT, EBUSY while files are open */
  rollback(name: string): Promise<void>
  mountSnapshot(name: string): Promise<Volume>

  /** Reads everything that is in use and verifies its checksums. */
  scrub(): Promise<ScrubReport>

  /** Groups `volume`, `cache`, `journal`, `medium`. */
  statistics(): Readonly<Record<string, Readonly<Record<string, number>>>>
  /** Syncs, writes metadata home, closes what is open; the medium stays its owner's. Idempotent. Rejects with what the media did. */
  close(): Promise<void>
}

/**
 * A file that is open. Operations take effect in the order of the calls, over all handles of the file: readers side by side,
 * writers one by one. `done` of an operation may be called before the call returns, and is called exactly once.
 */
export interface VolumeFile {
  readonly inode: number
  readonly writable: boolean
  /** Bytes, those of writes that are under way included. */
  readonly size: number
  readonly closed: boolean
  status(): FileStatus
  /** Fills the operation's segments from `position`; `transferred` is short at the end of the file. Holes read as zeroes. */
  read(operation: FileOperation): void
  /**
   * Takes the bytes of the segments: they may be reused when it is done. Durable after the next sync; as one write, wholly or not at all, if it is no longer
   * than `atomicWrite`. ENOSPC, EFBIG, EIO, EROFS, EBADF.
   */
  write(operation: FileOperation): void
  /** Makes the file `operation.position` bytes long. */
  truncate(operation: FileOperation): void
  /** Gives back the range `position`, `length`. */
  punchHole(operation: FileOperation): void
  /** Done when everything that this file was given before is durable, with its size, its place and its name. Others may share the commit. */
  sync(operation: FileOperation): void
  /** What is under way ends as it would. */
  close(): void
}

export interface Problem {
  /** What is wrong, with the name of the object: `/a/b: extent 3 overlaps another`. */
  readonly message: string
  /** Damage refuses a mount; a leak only wastes room. */
  readonly kind: 'damage' | 'leak'
  /** What a repair does or did about it. */
  readonly repair: string
}

export interface CheckReport {
  readonly clean: boolean
  readonly problems: readonly Problem[]
  /** With `repair`: whether the problems were mended. */
  readonly repaired: boolean
  readonly files: number
  readonly directories: number
  readonly usedBytes: number
  readonly snapshots: number
  /** Transactions of the journal that had to be done again. */
  readonly replayed: number
}

export interface LostRange {
  /** With the snapshot's name in front where it is one: `daily:/a`. */
  readonly path: string
  readonly position: number
  readonly length: number
  /** EIO: the device cannot read it. EUCLEAN: what it reads is not what was written. */
  readonly reason: ErrorCode
}

export interface ScrubReport {
  readonly bytesRead: number
  readonly lost: readonly LostRange[]
  /** Metadata whose copy on the media is bad; memory has it, and the next checkpoint writes it anew. */
  readonly metadata: readonly string[]
}
