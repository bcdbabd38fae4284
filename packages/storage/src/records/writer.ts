import { copyBytes, ParakernelError } from '@parakernel/hal'
import type { Durability } from '@parakernel/queue'
import { RECORD_HEADER } from '../log/record.ts'
import { EAGAIN, EMSGSIZE, ENOSPC, statusError } from '../medium/errno.ts'
import type { RecordBatch } from './batch.ts'
import type { RecordsCore } from './core.ts'
import {
  BATCH_FIRST,
  BATCH_LAST,
  BATCH_MORE,
  BATCH_WHOLE,
  DELETE,
  ENTRY_HEADER,
  entryBytes,
  keyLengthAt,
  operationAt,
  PAYLOAD_HEADER,
  PUT,
  setUint32,
  valueLengthAt,
} from './format.ts'
import { NONE } from './index/slots.ts'
import { RECORDS_BATCHES, RECORDS_DELETES, RECORDS_FULL, RECORDS_PUTS, RECORDS_WAITED } from './records.ts'

/** What a record of the log takes beside its payload: header, rounding, and the mark that may come before it. */
const AROUND = 2 * RECORD_HEADER + 8

interface Waiting {
  readonly batch: RecordBatch
  readonly level: Durability
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** A run of a batch's operations that is one record of the log, and where that lies. */
interface Part {
  readonly first: number
  readonly last: number
  readonly position: number
}

/**
 * Appends batches to the log and enters them in the index, in the order in which they came. Whoever finds no room in the log or
 * too much under way waits in line; compaction makes the room.
 */
export class Writer {
  readonly #core: RecordsCore
  /** Asks for so much room, and resolves false when compaction cannot make it. */
  readonly #makeRoom: (bytes: number) => Promise<boolean>
  readonly #line: Waiting[] = []
  #draining = false
  #drained: Promise<void> = Promise.resolve()
  #scratch = new Uint8Array(4096)

  constructor(core: RecordsCore, makeRoom: (bytes: number) => Promise<boolean>) {
    this.#core = core
    this.#makeRoom = makeRoom
  }

  /** Resolves when the batch is as durable as `level` says. The batch is in use until then. */
  write(batch: RecordBatch, level: Durability): Promise<void> {
    if (batch.count === 0) return Promise.resolve()
    return new Promise((resolve, reject) => {
      if (this.#line.length > 0 || !this.#now(batch, level, resolve, reject)) {
        this.#core.counts[RECORDS_WAITED]++
        this.#line.push({ batch, level, resolve, reject })
        if (!this.#draining) this.#drained = this.#drain()
      }
    })
  }

  /** Resolves when nobody waits any more. */
  idle(): Promise<void> {
    return this.#drained
  }

  /** Whether a batch is appended, or refused for good; false when it has to wait. */
  #now(batch: RecordBatch, level: Durability, resolve: () => void, reject: (error: unknown) => void): boolean {
    const core = this.#core
    if (PAYLOAD_HEADER + batch.length > core.log.recordLimit) return false
    if (this.#exceeds(batch)) return false
    if (PAYLOAD_HEADER + batch.length + AROUND > core.room) return false
    const status = this.#append(BATCH_WHOLE, batch, 0, batch.count, level, (result) => {
      if (result === 0) resolve()
      else reject(core.log.failure ?? statusError(result, 'the write failed', core.name))
    })
    if (status === -EAGAIN || status === -ENOSPC) return false
    if (status < 0) reject(core.log.failure ?? statusError(status, 'the write was not accepted', core.name))
    else this.#apply(batch, 0, batch.count, core.log.lastPosition)
    return true
  }

