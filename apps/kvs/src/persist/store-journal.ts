import { type FramePool, ParakernelError } from '@parakernel/hal'
import type { Loop } from '@parakernel/kernel'
import {
  OP_ADD,
  OP_APPEND,
  OP_CAS,
  OP_DECREMENT,
  OP_DELETE,
  OP_GET_AND_TOUCH,
  OP_INCREMENT,
  OP_PREPEND,
  OP_REPLACE,
  OP_SET,
  OP_TOUCH,
  RESULT_OK,
  type RequestBatch,
} from '@parakernel/mica'
import type { Durability } from '@parakernel/queue'
import type { Log } from '@parakernel/storage'
import { C_JOURNAL_FAILED, C_JOURNAL_REFUSED, C_REPLIES_HELD } from '../server/counters.ts'
import type { Replies } from '../server/outbox.ts'
import type { PartitionState } from '../server/partition-state.ts'
import { Compaction } from './compaction.ts'
import { ENTRY_CLEAR, ENTRY_DELETE, ENTRY_PUT, EntryWriter } from './entry.ts'
import { HeldReplies } from './held-replies.ts'
import { StoreAccess } from './store-access.ts'

export interface JournalOptions {
  readonly log: Log
  readonly loop: Loop
  /** When a write is acknowledged. */
  readonly durability: Durability
  /** Milliseconds since 1970. */
  readonly wallClock?: () => number
}

/** Of the log's room: from here on writes are refused until compaction has made some. */
const FULL = 0.9

/**
 * Keeps what changes a partition's store in a log, and holds the replies to writes back until they are as durable as was asked for.
 * A reply that is never sent belongs to a write of which nothing was promised: it may or may not survive, as with a lost datagram.
 */
