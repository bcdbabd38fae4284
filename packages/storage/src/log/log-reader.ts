import { ParakernelError } from '@parakernel/hal'
import type { Medium } from '../medium/medium.ts'
import { Chain, type EpochRule } from './chain.ts'
import type { LogGeometry } from './geometry.ts'
import { LOG_READ, type LogRecord, type LogScrubReport, type LostRecords, type RecordVisitor } from './log.ts'
import type { SparseIndex } from './sparse-index.ts'
import { openWindow, type RecordWindow } from './window.ts'

/** Bytes read ahead by a scan, and by the search for a record of known sequence. */
const AHEAD = 262_144
const AHEAD_OF_ONE = 4096

/** What reading needs to know of a log; it changes while the log is open. */
export interface LogSource {
  readonly name: string
  readonly medium: Medium
  readonly geometry: LogGeometry
  readonly index: SparseIndex
  readonly epochRule: EpochRule
  readonly counts: Float64Array
  readonly searchLimit: number
  /** Known when the log was opened. */
  readonly lost: readonly LostRecords[]
  readonly first: number
  readonly firstPosition: number
  readonly next: number
  readonly tailPosition: number
  readonly writtenPosition: number
  untilWritten(sequence: number): Promise<void>
  /** @throws EBADF */
  mustBeOpen(): void
}

/** Reads the records of a log that is open: by sequence, by position, in a row, and all of them to see what is lost. */
export class LogReader {
  readonly #source: LogSource

  constructor(source: LogSource) {
    this.#source = source
  }

