import { setUint64 } from '../format/header.ts'
import { LOG_APPENDED_BYTES } from '../log/log.ts'
import { EAGAIN, EMSGSIZE, ENOSPC, statusError } from '../medium/errno.ts'
import type { RecordsCore } from './core.ts'
import { CHECKPOINT, CHECKPOINT_ENTRY, CHECKPOINT_HEADER } from './format.ts'
import { type CheckpointPointer, storePointer } from './image.ts'
import { DELETED, NONE } from './index/slots.ts'
import { RECORDS_CHECKPOINTS } from './records.ts'

/** Bytes of index in one record of the log; writers go on between two. */
const CHUNK = CHECKPOINT_HEADER + CHECKPOINT_ENTRY + 65_536

/**
 * Writes the index out into the log, in pieces while it changes: replay from where it began on makes good what changed meanwhile. Then a
 * pointer beside the log says where it is. When the log moves on over it, the pointer means nothing, and replay begins at the log's head.
 */
export class Checkpointer {
  readonly #core: RecordsCore
  readonly #uuid: Uint8Array
  readonly #every: number
  #generation: number
  /** Bytes that had been appended to the log when the last one began. */
  #since = 0
  #running: Promise<void> | undefined

  constructor(core: RecordsCore, uuid: Uint8Array, generation: number, every: number) {
    this.#core = core
    this.#uuid = uuid
    this.#generation = generation
    this.#every = every
  }

  /** Bytes appended since the last one. */
  get distance(): number {
    return this.#core.log.counters.values[LOG_APPENDED_BYTES] - this.#since
  }

  /** Begins one when enough has been appended, and there is room. Its failure is the log's, or costs a longer replay. */
  kick(): void {
    if (this.distance < this.#every || this.#running !== undefined || !this.#fits()) return
    this.run().catch(() => {})
  }

  /** Writes one now. @throws ENOSPC when it does not fit, EIO and others for the device */
  run(): Promise<void> {
    this.#running ??= this.#write().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  async idle(): Promise<void> {
    await this.#running?.catch(() => {})
  }

  /** It takes room that writers have, and is worth no more than that of it which is to spare. */
  #fits(): boolean {
    const { index, room } = this.#core
    const estimate = index.keys * (CHECKPOINT_ENTRY + 24)
    return estimate < room / 2
  }

  async #write(): Promise<void> {
    const { log, medium, counts, unfinished } = this.#core
    this.#since = log.counters.values[LOG_APPENDED_BYTES]
    const generation = this.#generation + 1
    const asOf = Math.min(log.next, unfinished) - 1
    let first = 0
    let keys = 0
    let after: Uint8Array | undefined
    const record = new Uint8Array(Math.min(CHUNK, log.recordLimit))
    const view = new DataView(record.buffer)
    view.setUint32(0, CHECKPOINT, true)
    view.setUint32(8, generation, true)
    for (;;) {
      const chunk = this.#fill(record, view, after)
      if (chunk.keys === 0 && first > 0) break
      // What compaction needs is not touched.
      if (this.#core.room < chunk.length + 128) throw statusError(-ENOSPC, 'no room for a checkpoint', this.#core.name)
      view.setUint32(4, chunk.keys, true)
      const sequence = log.append(record.subarray(0, chunk.length), 'buffered')
      if (sequence === -EAGAIN) {
        await log.settle()
        if (log.durable < log.next) await log.sync()
        continue
      }
      if (sequence < 0) throw log.failure ?? statusError(sequence, 'the checkpoint does not fit', this.#core.name)
      if (first === 0) first = sequence
      keys += chunk.keys
      after = chunk.last ?? after
      if (chunk.keys === 0) break
      await log.settle()
    }
    const pointer: CheckpointPointer = { generation, asOf, first, last: log.next - 1, keys }
    await log.sync()
    await storePointer(medium, pointer, this.#uuid)
    this.#generation = generation
    counts[RECORDS_CHECKPOINTS]++
  }

  /** The keys behind `after`, as many as the record takes. */
  #fill(record: Uint8Array, view: DataView, after: Uint8Array | undefined) {
    const { index } = this.#core
    const { order, slots, arena } = index
    if (after === undefined) order.toFirst()
    else if (order.lowerBound(after, 0, after.length)) order.next()
    let length = CHECKPOINT_HEADER
    let keys = 0
    let last = NONE
    for (let slot = order.slot; slot !== NONE; order.next(), slot = order.slot) {
      if (slots.position[slot] === DELETED) continue
      const keyLength = slots.keyLength[slot]
      if (length + CHECKPOINT_ENTRY + keyLength > record.length) {
        if (keys === 0) throw statusError(-EMSGSIZE, 'a key is too long for a checkpoint', this.#core.name)
        break
      }
      setUint64(view, length, slots.position[slot])
      view.setUint32(length + 8, slots.valueLength[slot], true)
      view.setUint32(length + 12, keyLength, true)
      arena.copyOut(slots.keyAt[slot], keyLength, record, length + CHECKPOINT_ENTRY)
      length += CHECKPOINT_ENTRY + keyLength
      keys++
      last = slot
    }
    return { keys, length, last: last === NONE ? undefined : index.keyOf(last) }
  }
}
