import type { Counters, ParakernelError } from '@parakernel/hal'
import type { Durability, ScatterGatherArray } from '@parakernel/queue'
import type { Medium } from '../medium/medium.ts'

/**
 * Called once for each append that asked for it, in the order of the sequence among records of one level, never within `append`.
 * `status`: 0, or a negative errno; then it is not known whether the record survives.
 */
export type AppendDone = (status: number, sequence: number, cookie: number) => void

/**
 * A record in place: `length` bytes of `bytes` from `at`, valid during the call alone. Returning `false` ends the scan. `position` finds
 * the record again with `readAt`.
 */
export type RecordVisitor = (
  sequence: number,
  bytes: Uint8Array,
  at: number,
  length: number,
  position: number,
) => unknown

export interface LogRecord {
  readonly sequence: number
  /** Of `readAt`. */
  readonly position: number
  /** The reader's own. */
  readonly bytes: Uint8Array
}

/** Records `first` to `last` that were acknowledged and cannot be read. */
export interface LostRecords {
  readonly first: number
  readonly last: number
  /** Bytes of the medium from which on the records were, and how many. */
  readonly position: number
  readonly byteLength: number
  readonly reason: 'checksum' | 'media'
}

export interface LogScrubReport {
  readonly records: number
  readonly bytes: number
  readonly lost: readonly LostRecords[]
}

/** What recovery found when the log was opened. */
export interface RecoveryReport {
  /** The log had been closed, not cut off by a crash. */
  readonly clean: boolean
  readonly records: number
  /** Bytes behind the last record that looked like the beginning of others: appends in flight, none of them acknowledged. */
  readonly tornBytes: number
  /** Only with `damaged: 'skip'`. */
  readonly lost: readonly LostRecords[]
}

export interface LogOptions {
  /** Of appends that name none. Default `flushed`. */
  readonly durability?: Durability
  /** Bytes that one group commit writes at most, and that wait for the next; default 1 MiB, or what half of the pool's free frames hold. */
  readonly groupLimit?: number
  /** Appends that may wait for their completion; more get EAGAIN. Default 8192, rounded up to a power of two. */
  readonly maxPending?: number
  /**
   * Nanoseconds for which a commit may wait for writers that are expected back, at most; never longer than an eighth of what the
   * last commit took. Default 100,000; 0: never.
   */
  readonly gather?: number
  /**
   * Tells the medium which segments are no longer needed. In a file that takes away the room that `initialize` gave it, so that each
   * round is as slow as the first. Default true.
   */
  readonly trim?: boolean
  /** What to do about records that were acknowledged and are damaged: `refuse` to open (EUCLEAN), or `skip` them and report. Default `refuse`. */
  readonly damaged?: 'refuse' | 'skip'
  /** Bytes behind the last good record in which a later one is looked for, to tell damage from the end. Default 64 MiB. */
  readonly searchLimit?: number
}

export const LOG_COUNTERS = [
  'appended',
  'appendedBytes',
  'groups',
  'flushes',
  'writtenBytes',
  'copiedBytes',
  'framesInPlace',
  'framesCopied',
  'gathered',
  'full',
  'busy',
  'failed',
  'read',
  'truncated',
  'recycledBytes',
] as const
export type LogCounter = (typeof LOG_COUNTERS)[number]

/** Appends accepted, and their bytes of payload. */
export const LOG_APPENDED = 0
export const LOG_APPENDED_BYTES = 1
/** Group commits, and those of them that flushed. */
export const LOG_GROUPS = 2
export const LOG_FLUSHES = 3
/** Bytes written to the medium; over `appendedBytes` the write amplification. */
export const LOG_WRITTEN_BYTES = 4
/** Bytes of payload and of unfinished blocks that were copied. */
export const LOG_COPIED_BYTES = 5
/** Frames that became blocks of the log as they were, and those that had to be copied. */
export const LOG_FRAMES_IN_PLACE = 6
export const LOG_FRAMES_COPIED = 7
/** Commits that waited for more writers. */
export const LOG_GATHERED = 8
/** Appends refused with ENOSPC; with EAGAIN. */
export const LOG_FULL = 9
export const LOG_BUSY = 10
/** Records whose commit failed. */
export const LOG_FAILED = 11
export const LOG_READ = 12
export const LOG_TRUNCATED = 13
/** Bytes given back to the medium by trim. */
export const LOG_RECYCLED_BYTES = 14

