import { BLOCK_DEALLOCATE, BLOCK_FUA, BLOCK_READ, BLOCK_WRITE, BLOCK_WRITE_ZEROES } from '@parakernel/hal'
import { EAGAIN, EINTR, EINVAL, EIO, EOPNOTSUPP } from '@parakernel/linux'
import { type CommandTable, FLUSHING } from './command-table.ts'
import type { EntryWriter } from './entry-writer.ts'
import type { Vectors } from './vectors.ts'

const ENOTTY = 25
/** Times that a command is offered again which the kernel had no room for. */
const MAX_RETRIES = 1000

/** `settle` answers this when it sent what is left of a command. */
export const SENT_AGAIN = 1

/**
 * Answers that are not simply "all of it": short transfers go on where they stopped, methods that a file system does not have
 * are replaced by others, a command that is to be durable is flushed.
 */
export class Unfinished {
  readonly #table: CommandTable
  readonly #vectors: Vectors
  readonly #writer: EntryWriter
  /** What direct I/O can go on from a multiple of, in bytes; 1 without. */
  readonly #unit: number

  constructor(table: CommandTable, vectors: Vectors, writer: EntryWriter, unit: number) {
    this.#table = table
    this.#vectors = vectors
    this.#writer = writer
    this.#unit = unit
  }

  /** Returns the status of a command that is finished, 0 or a negative errno; or `SENT_AGAIN`. */
  settle(slot: number, result: number): number {
    const table = this.#table
    if (result < 0) return this.#fail(slot, result)
    if (result !== table.expected[slot]) return this.#goOn(slot, result)
    if (this.mustFlush(slot)) {
      table.state[slot] = FLUSHING
      this.#writer.write(slot)
      return SENT_AGAIN
    }
    return 0
  }

  /** Whether a command that has done its work is still to be made durable: reads and writes are by a flag of their own. */
  mustFlush(slot: number): boolean {
    const { flags, state, opcode } = this.#table
    if ((flags[slot] & BLOCK_FUA) === 0 || state[slot] === FLUSHING) return false
    return opcode[slot] === BLOCK_WRITE_ZEROES || opcode[slot] === BLOCK_DEALLOCATE
  }

  #fail(slot: number, result: number): number {
    const table = this.#table
    const writer = this.#writer
    const unsupported = result === -EOPNOTSUPP || result === -EINVAL || result === -ENOTTY
    if (result === -EAGAIN || result === -EINTR) {
      if (table.retries[slot]++ >= MAX_RETRIES) return result
    } else if (!unsupported || table.state[slot] === FLUSHING) {
      return result
    } else if (table.opcode[slot] === BLOCK_WRITE_ZEROES && writer.zeroMethod !== 'write') {
      writer.zeroMethod = 'write'
    } else if (table.opcode[slot] === BLOCK_DEALLOCATE && writer.deallocateMethod === 'discard') {
      writer.deallocateMethod = 'punch-hole'
    } else {
      return result
    }
    writer.write(slot)
    return SENT_AGAIN
  }

  #goOn(slot: number, result: number): number {
    const table = this.#table
    const before = table.done[slot]
    const after = before + result
    const done = after - (after % this.#unit)
    // Nothing moved: the end of a file that somebody cut, or a device that ends early.
    if (done <= before) return -EIO
    table.done[slot] = done
    const isTransfer = table.opcode[slot] === BLOCK_READ || table.opcode[slot] === BLOCK_WRITE
    if (table.vectors[slot] > 1 || !isTransfer) {
      table.vectors[slot] = this.#vectors.advance(slot, table.vectors[slot], done - before)
      // What is left in one piece is found from the address that the whole would have begun at.
      if (table.vectors[slot] === 1) table.address[slot] = this.#vectors.base(slot, 0) - done
    }
    this.#writer.write(slot)
    return SENT_AGAIN
  }
}
