import { BLOCK_DEALLOCATE, BLOCK_FLUSH, BLOCK_FUA, BLOCK_READ, BLOCK_WRITE } from '@parakernel/hal'
import {
  BLOCK_URING_CMD_DISCARD,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_ZERO_RANGE,
  FIXED_BUFFER_MAX,
  IORING_FSYNC_DATASYNC,
  IORING_OP_FALLOCATE,
  IORING_OP_FSYNC,
  IORING_OP_READ,
  IORING_OP_READ_FIXED,
  IORING_OP_READV,
  IORING_OP_URING_CMD,
  IORING_OP_WRITE,
  IORING_OP_WRITE_FIXED,
  IORING_OP_WRITEV,
  IOSQE_FIXED_FILE,
  type IoUring,
  RWF_DSYNC,
} from '@parakernel/linux'
import type { DeallocateMethod, ZeroMethod } from '../transport.ts'
import { type CommandTable, FLUSHING } from './command-table.ts'
import type { Vectors } from './vectors.ts'

/** File 0 of the ring, in the second byte of an entry. */
const FIXED = IOSQE_FIXED_FILE << 8
const TARGET = 0

/** Where the window is, and whether it is registered. */
export interface WindowMemory {
  readonly address: number
  readonly registered: boolean
}

/** Writes the submission entry of a slot's command, or of what is left of it. */
export class EntryWriter {
  zeroMethod: ZeroMethod
  deallocateMethod: DeallocateMethod
  readonly #ring: IoUring
  /** For what cannot be polled for; the same one unless the device is polled. */
  readonly #other: IoUring
  readonly #table: CommandTable
  readonly #vectors: Vectors
  readonly #windowAddress: number
  readonly #registered: boolean

  constructor(
    ring: IoUring,
    other: IoUring,
    table: CommandTable,
    vectors: Vectors,
    window: WindowMemory,
    zeroMethod: ZeroMethod,
    deallocateMethod: DeallocateMethod,
  ) {
    this.#ring = ring
    this.#other = other
    this.#table = table
    this.#vectors = vectors
    this.#windowAddress = window.address
    this.#registered = window.registered
    this.zeroMethod = zeroMethod
    this.deallocateMethod = deallocateMethod
  }

  write(slot: number): void {
    const { opcode, state } = this.#table
    if (state[slot] === FLUSHING || opcode[slot] === BLOCK_FLUSH) this.#flush(slot)
    else if (opcode[slot] === BLOCK_READ || opcode[slot] === BLOCK_WRITE) this.#transfer(slot)
    else if (opcode[slot] === BLOCK_DEALLOCATE) this.#deallocate(slot)
    else this.#zero(slot)
  }

  #transfer(slot: number): void {
    const table = this.#table
    const reads = table.opcode[slot] === BLOCK_READ
    const done = table.done[slot]
    const length = table.bytes[slot] - done
    const offset = table.offset[slot] + done
    const flags = !reads && (table.flags[slot] & BLOCK_FUA) !== 0 ? RWF_DSYNC : 0
    table.expected[slot] = length
    const ring = this.#ring
    const at = ring.next()
    // The ring was taken away a moment ago; the command ends with the grant.
    if (at < 0) return
    if (table.vectors[slot] > 1) {
      const opcode = reads ? IORING_OP_READV : IORING_OP_WRITEV
      ring.prepare(at, opcode | FIXED, TARGET, offset, this.#vectors.address(slot), table.vectors[slot], flags, slot)
    } else {
      const address = table.address[slot] + done
      const from = address - this.#windowAddress
      const buffer = (from / FIXED_BUFFER_MAX) | 0
      if (this.#registered && from + length <= (buffer + 1) * FIXED_BUFFER_MAX) {
        const opcode = reads ? IORING_OP_READ_FIXED : IORING_OP_WRITE_FIXED
        ring.prepare(at, opcode | FIXED, TARGET, offset, address, length, flags, slot)
        ring.sqe[at + 10] = buffer
      } else {
        ring.prepare(
          at,
          (reads ? IORING_OP_READ : IORING_OP_WRITE) | FIXED,
          TARGET,
          offset,
          address,
          length,
          flags,
          slot,
        )
      }
    }
    ring.sqe[at + 9] = table.generation[slot]
  }

  #flush(slot: number): void {
    this.#prepareOther(slot, IORING_OP_FSYNC, 0, 0, 0, IORING_FSYNC_DATASYNC)
  }

  #deallocate(slot: number): void {
    const { offset, bytes } = this.#table
    if (this.deallocateMethod === 'discard') {
      // Start in `addr`, length in `addr3`, the command where others have the offset.
      const at = this.#prepareOther(slot, IORING_OP_URING_CMD, BLOCK_URING_CMD_DISCARD, offset[slot], 0, 0)
      if (at < 0) return
      const { sqe } = this.#other
      sqe[at + 12] = bytes[slot] | 0
      sqe[at + 13] = (bytes[slot] / 0x1_0000_0000) | 0
      return
    }
    const mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
    this.#prepareOther(slot, IORING_OP_FALLOCATE, offset[slot], bytes[slot], mode, 0)
  }

  #zero(slot: number): void {
    const table = this.#table
    const { offset, bytes } = table
    if (this.zeroMethod === 'write') {
      if (table.vectors[slot] === 0) table.vectors[slot] = this.#vectors.fillZeros(slot, bytes[slot])
      const start = offset[slot] + table.done[slot]
      const vectors = this.#vectors.address(slot)
      this.#prepareOther(slot, IORING_OP_WRITEV, start, vectors, table.vectors[slot], 0)
      table.expected[slot] = bytes[slot] - table.done[slot]
      return
    }
    const how = this.zeroMethod === 'punch-hole' ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE
    this.#prepareOther(slot, IORING_OP_FALLOCATE, offset[slot], bytes[slot], how | FALLOC_FL_KEEP_SIZE, 0)
  }

  #prepareOther(slot: number, opcode: number, offset: number, address: number, length: number, flags: number): number {
    const ring = this.#other
    const table = this.#table
    table.expected[slot] = 0
    const at = ring.next()
    if (at < 0) return at
    ring.prepare(at, opcode | FIXED, TARGET, offset, address, length, flags, slot)
    ring.sqe[at + 9] = table.generation[slot]
    return at
  }
}
