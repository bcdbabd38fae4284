import type { ParakernelError } from '@parakernel/hal'
import { copyBytes } from '@parakernel/hal'
import { RECORD_HEADER } from '../log/record.ts'
import { EAGAIN, statusError } from '../medium/errno.ts'
import type { RecordsCore } from './core.ts'
import {
  BATCH_WHOLE,
  ENTRY_HEADER,
  entryBytes,
  keyLengthAt,
  MOVED,
  MOVED_OLD,
  operationAt,
  PAYLOAD_HEADER,
  PUT,
  setUint32,
  valueLengthAt,
} from './format.ts'
import { NONE } from './index/slots.ts'
import { RECORDS_COMPACTED_BYTES, RECORDS_MOVED_BYTES } from './records.ts'

/** Of the log: how full it has to be, and how much of it garbage, for compaction to begin by itself. */
const FULL = 0.6
const GARBAGE = 1 / 8

interface Demand {
  readonly bytes: number
  /** When the log begins here, everything has been gone through since. */
  readonly until: number
  readonly resolve: (made: boolean) => void
  readonly reject: (error: unknown) => void
}

/**
 * Frees the oldest part of the log, step by step: what can still be seen is appended again, and when that is durable the log is
 * truncated. Deletions are not kept: what they deleted lay before them, and is gone. Writers go on between and during steps.
 */
export class Compactor {
  readonly #core: RecordsCore
  #demands: Demand[] = []
  #running: Promise<void> | undefined
  #closed = false
  /** Entries of a step, as they lie in the log, and where they lay. */
  #buffer: Uint8Array
  #used = 0
  readonly #starts: number[] = []
  readonly #positions: number[] = []

  constructor(core: RecordsCore) {
    this.#core = core
    this.#buffer = new Uint8Array(core.step)
  }

