import { ParakernelError } from '@parakernel/hal'
import type { Durability } from '@parakernel/queue'
import type { Log } from '../log/log.ts'

const COMMIT = 1
const CHECKPOINT = 2

/** Bytes before the first change, and before each change, in a record. */
const HEAD = 4
const PREFIX = 4

/** Applies one change to the application's state. Redo may bring a change that was applied before: applying it twice must be as once. */
export type ApplyChange = (change: Uint8Array, sequence: number) => void

export interface Transaction {
  /** Adds a change; the bytes are copied. @throws EMSGSIZE when the transaction gets longer than a record may be */
  append(change: Uint8Array): void
  /** Makes all changes durable, together or not at all; resolves with the sequence, and with none when there is nothing to commit. */
  commit(level?: Durability): Promise<number | undefined>
  /** Forgets the changes. */
  abort(): void
}

/**
 * A write-ahead log for applications, on a log. The rule is the old one: commit first, then change what lies elsewhere; and after a
 * crash, redo. A transaction is one record, so that it is there whole or not at all.
 *
 *     const wal = openWal(log)
 *     await wal.replay((change) => state.apply(change))
 *     const transaction = wal.begin()
 *     transaction.append(change)
 *     const sequence = await transaction.commit()
 *     state.apply(change)
 *     // Now and then: when all of the state up to `sequence` lies durably elsewhere,
 *     await wal.checkpoint(sequence)
 */
export interface Wal {
  readonly log: Log
  begin(): Transaction
  /** Says that the effects of all up to `sequence` are durable elsewhere: redo begins behind it from now on, and the log's room is given back. */
  checkpoint(sequence: number): Promise<void>
  /** Redoes every committed change behind the newest checkpoint, in order. Resolves with the number of transactions. */
  replay(apply: ApplyChange): Promise<number>
}

export function openWal(log: Log): Wal {
  return {
    log,
    begin: () => new PendingTransaction(log),
    checkpoint: (sequence) => checkpoint(log, sequence),
    replay: (apply) => replay(log, apply),
  }
}

class PendingTransaction implements Transaction {
  readonly #log: Log
  #changes: Uint8Array[] = []
  #bytes = HEAD
  #ended = false

  constructor(log: Log) {
    this.#log = log
  }

  append(change: Uint8Array): void {
    this.#mustBeOpen()
    const bytes = this.#bytes + PREFIX + change.length
    if (bytes > this.#log.recordLimit) {
      throw new ParakernelError('EMSGSIZE', `a transaction of ${bytes} bytes is longer than ${this.#log.recordLimit}`, {
        subject: `write-ahead log on ${this.#log.medium.name}`,
        remedy: 'Commit more often, or make the log with a higher `recordLimit`',
      })
    }
    this.#bytes = bytes
    this.#changes.push(change.slice())
  }

  async commit(level?: Durability): Promise<number | undefined> {
    this.#mustBeOpen()
    this.#ended = true
    if (this.#changes.length === 0) return undefined
    const record = new Uint8Array(this.#bytes)
    const view = new DataView(record.buffer)
    view.setUint32(0, COMMIT, true)
    let at = HEAD
    for (const change of this.#changes) {
      view.setUint32(at, change.length, true)
      record.set(change, at + PREFIX)
      at += PREFIX + change.length
    }
    return this.#log.write(record, level)
  }

  abort(): void {
    this.#ended = true
    this.#changes = []
  }

  #mustBeOpen(): void {
    if (!this.#ended) return
    throw new ParakernelError('EINVAL', 'the transaction is over', {
      subject: `write-ahead log on ${this.#log.medium.name}`,
      remedy: 'Begin another one',
    })
  }
}

async function checkpoint(log: Log, sequence: number): Promise<void> {
  // The record is for a crash between here and the truncation, and keeps redo from beginning too early then.
  const record = new Uint8Array(HEAD + 8)
  const view = new DataView(record.buffer)
  view.setUint32(0, CHECKPOINT, true)
  view.setFloat64(HEAD, sequence, true)
  await log.write(record)
  await log.truncate(Math.min(sequence + 1, log.next))
}

async function replay(log: Log, apply: ApplyChange): Promise<number> {
  let done = 0
  await log.visit((_sequence, bytes, at, length) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, length)
    if (length === HEAD + 8 && view.getUint32(0, true) === CHECKPOINT)
      done = Math.max(done, view.getFloat64(HEAD, true))
  })
  let transactions = 0
  await log.visit((sequence, bytes, at, length) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, length)
    if (sequence <= done || length < HEAD || view.getUint32(0, true) !== COMMIT) return
    transactions++
    for (let i = HEAD; i + PREFIX <= length; ) {
      const size = view.getUint32(i, true)
      if (i + PREFIX + size > length) throw foreign(log, sequence)
      apply(bytes.slice(at + i + PREFIX, at + i + PREFIX + size), sequence)
      i += PREFIX + size
    }
  })
  return transactions
}

function foreign(log: Log, sequence: number): ParakernelError {
  return new ParakernelError('EUCLEAN', `record ${sequence} is no transaction`, {
    subject: `write-ahead log on ${log.medium.name}`,
    remedy: 'Give the write-ahead log a log of its own',
  })
}