/**
 * An append-only sequence of records in a ring on a medium, with one interface above blocks and above persistent memory. Lives in
 * one thread; any number of writers there share it. Sequence numbers begin at 1, have no gaps, and are never used again.
 *
 * After a crash the log is a prefix of what was appended: at least all that was acknowledged, at most what was in flight besides; in
 * order, whole records, nothing else.
 */
export interface Log {
  readonly medium: Medium
  readonly recovery: RecoveryReport
  /** Moves on with every opening; part of every record's checksum. */
  readonly epoch: number
  readonly recordLimit: number
  /** Sequence of the oldest record, and of the next append; equal when the log is empty. */
  readonly first: number
  readonly next: number
  /** Records below it are durable. */
  readonly durable: number
  /** Of the record that was appended last, for `readAt`. */
  readonly lastPosition: number
  /** Of the oldest record: nothing before it is there any more. */
  readonly firstPosition: number
  /** Bytes at positions below it are on the medium, flushed or not. */
  readonly writtenPosition: number
  readonly usedBytes: number
  readonly capacityBytes: number
  /** Why the log refuses appends since a write or a flush failed; undefined as long as none has. */
  readonly failure: ParakernelError | undefined
  readonly counters: Counters<LogCounter>

  /**
   * Appends a record and returns its sequence, or a negative errno, and then nothing was appended: ENOSPC (full), EMSGSIZE (too long),
   * EAGAIN (too much waits: try again after a completion), EBADF (closed), and the failure's since one. Copies the bytes, allocates
   * nothing, never waits. `done` is called when the record is as durable as `level` says: `buffered` at once, `flushed` by a flush
   * that others share, `fua` by a write that reaches the media by itself.
   */
  append(bytes: Uint8Array, level?: Durability, done?: AppendDone, cookie?: number): number
  /** As `append`, from an address of the pool's region. */
  appendRegion(address: number, length: number, level?: Durability, done?: AppendDone, cookie?: number): number
  /** As `append`, of all segments in a row; the array may be freed at once. */
  appendSga(sga: ScatterGatherArray, level?: Durability, done?: AppendDone, cookie?: number): number
  /**
   * Appends `length` bytes at `offset` of a frame without copying them: the frame becomes blocks of the log, with the record's header
   * before the bytes. Takes a reference of its own until they are written; all other bytes of the frame may be overwritten, so the
   * caller must be the only holder. What does not fit that (a shared frame, no room before the bytes, a frame of another alignment)
   * is copied, and counted.
   */
  appendFrame(
    frame: number,
    offset: number,
    length: number,
    level?: Durability,
    done?: AppendDone,
    cookie?: number,
  ): number
  /** Commits what was appended now, rather than at the end of the loop's round. On persistent memory it is durable when this returns. */
  commit(): void

  /** Appends, waiting for room in the queue if need be; resolves with the sequence when durable. @throws ENOSPC, EMSGSIZE, EIO, ... */
  write(bytes: Uint8Array, level?: Durability): Promise<number>
  /** Resolves when all that was appended is durable. */
  sync(): Promise<void>
  /** Resolves when all that was appended has been written, flushed or not. */
  settle(): Promise<void>
  /** @throws ENOENT for a sequence that is truncated or not there yet, EIO or EUCLEAN for one that is lost */
  read(sequence: number): Promise<Uint8Array>
  /** By `lastPosition` or a scan's position: one request for a short record. Same errors. */
  readAt(position: number): Promise<LogRecord>
  /** Calls `visit` for the records from `from` (default the oldest) up to `to`, exclusive (default what is appended now). Resolves with the number. */
  visit(visit: RecordVisitor, from?: number, to?: number): Promise<number>
  /** As `visit`, each record a copy. */
  scan(from?: number, to?: number): AsyncIterable<LogRecord>
  /** Drops the records below `before`: they are gone, durably, when it resolves, and their room is free. */
  truncate(before: number): Promise<void>
  /** Reads every record and says what is lost. */
  scrub(): Promise<LogScrubReport>
  /** Commits, notes the clean end, and gives the frames back. The medium stays open. Idempotent. */
  close(): Promise<void>
}
