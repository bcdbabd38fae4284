import {
  BLOCK_COMPARE,
  BLOCK_DEALLOCATE,
  BLOCK_FLUSH,
  BLOCK_FUA,
  BLOCK_READ,
  BLOCK_WRITE,
  BLOCK_WRITE_ZEROES,
  type BlockBurst,
  type FramePool,
} from '@parakernel/hal'
import {
  DSM_DEALLOCATE,
  NVM_COMPARE,
  NVM_DATASET_MANAGEMENT,
  NVM_FLUSH,
  NVM_FUA,
  NVM_READ,
  NVM_WRITE,
  NVM_WRITE_ZEROES,
} from '../spec/opcodes.ts'
import { DataPointers } from './data-pointers.ts'
import type { NvmeQueueGrant } from './grant.ts'

const TWO_32 = 0x1_0000_0000
/** Opcodes of the controller by opcodes of the burst. */
const OPCODES = new Int32Array(8)
OPCODES[BLOCK_READ] = NVM_READ
OPCODES[BLOCK_WRITE] = NVM_WRITE
OPCODES[BLOCK_FLUSH] = NVM_FLUSH
OPCODES[BLOCK_WRITE_ZEROES] = NVM_WRITE_ZEROES
OPCODES[BLOCK_DEALLOCATE] = NVM_DATASET_MANAGEMENT
OPCODES[BLOCK_COMPARE] = NVM_COMPARE

/**
 * What each slot of a queue was asked to do, as columns by slot. A command is built here and copied into the ring, so that it can be sent
 * again when the ring has long gone on.
 */
export class CommandTable {
  /** Sixteen words a slot, without the identifier. */
  readonly commands: Int32Array
  readonly cookies: Int32Array
  /** What the command moves. */
  readonly bytes: Int32Array
  /** `BLOCK_*`. */
  readonly opcodes: Int32Array
  /** How often it was sent again. */
  readonly attempts: Int32Array
  readonly #pointers: DataPointers
  readonly #blockSize: number
  readonly #maxRange: number

  constructor(grant: NvmeQueueGrant, pool: FramePool) {
    const { depth, maxRange } = grant.transport
    this.commands = new Int32Array(depth * 16)
    this.cookies = new Int32Array(depth)
    this.bytes = new Int32Array(depth)
    this.opcodes = new Int32Array(depth)
    this.attempts = new Int32Array(depth)
    this.#pointers = new DataPointers(grant, pool)
    this.#blockSize = grant.capabilities.blockSize
    this.#maxRange = maxRange
  }

  /** Dwords of the command (base specification 2.0, figure 87) in the slot's row of the table. */
  build(burst: BlockBurst, i: number, slot: number): void {
    const words = this.commands
    const at = slot << 4
    const opcode = burst.opcode[i]
    this.cookies[slot] = burst.cookie[i]
    this.opcodes[slot] = opcode
    this.bytes[slot] = 0
    this.attempts[slot] = 0
    words[at] = OPCODES[opcode]
    words[at + 1] = burst.namespace[i]
    if (opcode === BLOCK_READ || opcode === BLOCK_WRITE || opcode === BLOCK_COMPARE) {
      words[at] |= this.#pointers.write(burst, i, slot, words, at + 6)
      this.bytes[slot] = Math.imul(burst.blocks[i], this.#blockSize)
    } else if (opcode === BLOCK_DEALLOCATE) {
      words[at + 10] = this.#pointers.writeRanges(burst, i, this.#maxRange, slot, words, at + 6) - 1
      words[at + 11] = DSM_DEALLOCATE
      words[at + 12] = 0
      return
    } else {
      words[at + 6] = 0
      words[at + 7] = 0
      words[at + 8] = 0
      words[at + 9] = 0
      if (opcode === BLOCK_FLUSH) {
        words[at + 10] = 0
        words[at + 11] = 0
        words[at + 12] = 0
        return
      }
    }
    const lba = burst.lba[i]
    words[at + 10] = lba | 0
    words[at + 11] = (lba / TWO_32) | 0
    words[at + 12] = (burst.blocks[i] - 1) | ((burst.flags[i] & BLOCK_FUA) !== 0 ? NVM_FUA : 0)
  }
}
