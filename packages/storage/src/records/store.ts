import { ParakernelError } from '@parakernel/hal'
import type { Durability } from '@parakernel/queue'
import { RecordBatch } from './batch.ts'
import type { Checkpointer } from './checkpointer.ts'
import { Compactor } from './compactor.ts'
import type { RecordsCore } from './core.ts'
import { compareKeys, RecordCursor } from './cursor.ts'
import { NONE } from './index/slots.ts'
import type {
  RecordCounters,
  RecordRange,
  RecordSnapshot,
  RecordsRecovery,
  RecordsScrubReport,
  RecordsUsage,
} from './records.ts'
import { scrubRecords } from './scrub.ts'
import { Values } from './values.ts'
import { Writer } from './writer.ts'

/** Bytes of log behind the newest checkpoint that closing does not write another for. */
const SHORT_REPLAY = 1 << 18

/**
 * Keys with values, in the order of the keys' bytes, on a log. All keys are in memory, values on the medium. Lives in one thread.
 *
 * A write is seen by reads as soon as it was accepted, and survives when its promise has resolved; after a crash the store is as after
 * some prefix of the writes, in the order in which they were made, with at least all that were acknowledged. So nobody ever depends on a
 * write that is gone.
 */
export class RecordStore {
  readonly recovery: RecordsRecovery
  readonly counters: RecordCounters
  readonly #core: RecordsCore
  readonly #values: Values
  readonly #writer: Writer
  readonly #compactor: Compactor
  readonly #checkpointer: Checkpointer
  readonly #durability: Durability
  #closing: Promise<void> | undefined

  /** @internal See `openRecords`. */
  constructor(core: RecordsCore, checkpointer: Checkpointer, recovery: RecordsRecovery, durability: Durability) {
    this.#core = core
    this.recovery = recovery
    this.counters = core.counters
    this.#values = new Values(core)
    this.#compactor = new Compactor(core)
    this.#writer = new Writer(core, (bytes) => this.#compactor.makeRoom(bytes))
    this.#checkpointer = checkpointer
    this.#durability = durability
  }

  get name(): string {
    return this.#core.name
  }

  get usage(): RecordsUsage {
    const { index, log, limitBytes } = this.#core
    const { keys, liveBytes, byteLength: indexBytes } = index
    return { keys, liveBytes, usedBytes: log.usedBytes, capacityBytes: log.capacityBytes, limitBytes, indexBytes }
  }

  /**
   * The value of a key, the caller's own, or undefined: as it is now, or as a snapshot sees it.
   * @throws EIO or EUCLEAN, naming the key, when its value is damaged
   */
  async get(key: Uint8Array, snapshot?: RecordSnapshot): Promise<Uint8Array | undefined> {
    const slot = this.#find(key, snapshot)
    return slot === NONE ? undefined : this.#values.get(slot)
  }

  /** As `get`, before it returns: blocks the thread until the medium has answered. @throws EBUSY within a round of the loop */
  getNow(key: Uint8Array, snapshot?: RecordSnapshot): Uint8Array | undefined {
    const slot = this.#find(key, snapshot)
    return slot === NONE ? undefined : this.#values.getNow(slot)
  }

  /** Values in the order of the keys, all of one moment. Those that lie close to each other are read at once. */
  async getMany(keys: readonly Uint8Array[], snapshot?: RecordSnapshot): Promise<(Uint8Array | undefined)[]> {
    return this.#values.many(keys.map((key) => this.#find(key, snapshot)))
  }

  /** Without any input or output. */
  has(key: Uint8Array, snapshot?: RecordSnapshot): boolean {
    return this.#find(key, snapshot) !== NONE
  }

  /** @throws ENOSPC, EMSGSIZE, and what the log failed with; then nothing has changed, or, of a failed device, it is not known */
  put(key: Uint8Array, value: Uint8Array, level?: Durability): Promise<void> {
    return this.write(new RecordBatch(64 + key.length + value.length).put(key, value), level)
  }

  delete(key: Uint8Array, level?: Durability): Promise<void> {
    return this.write(new RecordBatch(32 + key.length).delete(key), level)
  }

  /** All operations of a batch, or none. Resolves when they are as durable as `level` says. */
  async write(batch: RecordBatch, level: Durability = this.#durability): Promise<void> {
    this.#mustBeOpen()
    const written = this.#writer.write(batch, level)
    this.#compactor.kick()
    this.#checkpointer.kick()
    await written
  }

