import { Counters, type FramePool, ParakernelError } from '@parakernel/hal'
import type { Durability, ScatterGatherArray } from '@parakernel/queue'
import { deallocate } from '../medium/awaitable.ts'
import { EAGAIN, EBADF, EMSGSIZE, statusError } from '../medium/errno.ts'
import type { Medium } from '../medium/medium.ts'
import type { LogGeometry } from './geometry.ts'
import {
  type AppendDone,
  LOG_APPENDED,
  LOG_APPENDED_BYTES,
  LOG_BUSY,
  LOG_COUNTERS,
  LOG_FAILED,
  LOG_RECYCLED_BYTES,
  LOG_TRUNCATED,
  type Log,
  type LogCounter,
  type LogRecord,
  type LogScrubReport,
  type RecordVisitor,
  type RecoveryReport,
} from './log.ts'
import { LogReader, type LogSource } from './log-reader.ts'
import { LEVEL_BUFFERED, LEVEL_FLUSHED, LEVEL_FUA, PendingAppends } from './pending.ts'
import type { SparseIndex } from './sparse-index.ts'
import { type Superblock, storeSuperblock } from './superblock.ts'

/** What a log is made of when it is opened. */
export interface LogParts {
  readonly medium: Medium
  readonly uuid: Uint8Array
  readonly geometry: LogGeometry
  /** As written when this epoch began. */
  readonly superblock: Superblock
  readonly index: SparseIndex
  readonly tailSequence: number
  readonly tailPosition: number
  readonly recovery: RecoveryReport
  readonly durability: Durability
  readonly maxPending: number
  readonly groupLimit: number
  readonly gather: number
  readonly searchLimit: number
  readonly trim: boolean
}

interface Waiter {
  /** Sequence that has to be passed. */
  readonly target: number
  readonly durable: boolean
  readonly resolve: () => void
  readonly reject: (error: ParakernelError) => void
}

/**
 * What logs on blocks and on persistent memory have in common: sequences, completions, reading, truncation. A record is staged
 * (appended), then written, then durable; `written` and `durable` are the sequences up to which that is so.
 */
export abstract class RingLog implements Log {
  readonly medium: Medium
  readonly recovery: RecoveryReport
  readonly epoch: number
  abstract readonly recordLimit: number
  readonly counters = new Counters<LogCounter>(LOG_COUNTERS)
  readonly capacityBytes: number
  lastPosition = 0
  durable: number
  failure: ParakernelError | undefined = undefined

  protected readonly parts: LogParts
  protected readonly pool: FramePool
  protected readonly counts: Float64Array
  protected readonly pending: PendingAppends
  protected readonly index: SparseIndex
  protected readonly defaultLevel: number
  /** Where the next record goes, and from where on the ring is taken. */
  protected tail: number
  protected head: number
  /** As far back as appends may come round the ring: a segment is taken again when the medium has got it back, and not before. */
  protected floor: number
  protected headSequence: number
  protected written: number
  /** 0, or the errno that appends get. */
  protected refusal = 0
  readonly #reader: LogReader
  #superblock: Superblock
  #storing: Promise<void> = Promise.resolve()
  #truncating: Promise<void> = Promise.resolve()
  #waiters: Waiter[] = []
  #closing: Promise<void> | undefined

  constructor(parts: LogParts) {
    this.parts = parts
    this.medium = parts.medium
    this.pool = parts.medium.pool
    this.counts = this.counters.values
    this.recovery = parts.recovery
    this.epoch = parts.superblock.epoch
    this.capacityBytes = parts.geometry.length
    this.index = parts.index
    this.defaultLevel = levelOf(parts.durability)
    this.pending = new PendingAppends(parts.tailSequence, parts.maxPending)
    this.tail = parts.tailPosition
    this.head = parts.superblock.headPosition
    this.floor = this.#floorOf(this.head)
    this.headSequence = parts.superblock.headSequence
    this.written = parts.tailSequence
    this.durable = parts.tailSequence
    this.#superblock = parts.superblock
    this.#reader = new LogReader(this.#source())
  }

  get first(): number {
    return this.headSequence
  }

  get next(): number {
    return this.pending.next
  }

  get firstPosition(): number {
    return this.head
  }