  /** Begins, where there is something to do. */
  kick(): void {
    if (this.#running !== undefined || this.#closed || !this.#wanted()) return
    this.#running = this.#run().finally(() => {
      this.#running = undefined
    })
  }

  /** Resolves true when writers have so many bytes, and false when all has been gone through and they have not. */
  makeRoom(bytes: number): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#demands.push({ bytes, until: this.#core.log.next, resolve, reject })
      this.kick()
    })
  }

  /** Goes through the whole log once. */
  async compact(): Promise<void> {
    await this.makeRoom(Infinity)
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#running
  }

  #wanted(): boolean {
    if (this.#demands.length > 0) return true
    const { log, index } = this.#core
    const garbage = log.usedBytes - index.liveBytes
    return log.usedBytes > FULL * log.capacityBytes && garbage > GARBAGE * log.capacityBytes
  }

  async #run(): Promise<void> {
    try {
      while (this.#wanted()) {
        this.#answer()
        if (!this.#wanted()) break
        const before = this.#core.log.first
        if (!this.#closed) await this.#step()
        // Nothing was freed, and never will be: those who wait are told.
        if (this.#core.log.first === before) this.#answer(true)
        if (this.#core.log.first === before) break
      }
    } catch (error) {
      const demands = this.#demands
      this.#demands = []
      for (const demand of demands) demand.reject(error as ParakernelError)
    }
  }

  #answer(over = false): void {
    const { log, room } = this.#core
    const waiting: Demand[] = []
    for (const demand of this.#demands) {
      if (room >= demand.bytes) demand.resolve(true)
      else if (over || log.first >= demand.until) demand.resolve(false)
      else waiting.push(demand)
    }
    this.#demands = waiting
  }

  async #step(): Promise<void> {
    const { log, readers, counts } = this.#core
    const used = log.usedBytes
    const moved = counts[RECORDS_MOVED_BYTES]
    const next = await this.#collect()
    if (next === log.first) return
    await this.#move()
    // What replaced the rest may be younger than the last flush: without it the older value has to stay.
    await log.sync()
    await readers.quiesce()
    await log.truncate(next)
    counts[RECORDS_COMPACTED_BYTES] += Math.max(0, used - log.usedBytes + counts[RECORDS_MOVED_BYTES] - moved)
  }

  /** Copies what can be seen of the oldest records. Returns the sequence behind them. */
  async #collect(): Promise<number> {
    const { log, step, unfinished } = this.#core
    this.#used = 0
    this.#starts.length = 0
    this.#positions.length = 0
    let next = log.first
    let total = 0
    await log.visit(
      (sequence, bytes, at, length, position) => {
        // At least one record a step, however long.
        if (total > 0 && total + length > step) return false
        total += length + RECORD_HEADER
        if (bytes[at] <= MOVED_OLD && bytes[at] >= BATCH_WHOLE)
          this.#entries(bytes, at, length, position + RECORD_HEADER)
        next = sequence + 1
        return total < step
      },
      log.first,
      Math.min(log.next, unfinished),
    )
    return next
  }

  #entries(bytes: Uint8Array, from: number, length: number, position: number): void {
    const { index } = this.#core
    for (let at = from + PAYLOAD_HEADER; at < from + length; ) {
      const keyLength = keyLengthAt(bytes, at)
      const size = entryBytes(keyLength, valueLengthAt(bytes, at))
      const place = position + at - from
      if (operationAt(bytes, at) === PUT && index.at(bytes, at + ENTRY_HEADER, keyLength, place) !== NONE) {
        if (this.#used + size > this.#buffer.length) {
          const larger = new Uint8Array(Math.max(this.#used + size, 2 * this.#buffer.length))
          larger.set(this.#buffer.subarray(0, this.#used))
          this.#buffer = larger
        }
        copyBytes(bytes, at, size, this.#buffer, this.#used)
        this.#starts.push(this.#used)
        this.#positions.push(place)
        this.#used += size
      }
      at += size
    }
  }

  async #move(): Promise<void> {
    const { log } = this.#core
    const record = new Uint8Array(Math.min(log.recordLimit, PAYLOAD_HEADER + Math.max(this.#used, 1)))
    for (const type of [MOVED, MOVED_OLD]) {
      let i = 0
      while (i < this.#starts.length) {
        const status = this.#moveSome(type, i, record)
        if (status === -EAGAIN) {
          await log.settle()
          if (log.durable < log.next) await log.sync()
        } else if (status < 0) throw log.failure ?? statusError(status, 'compaction cannot append', this.#core.name)
        else i = status
      }
    }
  }

  /**
   * Appends entries from number `first` on, those that are still seen, as one record, and points the index at it: all before anybody
   * else can change it. Returns the number of the entry to go on with, or a negative errno.
   */
  #moveSome(type: number, first: number, record: Uint8Array): number {
    const { index, log, counts } = this.#core
    const slots: number[] = []
    const places: number[] = []
    let length = PAYLOAD_HEADER
    let i = first
    for (; i < this.#starts.length; i++) {
      const at = this.#starts[i]
      const keyLength = keyLengthAt(this.#buffer, at)
      const size = entryBytes(keyLength, valueLengthAt(this.#buffer, at))
      if (length + size > record.length) break
      const key = at + ENTRY_HEADER
      const slot = index.at(this.#buffer, key, keyLength, this.#positions[i])
      if (slot === NONE) continue
      if (index.isNewest(slot, this.#buffer, key, keyLength) !== (type === MOVED)) continue
      copyBytes(this.#buffer, at, size, record, length)
      slots.push(slot)
      places.push(length)
      length += size
    }
    if (slots.length === 0) return i
    setUint32(record, 0, type)
    setUint32(record, 4, slots.length)
    const status = log.append(record.subarray(0, length), 'buffered')
    if (status < 0) return status
    for (let k = 0; k < slots.length; k++) {
      index.slots.position[slots[k]] = log.lastPosition + RECORD_HEADER + places[k]
    }
    counts[RECORDS_MOVED_BYTES] += length
    return i
  }
}
