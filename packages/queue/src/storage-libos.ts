import type { BlockQueue, FramePool, OptionSpecs, PersistentRegion } from '@parakernel/hal'
import type { Loop } from '@parakernel/kernel'
import type { QueueRuntime } from './queue-runtime.ts'
import type { ScatterGatherArray } from './scatter-gather.ts'
import type { QueueDescriptor, QueueToken } from './types.ts'

/**
 * When a push completes: `buffered` when the libOS has it, so that it survives nothing; `flushed` when it is on stable media, by
 * a flush that others may share (group commit); `fua` when it is, by a write that reaches the media by itself, or by a flush
 * where there is no such write. What stable media survive is said by `StorageLibOS.durability`.
 */
export type Durability = 'buffered' | 'flushed' | 'fua'

export interface OpenOptions {
  /** Also for `push`, `truncate` and `punchHole`; false, the default, for reading alone. */
  readonly write?: boolean
  /** Makes the file when it is not there. */
  readonly create?: boolean
  /** Only with `create`: fails with EEXIST when anything is there. */
  readonly exclusive?: boolean
  /** Only with `write`: cuts it to nothing, in the call. */
  readonly truncate?: boolean
  /** Only with `write`: every `push` goes to the end, wherever the cursor stands, and leaves the cursor behind it; `pushAt` does not. */
  readonly append?: boolean
  /** Of its pushes, truncations and holes; the libOS's default when absent. */
  readonly durability?: Durability
}

export interface FileStatus {
  readonly kind: 'file' | 'directory'
  /** Bytes, those of pushes that were taken and have not completed included; of a directory: entries. */
  readonly size: number
  /** Bytes of media that it holds, metadata apart: less than `size` where it has holes. */
  readonly allocated: number
  /** Number of the file in its volume, the same for as long as it exists. */
  readonly inode: number
  /** Names that it has: 1, or 0 when it was unlinked and is still open. Of a directory always 1. */
  readonly links: number
  /** Of the contents, in nanoseconds since 1970: a double, and so exact to 256 ns. */
  readonly modified: number
  /** Of contents, size or name. */
  readonly changed: number
}

export interface VolumeStatus {
  /** Bytes by which media are given to files. */
  readonly blockSize: number
  readonly totalBytes: number
  readonly freeBytes: number
  /** Files and directories, the root included, as far as that is known. */
  readonly files: number
  readonly readOnly: boolean
}

/**
 * Counters of the group `file` that `statistics()` has in every storage libOS: of operations that took effect, also when nobody
 * waited for them any more.
 */
export const FILE_COUNTERS = [
  'opens',
  'closes',
  'pushes',
  'pops',
  'syncs',
  /** Truncations and punched holes. */
  'reshapes',
  'bytesPushed',
  'bytesPopped',
  /** Operations of all kinds that ended as `failed`, other than by a cancel or a close. */
  'failed',
  /** Bytes that were copied between frames and elsewhere. */
  'bytesCopied',
] as const
export type FileCounter = (typeof FILE_COUNTERS)[number]

/**
 * What every storage libOS offers: Demikernel's calls for files, on the same descriptors and tokens as the network.
 *
 * Control calls (all that return no token) work on metadata in memory, return or throw a `ParakernelError`, and have happened
 * when they return. Each is atomic, also over a power cut, and durable after the next `sync` or durable push of any file, or
 * `syncVolume`; they become durable in the order of the calls, and earlier if the libOS likes. One that changes something throws
 * ENOBUFS, and changes nothing, where so many wait to become durable that no more fit: await a `syncVolume`, and call it again.
 *
 * Data calls return a token and never throw for what the media does: an error ends as `failed`. They throw EBADF for a
 * descriptor that is no open file of this libOS, EINVAL for a number that makes no sense, ENOBUFS when no token is left. They take effect
 * on a file in the order of the calls, whichever descriptor they come by: a pop sees every push before it, and a push that comes
 * while the pop is pending wholly or not at all. Size and cursor move in the call, so that many operations can be
 * under way: a pop takes what the file has at that moment. A push that fails after the call has moved them leaves
 * the bytes of its range undefined (what was there, zeroes, or its own), and the size as it finds it.
 *
 * Cancelling or closing ends the waiting and not the operation: what was taken is still written, and the bytes of a pop are
 * dropped; the cursor has moved.
 *
 * Paths are absolute, `/` or components behind one `/` each, of 1 to 255 bytes of UTF-8 without `/` and NUL, neither `.` nor
 * `..`, and of at most 4,095 bytes altogether: `parsePath` is the rule. Names are told apart by their bytes.
 */
export interface StorageLibOS {
  readonly name: string
  readonly runtime: QueueRuntime
  readonly loop: Loop
  /** Frames for `sgaAlloc`. */
  readonly pool: FramePool
  /** The strongest way to push that this libOS has on what it stands on, and what survives after it, in words. */
  readonly durability: { readonly strongest: Durability; readonly promise: string }

  /**
   * A new descriptor with its own cursor, at 0. Directories cannot be opened.
   * @throws ENOENT, EEXIST, EISDIR, ENOTDIR, EACCES, ENAMETOOLONG, EROFS, EMFILE, ENOSPC for a new file, EINVAL for a malformed
   * path and for options that need another
   */
  open(path: string, options?: OpenOptions): QueueDescriptor
  /** As `open` with `create`, `truncate` and `write`. */
  creat(path: string): QueueDescriptor
  /** Every pending token of it fails with ECANCELED; what was taken is still written. @throws EBADF */
  close(qd: QueueDescriptor): void
  /**
   * As `close`, but every pending token completes as it would, and then this one as `close`, when all that was pushed by it is as
   * durable as was asked for; it fails with what a buffered push met on the media. The descriptor is gone either way, and takes
   * no calls in the meantime.
   */
  asyncClose(qd: QueueDescriptor): QueueToken