  get writtenPosition(): number {
    return this.written === this.next ? this.tail : this.writtenTail()
  }

  get usedBytes(): number {
    return this.tail - this.head
  }

  abstract append(bytes: Uint8Array, level?: Durability, done?: AppendDone, cookie?: number): number
  abstract appendRegion(address: number, length: number, level?: Durability, done?: AppendDone, cookie?: number): number
  abstract appendSga(sga: ScatterGatherArray, level?: Durability, done?: AppendDone, cookie?: number): number
  abstract appendFrame(
    frame: number,
    offset: number,
    length: number,
    level?: Durability,
    done?: AppendDone,
    cookie?: number,
  ): number
  abstract commit(): void
  /** Makes all that was appended written, or durable, sooner or later. */
  protected abstract request(durable: boolean): void
  /** Gives back what it holds of the pool. */
  protected abstract dispose(): void

  async write(bytes: Uint8Array, level?: Durability): Promise<number> {
    for (;;) {
      const { promise, resolve } = withResolver()
      const sequence = this.append(bytes, level, resolve)
      if (sequence > 0) {
        const status = await promise
        if (status !== 0) throw this.failure ?? statusError(status, `record ${sequence} was not written`, this.#name)
        return sequence
      }
      if (sequence !== -EAGAIN) throw this.#refused(sequence, bytes.length)
      // Room comes when the oldest is complete, which may be written already and wait for its flush.
      const { first } = this.pending
      await this.#wait(first, first < this.written)
    }
  }

  sync(): Promise<void> {
    return this.#wait(this.next - 1, true)
  }

  settle(): Promise<void> {
    return this.#wait(this.next - 1, false)
  }

  read(sequence: number): Promise<Uint8Array> {
    return this.#reader.read(sequence)
  }

  readAt(position: number): Promise<LogRecord> {
    return this.#reader.readAt(position)
  }

  visit(visit: RecordVisitor, from?: number, to?: number): Promise<number> {
    return this.#reader.visit(visit, from, to)
  }

  scan(from?: number, to?: number): AsyncIterable<LogRecord> {
    return this.#reader.scan(from, to)
  }

  scrub(): Promise<LogScrubReport> {
    return this.#reader.scrub()
  }

  async truncate(before: number): Promise<void> {
    this.#mustBeOpen()
    const target = Math.min(before, this.next)
    if (target <= this.headSequence) return
    await this.#wait(target - 1, true)
    // The first that is left, should this one be lost.
    const end = { sequence: target, position: this.tail }
    const { sequence, position } = target < this.next ? await this.#reader.locate(target) : end
    const moved = this.#truncating.then(() => this.#moveHead(sequence, position))
    this.#truncating = moved.catch(() => {})
    await moved
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** Counts an append that was accepted. */
  protected appended(length: number, level: number, done: AppendDone | undefined, cookie: number): number {
    const sequence = this.pending.next
    this.counts[LOG_APPENDED]++
    this.counts[LOG_APPENDED_BYTES] += length
    this.pending.add(level, done, cookie)
    return sequence
  }

  protected busy(): number {
    this.counts[LOG_BUSY]++
    return -EAGAIN
  }

  /** Wakes those who wait for what is written or durable by now. */
  protected progressed(): void {
    if (this.#waiters.length === 0) return
    const { written, durable } = this
    const waiters = this.#waiters
    this.#waiters = waiters.filter((waiter) => waiter.target >= (waiter.durable ? durable : written))
    for (const waiter of waiters) if (waiter.target < (waiter.durable ? durable : written)) waiter.resolve()
    this.medium.loop.requestYield()
  }

  /**
   * A write or a flush failed. From then on it is not known what is on the media: a later flush that succeeds proves nothing about
   * what this one lost. So everything that waits fails, and all that comes, until the log is opened again.
   */
  protected fail(status: number, what: string): void {
    if (this.failure !== undefined) return
    this.failure = new ParakernelError(statusError(status, what, '').code, `${what}: the log takes no more records`, {
      subject: this.#name,
      remedy: 'Mend the device, then open the log again: recovery says what has survived',
    })
    this.refusal = status
    this.counts[LOG_FAILED] += this.next - this.pending.first
    this.pending.complete(this.next, status)
    const waiters = this.#waiters
    this.#waiters = []
    for (const waiter of waiters) waiter.reject(this.failure)
    this.medium.loop.requestYield()
  }

  protected abstract writtenTail(): number

  get #name(): string {
    return `log on ${this.medium.name}`
  }

  #source(): LogSource {
    const log = this
    const { medium, parts, index, counts } = this
    return {
      name: this.#name,
      medium,
      geometry: parts.geometry,
      index,
      epochRule: parts.superblock,
      counts,
      searchLimit: parts.searchLimit,
      lost: this.recovery.lost,
      get first() {
        return log.headSequence
      },
      get firstPosition() {
        return log.head
      },
      get next() {
        return log.next
      },
      get tailPosition() {
        return log.tail
      },
      get writtenPosition() {
        return log.writtenPosition
      },
      untilWritten: (sequence) => this.#wait(sequence, false),
      mustBeOpen: () => this.#mustBeOpen(),
    }
  }

  #wait(target: number, durable: boolean): Promise<void> {
    if (this.failure !== undefined) return Promise.reject(this.failure)
    if (target < (durable ? this.durable : this.written)) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.#waiters.push({ target, durable, resolve, reject })
      this.request(durable)
    })
  }

  async #moveHead(sequence: number, position: number): Promise<void> {
    await this.#store({ headSequence: sequence, headPosition: position })
    if (sequence <= this.headSequence) return
    this.counts[LOG_TRUNCATED] += sequence - this.headSequence
    this.headSequence = sequence
    this.head = position
    const floor = this.#floorOf(position)
    await this.#recycle(this.floor, floor)
    this.floor = floor
  }

  #floorOf(position: number): number {
    const { segment, contiguous } = this.parts.geometry
    return contiguous ? position : Math.floor(position / segment) * segment
  }

  /** Gives whole segments back to the medium. A hint: a medium that cannot take it only keeps them. */
  async #recycle(from: number, to: number): Promise<void> {
    const { segment, length, start, contiguous } = this.parts.geometry
    if (contiguous || !this.parts.trim) return
    for (let at = from; at < to; at += segment) {
      if ((await deallocate(this.medium, start + (at % length), segment)) === 0)
        this.counts[LOG_RECYCLED_BYTES] += segment
    }
  }

  /** One superblock after the other, each with what has changed. */
  #store(change: Partial<Superblock>): Promise<void> {
    const stored = this.#storing.then(async () => {
      if (change.headSequence !== undefined && change.headSequence <= this.#superblock.headSequence) return
      const block = { ...this.#superblock, ...change, generation: this.#superblock.generation + 1 }
      await storeSuperblock(this.medium, block, this.parts.uuid)
      this.#superblock = block
    })
    this.#storing = stored.catch(() => {})
    return stored
  }

  async #close(): Promise<void> {
    if (this.refusal === 0) this.refusal = -EBADF
    try {
      if (this.failure === undefined) {
        await this.#truncating
        await this.#wait(this.next - 1, true)
        await this.#store({ clean: true, tailSequence: this.next, tailPosition: this.tail })
      }
    } finally {
      this.dispose()
    }
  }

  #mustBeOpen(): void {
    if (this.#closing !== undefined) {
      throw new ParakernelError('EBADF', 'the log is closed', { subject: this.#name, remedy: 'Open it again' })
    }
  }

  #refused(status: number, length: number): ParakernelError {
    if (this.failure !== undefined) return this.failure
    if (status === -EMSGSIZE) {
      return new ParakernelError('EMSGSIZE', `a record of ${length} bytes is longer than ${this.recordLimit}`, {
        subject: this.#name,
        remedy: 'Cut it into several, or make the log with a higher `recordLimit`',
      })
    }
    return statusError(status, status === -EBADF ? 'the log is closed' : 'the record was not appended', this.#name)
  }
}

export function levelOf(durability: Durability): number {
  if (durability === 'flushed') return LEVEL_FLUSHED
  return durability === 'fua' ? LEVEL_FUA : LEVEL_BUFFERED
}

function withResolver(): { promise: Promise<number>; resolve: (status: number) => void } {
  let resolve: (status: number) => void = () => {}
  const promise = new Promise<number>((r) => {
    resolve = r
  })
  return { promise, resolve }
}