  async read(sequence: number): Promise<Uint8Array> {
    await this.#present(sequence)
    const window = openWindow(this.#source.medium, this.#source.geometry)
    try {
      const start = this.#source.index.locate(sequence, this.#source.firstPosition, this.#source.first)
      const chain = this.#chain(window, start, this.#source.index.found, AHEAD_OF_ONE)
      const media = await this.#walk(chain, sequence)
      if (chain.sequence !== sequence) throw this.#lost(sequence, chain, media)
      this.#source.counts[LOG_READ]++
      return window.bytes.slice(chain.payload, chain.payload + chain.length)
    } finally {
      window.release()
    }
  }

  async readAt(position: number): Promise<LogRecord> {
    if (position > this.#source.tailPosition || position < this.#source.firstPosition)
      throw this.#absent(`position ${position}`)
    if (position >= this.#source.writtenPosition) await this.#source.untilWritten(this.#source.next - 1)
    const window = openWindow(this.#source.medium, this.#source.geometry)
    try {
      const chain = this.#chain(window, position, 0, 0)
      if (!(await chain.nextAt())) throw this.#lost(undefined, chain)
      this.#source.counts[LOG_READ]++
      const bytes = window.bytes.slice(chain.payload, chain.payload + chain.length)
      return { sequence: chain.sequence, position, bytes }
    } finally {
      window.release()
    }
  }

  async visit(visit: RecordVisitor, from = this.#source.first, to = this.#source.next): Promise<number> {
    const end = Math.min(to, this.#source.next)
    let count = 0
    if (from >= end) return 0
    const window = openWindow(this.#source.medium, this.#source.geometry)
    try {
      const chain = await this.#seek(window, from, end)
      while (chain.expected < end) {
        if (!(chain.nextNow() ?? (await chain.next()))) {
          await this.#skip(chain)
          if (chain.expected > end) break
        }
        if (chain.sequence < from) continue
        count++
        if (visit(chain.sequence, window.bytes, chain.payload, chain.length, chain.start) === false) break
      }
    } finally {
      window.release()
      this.#source.counts[LOG_READ] += count
    }
    return count
  }

  async *scan(from = this.#source.first, to = this.#source.next): AsyncIterable<LogRecord> {
    const end = Math.min(to, this.#source.next)
    if (from >= end) return
    const window = openWindow(this.#source.medium, this.#source.geometry)
    try {
      const chain = await this.#seek(window, from, end)
      while (chain.expected < end) {
        if (!(chain.nextNow() ?? (await chain.next()))) {
          await this.#skip(chain)
          if (chain.expected > end) break
        }
        if (chain.sequence < from) continue
        this.#source.counts[LOG_READ]++
        const bytes = window.bytes.slice(chain.payload, chain.payload + chain.length)
        yield { sequence: chain.sequence, position: chain.start, bytes }
      }
    } finally {
      window.release()
    }
  }

  /** The first record from `sequence` on that can be read, past damage: its own sequence and position. */
  async locate(sequence: number): Promise<{ readonly sequence: number; readonly position: number }> {
    const window = openWindow(this.#source.medium, this.#source.geometry)
    try {
      const start = this.#source.index.locate(sequence, this.#source.firstPosition, this.#source.first)
      const chain = this.#chain(window, start, this.#source.index.found, AHEAD_OF_ONE)
      await this.#walk(chain, sequence)
      return { sequence: chain.sequence, position: chain.start }
    } finally {
      window.release()
    }
  }

  async scrub(): Promise<LogScrubReport> {
    this.#source.mustBeOpen()
    await this.#source.untilWritten(this.#source.next - 1)
    const end = this.#source.next
    const limit = this.#source.tailPosition
    const lost: LostRecords[] = []
    let records = 0
    let bytes = 0
    const window = openWindow(this.#source.medium, this.#source.geometry)
    try {
      const chain = new Chain(
        window,
        this.#source.geometry,
        this.#source.epochRule,
        limit,
        this.#source.firstPosition,
        this.#source.first,
        AHEAD,
      )
      while (chain.expected < end) {
        if (chain.nextNow() ?? (await chain.next())) {
          records++
          bytes += chain.length
          continue
        }
        const { position, expected } = chain
        const reason = chain.unreadable() ? 'media' : 'checksum'
        const found = await chain.search(position, limit - position)
        const last = found ? chain.sequence - 1 : end - 1
        const byteLength = (found ? chain.start : limit) - position
        if (last >= expected) lost.push({ first: expected, last, position, byteLength, reason })
        if (!found) break
        records++
        bytes += chain.length
      }
    } finally {
      window.release()
    }
    return { records, bytes, lost }
  }

  #chain(window: RecordWindow, position: number, sequence: number, ahead: number): Chain {
    return new Chain(
      window,
      this.#source.geometry,
      this.#source.epochRule,
      this.#source.tailPosition,
      position,
      sequence,
      ahead,
    )
  }

  async #seek(window: RecordWindow, from: number, end: number): Promise<Chain> {
    if (from < this.#source.first) throw this.#absent(`record ${from}`)
    this.#source.mustBeOpen()
    await this.#source.untilWritten(end - 1)
    const start = this.#source.index.locate(from, this.#source.firstPosition, this.#source.first)
    return this.#chain(window, start, this.#source.index.found, AHEAD)
  }

  /**
   * Reads on to a record, past damage, or to the first one behind it if it is lost itself. Whether the last damage that was passed
   * was in media that cannot be read.
   */
  async #walk(chain: Chain, sequence: number): Promise<boolean> {
    let media = false
    while (chain.expected <= sequence) {
      if (chain.nextNow() ?? (await chain.next())) continue
      media = chain.unreadable()
      const { position, expected } = chain
      if (await chain.search(position, this.#source.searchLimit)) continue
      chain.expected = expected
      throw this.#lost(sequence, chain, media)
    }
    return media
  }

  /** Goes on behind records that were known to be lost when the log was opened. @throws for any other */
  async #skip(chain: Chain): Promise<void> {
    const known = this.#source.lost.find(
      ({ first, last, position }) =>
        (chain.expected >= first && chain.expected <= last) || (last < first && position === chain.position),
    )
    if (known === undefined) throw this.#lost(chain.expected, chain)
    chain.position = known.position + known.byteLength
    chain.expected = known.last + 1
    if (chain.expected >= this.#source.next || !(await chain.next())) {
      if (chain.expected < this.#source.next) throw this.#lost(chain.expected, chain)
    }
  }

  async #present(sequence: number): Promise<void> {
    this.#source.mustBeOpen()
    if (!(sequence >= this.#source.first && sequence < this.#source.next)) throw this.#absent(`record ${sequence}`)
    await this.#source.untilWritten(sequence)
  }

  #absent(what: string): ParakernelError {
    return new ParakernelError(
      'ENOENT',
      `${what} is not in the log (${this.#source.first} to ${this.#source.next - 1})`,
      {
        subject: this.#source.name,
      },
    )
  }

  #lost(sequence: number | undefined, chain: Chain, media = chain.unreadable()): ParakernelError {
    if (sequence !== undefined && sequence < this.#source.first) return this.#absent(`record ${sequence}`)
    const what = sequence === undefined ? `there is no record at ${chain.position}` : `record ${sequence} is damaged`
    return new ParakernelError(media ? 'EIO' : 'EUCLEAN', media ? `${what}: the media cannot be read` : what, {
      subject: this.#source.name,
      remedy: 'Run `scrub` to see what else is lost',
    })
  }
}