  /** Deletes the keys of a range, at most `limit` of them, in one step. Resolves with nothing to do when there are none. */
  clear(range: RecordRange = {}, limit = Infinity, level?: Durability, snapshot?: RecordSnapshot): Promise<void> {
    this.#mustBeOpen()
    const batch = new RecordBatch()
    if (snapshot !== undefined) return this.#clearSeen(range, limit, snapshot, batch, level)
    const { first, last } = this.#ends(range, limit)
    if (first !== undefined && last !== undefined) batch.clear(first, last)
    return this.write(batch, level)
  }

  /** Holds the present state for reads: `release` it. Meanwhile what it sees takes room. */
  snapshot(): RecordSnapshot {
    this.#mustBeOpen()
    const { index } = this.#core
    const version = index.hold()
    let held = true
    const release = () => {
      if (held) index.release(version)
      held = false
    }
    return { version, release }
  }

  /** Goes through a range, as it is now or as a snapshot sees it. Close it. */
  cursor(range: RecordRange = {}, options: { values?: boolean; snapshot?: RecordSnapshot } = {}): RecordCursor {
    const own = options.snapshot === undefined ? this.snapshot() : undefined
    const snapshot = own ?? { version: (options.snapshot as RecordSnapshot).version, release: () => {} }
    return new RecordCursor(this.#core, this.#values, snapshot, range, options.values ?? true)
  }

  /** Resolves when all writes that were accepted are durable. */
  async sync(): Promise<void> {
    this.#mustBeOpen()
    await this.#writer.idle()
    await this.#core.log.sync()
  }

  /** Writes the index out, so that opening begins there. Happens by itself now and then, and on closing. */
  checkpoint(): Promise<void> {
    this.#mustBeOpen()
    return this.#checkpointer.run()
  }

  /** Goes through all of the log once, so that it has hardly any garbage. Happens by itself where needed. */
  compact(): Promise<void> {
    this.#mustBeOpen()
    return this.#compactor.compact()
  }

  /** Reads every record and says what is lost, and of which keys. */
  scrub(): Promise<RecordsScrubReport> {
    this.#mustBeOpen()
    return scrubRecords(this.#core)
  }

  /** Finishes what was accepted, notes the clean end, and gives the frames back. The medium stays open. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  #find(key: Uint8Array, snapshot: RecordSnapshot | undefined): number {
    this.#mustBeOpen()
    const { index } = this.#core
    return snapshot === undefined ? index.find(key) : index.findAt(snapshot.version, key)
  }

  /** The outermost keys of a range that are there now, with at most `limit` from its beginning on. */
  #ends(range: RecordRange, limit: number): { first?: Uint8Array; last?: Uint8Array } {
    const cursor = this.cursor({ ...range, reverse: range.reverse ?? false }, { values: false })
    const far = this.cursor({ ...range, reverse: range.reverse !== true }, { values: false })
    try {
      const one = cursor.keysNow(1)[0]
      const other = limit === Infinity ? far.keysNow(1)[0] : [one, ...cursor.keysNow(limit - 1)].at(-1)
      if (one === undefined || other === undefined || limit <= 0) return {}
      return compareKeys(one, other) <= 0 ? { first: one, last: other } : { first: other, last: one }
    } finally {
      cursor.close()
      far.close()
    }
  }

  /** Only what a snapshot sees is deleted, not what was put since. */
  #clearSeen(
    range: RecordRange,
    limit: number,
    snapshot: RecordSnapshot,
    batch: RecordBatch,
    level: Durability | undefined,
  ): Promise<void> {
    const cursor = this.cursor(range, { values: false, snapshot })
    for (const key of cursor.keysNow(limit)) batch.delete(key)
    cursor.close()
    return this.write(batch, level)
  }

  async #close(): Promise<void> {
    const { log, reader, readers } = this.#core
    try {
      await this.#writer.idle()
      await this.#compactor.close()
      await this.#checkpointer.idle()
      if (log.failure === undefined && this.#checkpointer.distance > SHORT_REPLAY) {
        // A store that is full closes without: opening replays more then.
        await this.#checkpointer.run().catch(() => {})
      }
      await readers.quiesce()
    } finally {
      reader.close()
      await log.close()
    }
  }

  #mustBeOpen(): void {
    if (this.#closing === undefined) return
    throw new ParakernelError('EBADF', 'the store is closed', { subject: this.name, remedy: 'Open it again' })
  }
}