export class StoreJournal {
  readonly log: Log
  readonly held: HeldReplies
  readonly access: StoreAccess
  readonly compaction: Compaction
  readonly #state: PartitionState
  readonly #pool: FramePool
  readonly #loop: Loop
  readonly #level: Durability
  readonly #writer: EntryWriter
  readonly #wallClock: () => number
  /** What others wait for, in the order of their sequences. */
  readonly #actions: { readonly sequence: number; readonly run: (isDurable: boolean) => void }[] = []
  /** Of the records since `take`: the last one's sequence, or the errno of one that was not taken. */
  #pending = 0
  #durable = 0
  #flushing = false
  readonly #done = (status: number, sequence: number) => this.#settle(sequence, status === 0)
  readonly #flush = () => {
    this.#flushing = false
    this.held.flush()
    this.compaction.startIfDue()
  }

  constructor(state: PartitionState, { log, loop, durability, wallClock = Date.now }: JournalOptions) {
    this.log = log
    this.#state = state
    this.#pool = state.pool
    this.#loop = loop
    this.#level = durability
    this.#wallClock = wallClock
    this.#writer = new EntryWriter(state.pool, state.journalAddress)
    this.held = new HeldReplies(state.pool)
    this.access = new StoreAccess(state)
    this.compaction = new Compaction(this, state)
  }

  /** Writes are to be refused: the log has failed, or has no room. */
  get isRefusing(): boolean {
    return this.log.failure !== undefined || this.log.usedBytes > FULL * this.log.capacityBytes
  }

  get milliseconds(): number {
    return Math.floor(this.#loop.clock.now() / 1e6)
  }

  /** Expiry on the store's clock as time of day, and back. */
  toWallClock(expiresAt: number): number {
    return expiresAt === 0 ? 0 : expiresAt - this.milliseconds + this.#wallClock()
  }

  fromWallClock(expiresAt: number): number {
    return expiresAt === 0 ? 0 : Math.max(1, expiresAt - this.#wallClock() + this.milliseconds)
  }

  /** Notes what requests `from` to `to` - 1 have changed, whose keys and values still lie where they did. */
  record(batch: RequestBatch, from: number, to: number): void {
    for (let i = from; i < to; i++) {
      if (batch.result[i] !== RESULT_OK) continue
      switch (batch.opcode[i]) {
        case OP_SET:
        case OP_ADD:
        case OP_REPLACE:
        case OP_CAS:
          this.#add(
            ENTRY_PUT,
            batch.keyAddress[i],
            batch.keyLength[i],
            batch.valueAddress[i],
            batch.valueLength[i],
            batch.flags[i],
            batch.expiresAt[i],
          )
          break
        case OP_DELETE:
          this.#add(ENTRY_DELETE, batch.keyAddress[i], batch.keyLength[i], 0, 0, 0, 0)
          break
        case OP_APPEND:
        case OP_PREPEND:
        case OP_INCREMENT:
        case OP_DECREMENT:
        case OP_TOUCH:
        case OP_GET_AND_TOUCH:
          this.noteCurrent(batch.keyAddress[i], batch.keyLength[i], batch.now)
      }
    }
    this.#append()
  }

  /** What is stored under a key now, whatever it came from: the last of several changes to it. */
  noteCurrent(keyAddress: number, keyLength: number, milliseconds: number): void {
    if (!this.access.find(keyAddress, keyLength, milliseconds)) {
      this.#add(ENTRY_DELETE, keyAddress, keyLength, 0, 0, 0, 0)
      return
    }
    const { storedAddress, responseLength, responseFlags, responseExpiresAt } = this.access.batch
    this.#add(
      ENTRY_PUT,
      keyAddress,
      keyLength,
      storedAddress[0],
      responseLength[0],
      responseFlags[0],
      responseExpiresAt[0],
    )
  }

  recordClear(): void {
    this.#add(ENTRY_CLEAR, 0, 0, 0, 0, 0, 0)
    this.#append()
  }

  /** Appends what `noteCurrent` has gathered. */
  commit(): void {
    this.#append()
  }

  /** The sequence to wait for on behalf of what was recorded since the last call; 0: nothing to wait for; negative: not taken. */
  take(): number {
    const pending = this.#pending
    this.#pending = 0
    return pending > 0 && pending <= this.#durable ? 0 : pending
  }

  /** Sends a reply when `sequence` is durable. Takes over the caller's reference to `frame`. */
  hold(
    sequence: number,
    frame: number,
    address: number,
    length: number,
    peerAddress: number,
    peerPort: number,
    replies: Replies,
  ): void {
    this.#state.counters.values[C_REPLIES_HELD]++
    this.held.hold(sequence, frame, address, length, peerAddress, peerPort, replies)
  }

  /** Calls `run` when `sequence` is durable, or will never be known to be. */
  whenDurable(sequence: number, run: (isDurable: boolean) => void): void {
    if (sequence <= this.#durable) run(true)
    else this.#actions.push({ sequence, run })
  }

  /** Waits for what was recorded. @throws what has failed */
  async close(): Promise<void> {
    await this.compaction.stop()
    try {
      await this.log.sync()
      this.held.flush()
    } finally {
      await this.log.close()
    }
  }

  #add(
    type: number,
    keyAddress: number,
    keyLength: number,
    valueAddress: number,
    valueLength: number,
    flags: number,
    expiresAt: number,
  ): void {
    if (!this.#writer.fits(keyLength, valueLength)) this.#append()
    const expiry = expiresAt === 0 ? 0 : this.toWallClock(expiresAt)
    this.#writer.add(type, keyAddress, keyLength, valueAddress, valueLength, flags, expiry)
  }

  #append(): void {
    const writer = this.#writer
    if (writer.length === 0) return
    const sequence = this.log.appendRegion(writer.address, writer.length, this.#level, this.#done)
    writer.length = 0
    if (sequence < 0) this.#state.counters.values[C_JOURNAL_FAILED]++
    if (this.#pending >= 0) this.#pending = sequence
  }

  #settle(sequence: number, isDurable: boolean): void {
    if (isDurable && sequence > this.#durable) this.#durable = sequence
    const released = this.held.release(sequence, isDurable)
    if (!isDurable) this.#state.counters.values[C_JOURNAL_FAILED] += released
    while (this.#actions.length > 0 && this.#actions[0].sequence <= sequence) this.#actions.shift()?.run(isDurable)
    if (this.#flushing) return
    this.#flushing = true
    this.#loop.defer(this.#flush)
  }

  /** Counts requests that were refused. */
  refused(count: number): void {
    this.#state.counters.values[C_JOURNAL_REFUSED] += count
  }
}

/** Whether an operation may change the store. */
export function isWrite(opcode: number): boolean {
  return (opcode >= OP_SET && opcode <= OP_TOUCH) || opcode === OP_GET_AND_TOUCH
}

export function journalError(message: string, remedy: string): ParakernelError {
  return new ParakernelError('EINVAL', message, { subject: 'app.persistence', remedy })
}