  async #drain(): Promise<void> {
    this.#draining = true
    while (this.#line.length > 0) {
      const { batch, level, resolve, reject } = this.#line[0]
      try {
        await this.#patiently(batch, level, resolve, reject)
      } catch (error) {
        reject(error)
      }
      this.#line.shift()
    }
    this.#draining = false
  }

  /** Waits for room, appends, and leaves the rest to the completion. @throws what the batch is refused with */
  async #patiently(
    batch: RecordBatch,
    level: Durability,
    resolve: () => void,
    reject: (error: unknown) => void,
  ): Promise<void> {
    const core = this.#core
    const parts = this.#cut(batch)
    if (this.#exceeds(batch))
      throw this.#full(`${core.index.liveBytes + batch.growth} live bytes of ${core.limitBytes}`)
    const needed = batch.length + parts.length * (PAYLOAD_HEADER + AROUND)
    while (needed > core.room) {
      if (core.log.failure !== undefined) throw core.log.failure
      if (!(await this.#makeRoom(needed))) throw this.#full(`${needed} bytes do not fit into what is left`)
    }
    const placed: Part[] = []
    try {
      for (let i = 0; i < parts.length; i++) {
        const [first, last] = parts[i]
        const final = i === parts.length - 1
        const type = parts.length === 1 ? BATCH_WHOLE : i === 0 ? BATCH_FIRST : final ? BATCH_LAST : BATCH_MORE
        const done = (status: number) => {
          if (!final) return
          if (status === 0) resolve()
          else reject(core.log.failure ?? statusError(status, 'the write failed', core.name))
        }
        for (;;) {
          // Those before the last become durable with it: the log is a prefix.
          const status = this.#append(type, batch, first, last, final ? level : 'buffered', done)
          if (status > 0) {
            if (parts.length > 1) core.unfinished = Math.min(core.unfinished, status)
            placed.push({ first, last, position: core.log.lastPosition })
            break
          }
          if (status === -ENOSPC && i === 0 && (await this.#makeRoom(needed + core.step))) continue
          if (status !== -EAGAIN) throw core.log.failure ?? this.#refusal(status)
          await core.log.settle()
          // All is written, and may wait for a flush still.
          if (core.log.durable < core.log.next) await core.log.sync()
        }
      }
      for (const { first, last, position } of placed) this.#apply(batch, first, last, position, placed.length > 1)
      if (placed.length > 1) core.index.version++
    } finally {
      core.unfinished = Infinity
    }
  }

  /** Runs of operations that fit into a record each. @throws EMSGSIZE for one that fits into none */
  #cut(batch: RecordBatch): (readonly [number, number])[] {
    const { recordLimit } = this.#core.log
    const parts: (readonly [number, number])[] = []
    let first = 0
    for (let i = 0; i < batch.count; i++) {
      const end = batch.starts[i + 1] ?? batch.length
      if (PAYLOAD_HEADER + end - batch.starts[i] > recordLimit) {
        throw new ParakernelError(
          'EMSGSIZE',
          `a key and its value have ${end - batch.starts[i]} bytes, over ${recordLimit}`,
          {
            subject: this.#core.name,
            remedy: 'Cut the value into several, or make the store with a higher `recordLimit`',
          },
        )
      }
      if (PAYLOAD_HEADER + end - batch.starts[first] > recordLimit) {
        parts.push([first, i])
        first = i
      }
    }
    parts.push([first, batch.count])
    return parts
  }

  /** Operations `first` to before `last` as one record. Returns its sequence, or a negative errno. */
  #append(
    type: number,
    batch: RecordBatch,
    first: number,
    last: number,
    level: Durability,
    done: (status: number) => void,
  ): number {
    const { log, medium } = this.#core
    const from = batch.starts[first]
    const length = (batch.starts[last] ?? batch.length) - from
    if (this.#scratch.length < PAYLOAD_HEADER + length) this.#scratch = new Uint8Array(2 * (PAYLOAD_HEADER + length))
    const record = this.#scratch.subarray(0, PAYLOAD_HEADER + length)
    setUint32(record, 0, type)
    setUint32(record, 4, last - first)
    copyBytes(batch.bytes, from, length, record, PAYLOAD_HEADER)
    return log.append(record, level, (status) => {
      medium.loop.requestYield()
      done(status)
    })
  }

  /** Enters operations in the index, whose record lies at a position. */
  #apply(batch: RecordBatch, first: number, last: number, position: number, partial = false): void {
    const { index, cache, counts } = this.#core
    const { bytes, starts } = batch
    // All of a batch is one change: no snapshot sees a part of it.
    const version = index.version + 1
    const base = position + RECORD_HEADER + PAYLOAD_HEADER - starts[first]
    for (let i = first; i < last; i++) {
      const at = starts[i]
      const operation = operationAt(bytes, at)
      const keyLength = keyLengthAt(bytes, at)
      const valueLength = valueLengthAt(bytes, at)
      const key = at + ENTRY_HEADER
      if (operation === PUT) {
        const slot = index.put(bytes, key, keyLength, base + at, valueLength, version)
        cache.keep(slot, bytes, key + keyLength, valueLength)
        counts[RECORDS_PUTS]++
      } else if (operation === DELETE) {
        index.delete(bytes, key, keyLength, version)
        counts[RECORDS_DELETES]++
      } else {
        index.clear(bytes, key, keyLength, key + keyLength, valueLength, version)
        counts[RECORDS_DELETES]++
      }
    }
    counts[RECORDS_BATCHES]++
    if (!partial) index.version = version
  }

  /** Whether the store would hold more than it takes, what the batch replaces taken off. */
  #exceeds(batch: RecordBatch): boolean {
    const { index, limitBytes } = this.#core
    if (batch.growth === 0 || index.liveBytes + batch.growth <= limitBytes) return false
    let growth = batch.growth
    for (const at of batch.starts) {
      const { bytes } = batch
      const slot = index.find(bytes, at + ENTRY_HEADER, keyLengthAt(bytes, at))
      if (slot !== NONE) growth -= entryBytes(index.slots.keyLength[slot], index.slots.valueLength[slot])
    }
    return growth > 0 && index.liveBytes + growth > limitBytes
  }

  #full(what: string): ParakernelError {
    this.#core.counts[RECORDS_FULL]++
    return new ParakernelError('ENOSPC', `the store is full: ${what}`, {
      subject: this.#core.name,
      remedy: 'Delete what is no longer needed, or use a larger medium',
    })
  }

  #refusal(status: number): ParakernelError {
    if (status === -ENOSPC) return this.#full('the log has no room')
    if (status === -EMSGSIZE) return statusError(status, 'the record is too long', this.#core.name)
    return statusError(status, 'the write was not accepted', this.#core.name)
  }
}