  /**
   * Writes at the cursor (or the end) and moves it; atomic with the other operations on the file (`durability.promise` says whether
   * over a power cut too). An array of no bytes changes nothing. ENOSPC, EFBIG, EIO, EBADF without `write`,
   * EINVAL for an array that was freed or is of another pool, end as `failed`. The libOS may read the frames until they
   * are written, with a reference of its own, also after the completion of a buffered push: who wants to write a frame looks
   * whether its count is one.
   */
  push(qd: QueueDescriptor, sga: ScatterGatherArray): QueueToken
  /** Writes at `position`; the cursor stays. */
  pushAt(qd: QueueDescriptor, sga: ScatterGatherArray, position: number): QueueToken
  /**
   * Up to `limit` bytes (a frame's worth when absent) from the cursor, which moves; an empty array at the end. Fewer than are there
   * only when `limit` says so, or a truncation comes in between. Waits for frames when the pool has too few, which go
   * to pops in the order of the calls; fails with ENOBUFS when the pool could never have so many.
   */
  pop(qd: QueueDescriptor, limit?: number): QueueToken
  popAt(qd: QueueDescriptor, position: number, limit?: number): QueueToken
  /**
   * Completes as `push` with 0 bytes when all that was pushed to the file so far, by whomever, is on stable media, with what it takes to
   * find it again (size, place, name); with `all`, the default, its times too. EIO when it is not, also for a push that had
   * completed as `buffered`: what failed is then never reported as safe by a later call.
   */
  sync(qd: QueueDescriptor, what?: 'data' | 'all'): QueueToken
  /** As `sync` of every file, and of every control call; its completion names a descriptor of the libOS's own. */
  syncVolume(): QueueToken
  /** Sets the cursor; past the end is allowed. Returns it. @throws EINVAL below 0 and above 2^53 - 1, EBADF */
  seek(qd: QueueDescriptor, offset: number, from?: 'start' | 'cursor' | 'end'): number
  /** Makes the file `length` bytes long: cut, or with a hole behind it. Completes as `push` with 0 bytes; fails as `push` does. */
  truncate(qd: QueueDescriptor, length: number): QueueToken
  /**
   * Gives back the media under a range, which reads as zeroes from then on; the size stays, and nothing happens past the end.
   * Completes and fails as `truncate`.
   */
  punchHole(qd: QueueDescriptor, position: number, length: number): QueueToken
  /** Room for `length` bytes. @throws ENOBUFS */
  sgaAlloc(length: number): ScatterGatherArray

  /** @throws EBADF */
  status(qd: QueueDescriptor): FileStatus
  /** @throws ENOENT, ENOTDIR */
  stat(path: string): FileStatus
  /** Names in the order of their bytes. @throws ENOENT, ENOTDIR */
  readdir(path: string): readonly string[]
  /** @throws EEXIST, ENOENT, ENOTDIR, ENOSPC, EROFS */
  mkdir(path: string): void
  /** @throws ENOTEMPTY, ENOENT, ENOTDIR, EROFS, EBUSY for the root */
  rmdir(path: string): void
  /**
   * Atomic. A file at `to` is replaced by a file, an empty directory by a directory; to itself it does nothing. Descriptors follow.
   * Where several errors apply, that of `from` is told.
   * @throws ENOENT, ENOTEMPTY, EROFS, ENOSPC, EISDIR for a file onto a directory, ENOTDIR for a directory onto a file, EINVAL for a directory into
   * itself, EBUSY for the root
   */
  rename(from: string, to: string): void
  /** Its media is given back when the last descriptor is closed. @throws ENOENT, ENOTDIR, EISDIR, EROFS */
  unlink(path: string): void
  volume(): VolumeStatus

  /**
   * Counters by group. `file` has those of `FILE_COUNTERS`; other groups say what was read, written and flushed below, from which
   * follows the write amplification.
   */
  statistics(): Readonly<Record<string, Readonly<Record<string, number>>>>
  /** Syncs everything, closes every file as `close` does, and leaves the loop. Idempotent. Rejects with what the media did. */
  shutdown(): Promise<void>
}

export interface StorageContext {
  readonly loop: Loop
  readonly runtime: QueueRuntime
  readonly pool: FramePool
  /** What the libOS stands on, by config: one of both, or neither for a libOS that needs no device. */
  readonly block: BlockQueue | undefined
  readonly persistent: PersistentRegion | undefined
  /** The partition that it serves, from 0, of how many: each has files of its own. */
  readonly partition: number
  readonly partitions: number
}

/** What a storage libOS's package exports under the name `storageLibos`. */
export interface StorageLibOSFactory<Options = unknown> {
  readonly kind: 'storage-libos'
  readonly name: string
  readonly options: OptionSpecs
  readonly needsBackend: boolean
  /** Mounts, after recovery if need be. @throws EUCLEAN with a remedy for what recovery cannot mend, EINVAL for another format */
  create(options: Options, context: StorageContext): Promise<StorageLibOS>
}

/** Names of storage libOSes with the types of their options; packages add to it by declaration merging. */
// biome-ignore lint/suspicious/noEmptyInterface: open for declaration merging
export interface StorageLibOSOptions {}
