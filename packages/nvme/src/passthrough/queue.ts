import {
  type AttachContext,
  BLOCK_BYTES_READ,
  BLOCK_BYTES_WRITTEN,
  BLOCK_COMPARE,
  BLOCK_COMPLETED,
  BLOCK_COUNTERS,
  BLOCK_DEALLOCATE,
  BLOCK_FAILED,
  BLOCK_FLUSH,
  BLOCK_FUA,
  BLOCK_MISCOMPARE,
  BLOCK_QUEUE_FULL,
  BLOCK_READ,
  BLOCK_SUBMITTED,
  BLOCK_TIMEOUTS,
  BLOCK_WRITE,
  BLOCK_WRITE_ZEROES,
  type BlockBurst,
  type BlockCapabilities,
  BlockCommandCheck,
  type BlockCompletions,
  type BlockCounter,
  type BlockQueue,
  type BlockQueueGrant,
  type ControlBlock,
  Counters,
  type FramePool,
  GRANT_ATTACHED,
  GRANT_DETACHED,
  ParakernelError,
  refuseCommand,
  takeControl,
  type WakeSource,
} from '@parakernel/hal'
import { IORING_OP_URING_CMD, type IoUring, readEventFd } from '@parakernel/linux'
import {
  DSM_DEALLOCATE,
  NVM_COMPARE,
  NVM_DATASET_MANAGEMENT,
  NVM_FUA,
  NVM_READ,
  NVM_WRITE,
  NVM_WRITE_ZEROES,
} from '../spec/opcodes.ts'
import { completionStatus, STATUS_COMPARE_FAILURE, statusNumber } from '../spec/status-error.ts'
import { NVME_URING_CMD_IO, NVME_URING_CMD_IO_VEC, RANGE_BYTES, VECTOR_BYTES } from './constants.ts'
import type { Lane } from './lane.ts'
import { MAX_SEGMENTS } from './namespace.ts'

const TWO_32 = 0x1_0000_0000
const ECANCELED = 125
const EINTR = 4
/** The kernel's driver gave a command up, or its deadline did: "Command Aborted By Host". */
const STATUS_HOST_ABORTED = 0x371
/** Opcodes of the controller by opcodes of the burst; a flush is 0. */
const OPCODES = new Int32Array(8)
OPCODES[BLOCK_READ] = NVM_READ
OPCODES[BLOCK_WRITE] = NVM_WRITE
OPCODES[BLOCK_WRITE_ZEROES] = NVM_WRITE_ZEROES
OPCODES[BLOCK_DEALLOCATE] = NVM_DATASET_MANAGEMENT
OPCODES[BLOCK_COMPARE] = NVM_COMPARE

/** Words of a submission entry at which the driver's command begins: struct nvme_uring_cmd, 18 words (linux/nvme_ioctl.h). */
const COMMAND = 12

/**
 * The data half of a queue over the kernel's driver: a ring of io_uring whose entries carry NVMe commands. One system call a burst;
 * nothing is allocated.
 */
export class PassthroughQueue implements BlockQueue {
  readonly grant: BlockQueueGrant
  readonly pool: FramePool
  readonly capabilities: BlockCapabilities
  readonly control: ControlBlock
  readonly counters: Counters<BlockCounter>
  readonly wake: WakeSource
  /** Raw status fields of the last `complete`, by entry; negative: an errno of the kernel. */
  readonly statuses: Int32Array
  readonly #lane: Lane
  readonly #ring: IoUring
  readonly #check: BlockCommandCheck
  /** The lane's vectors as words: a row of `MAX_SEGMENTS` for each slot. */
  readonly #table: Int32Array
  readonly #cookies: Int32Array
  readonly #bytes: Int32Array
  readonly #opcodes: Int32Array
  /** Slots that are free, as a stack. */
  readonly #free: Int32Array
  #freeCount: number
  #scan = 0
  /** The device has taken the queue back: what is left completes with ECANCELED. */
  #ended = false
  #detached = false

  /** @throws ESTALE for a grant that is in use or over, EINVAL for a pool of another window */
  constructor(grant: BlockQueueGrant, lane: Lane, { pool }: AttachContext) {
    const subject = `${grant.device} queue ${grant.queue}`
    if (
      pool.window.region.buffer !== grant.window.region.buffer ||
      pool.window.byteOffset !== grant.window.byteOffset
    ) {
      throw new ParakernelError('EINVAL', 'the pool is not over the window of the grant', { subject })
    }
    this.control = takeControl(grant.control, subject)
    const depth = grant.capabilities.queueDepth
    this.grant = grant
    this.pool = pool
    this.capabilities = grant.capabilities
    this.counters = new Counters(BLOCK_COUNTERS, grant.counters)
    this.wake = { kind: 'descriptor', fd: lane.wake }
    this.#lane = lane
    this.#ring = lane.ring
    this.#check = new BlockCommandCheck(grant, pool)
    this.#table = new Int32Array(lane.vectors)
    this.#cookies = new Int32Array(depth)
    this.#bytes = new Int32Array(depth)
    this.#opcodes = new Int32Array(depth).fill(-1)
    this.#free = Int32Array.from({ length: depth }, (_, i) => depth - 1 - i)
    this.#freeCount = depth
    this.statuses = new Int32Array(depth)
  }

  submit(burst: BlockBurst, start = 0): number {
    burst.refused = 0
    if (this.#ended || this.#detached) return 0
    const counters = this.counters.values
    let submitted = 0
    let i = start
    for (; i < burst.count; i++) {
      const refusal = this.#check.check(burst, i)
      if (refusal >= 0) {
        refuseCommand(burst, i, refusal, counters)
        continue
      }
      const at = this.#freeCount > 0 ? this.#ring.next() : -1
      if (at < 0) {
        counters[BLOCK_QUEUE_FULL]++
        break
      }
      this.#build(burst, i, this.#free[--this.#freeCount], at)
      submitted++
    }
    counters[BLOCK_SUBMITTED] += submitted
    this.#lane.outstanding += submitted
    // A kernel that takes less now is asked again by `complete`.
    if (submitted > 0) this.#ring.submit()
    return i - start
  }

  complete(completions: BlockCompletions): number {
    completions.count = 0
    if (this.#detached) return 0
    if (this.#ended) return this.#giveUp(completions)
    if (this.#lane.outstanding === 0) return 0
    const ring = this.#ring
    if (ring.unsubmitted > 0) ring.submit()
    const { capacity, cookie, status, result } = completions
    const most = Math.min(ring.ready(), capacity, this.statuses.length)
    if (most === 0) return 0
    let failed = 0
    let read = 0
    let written = 0
    for (let count = 0; count < most; count++) {
      const at = ring.front()
      const slot = ring.cqe[at]
      const field = ring.cqe[at + 2]
      ring.pop()
      const code = this.#statusOf(field)
      if (code !== 0) failed++
      const bytes = code === 0 ? this.#bytes[slot] : 0
      if (this.#opcodes[slot] === BLOCK_READ) read += bytes
      else if (this.#opcodes[slot] === BLOCK_WRITE) written += bytes
      cookie[count] = this.#cookies[slot]
      status[count] = code
      result[count] = bytes
      this.statuses[count] = field
      this.#opcodes[slot] = -1
      this.#free[this.#freeCount++] = slot
    }
    ring.release()
    completions.count = most
    this.#lane.outstanding -= most
    const counters = this.counters.values
    counters[BLOCK_COMPLETED] += most
    counters[BLOCK_FAILED] += failed
    counters[BLOCK_BYTES_READ] += read
    counters[BLOCK_BYTES_WRITTEN] += written
    return most
  }

  arm(): boolean {
    if (this.#detached) return false
    if (this.#ended) return this.#freeCount < this.#free.length
    readEventFd(this.#lane.wake)
    this.#ring.signalled = true
    return this.#ring.waiting
  }

  detach(): void {
    if (this.#detached) return
    this.#detached = true
    this.control.transition(GRANT_ATTACHED, GRANT_DETACHED)
  }

  /** By the device, when the kernel has answered everything and the ring is about to go. */
  end(): void {
    this.#ended = true
  }

  /** What a completion's word means to the holder: 0 or a negative errno. */
  #statusOf(field: number): number {
    if (field === 0) return 0
    if (field === -EINTR || statusNumber(field) === STATUS_HOST_ABORTED) this.counters.values[BLOCK_TIMEOUTS]++
    if (field < 0) return field
    return statusNumber(field) === STATUS_COMPARE_FAILURE ? BLOCK_MISCOMPARE : completionStatus(field)
  }

  #build(burst: BlockBurst, i: number, slot: number, at: number): void {
    const words = this.#ring.sqe
    const opcode = burst.opcode[i]
    this.#cookies[slot] = burst.cookie[i]
    this.#opcodes[slot] = opcode
    this.#bytes[slot] = 0
    words.fill(0, at, at + 32)
    words[at] = IORING_OP_URING_CMD
    words[at + 1] = this.#lane.descriptor
    words[at + 2] = NVME_URING_CMD_IO | 0
    words[at + 8] = slot
    const command = at + COMMAND
    words[command] = OPCODES[opcode]
    words[command + 1] = burst.namespace[i]
    if (opcode === BLOCK_FLUSH) return
    if (opcode === BLOCK_DEALLOCATE) {
      this.#writeRange(burst, i, slot, command)
      return
    }
    const lba = burst.lba[i]
    words[command + 10] = lba | 0
    words[command + 11] = (lba / TWO_32) | 0
    words[command + 12] = (burst.blocks[i] - 1) | ((burst.flags[i] & BLOCK_FUA) !== 0 ? NVM_FUA : 0)
    if (opcode === BLOCK_WRITE_ZEROES) return
    this.#bytes[slot] = Math.imul(burst.blocks[i], this.capabilities.blockSize)
    const first = burst.firstSegment[i]
    const count = burst.segmentCount[i]
    if (count === 1) {
      this.#point(words, command, this.#addressOf(burst, first), burst.length[first])
      return
    }
    words[at + 2] = NVME_URING_CMD_IO_VEC | 0
    const table = this.#table
    let entry = Math.imul(slot, MAX_SEGMENTS * (VECTOR_BYTES >>> 2))
    this.#point(words, command, this.#lane.vectorAddress + entry * 4, count)
    for (let s = first; s < first + count; s++) {
      const address = this.#addressOf(burst, s)
      table[entry] = address | 0
      table[entry + 1] = (address / TWO_32) | 0
      table[entry + 2] = burst.length[s]
      table[entry + 3] = 0
      entry += 4
    }
  }

  /** One range of a deallocation (NVM command set specification 1.0, section 3.2.3), in the slot's vectors. */
  #writeRange(burst: BlockBurst, i: number, slot: number, command: number): void {
    const table = this.#table
    const words = this.#ring.sqe
    const entry = Math.imul(slot, MAX_SEGMENTS * (VECTOR_BYTES >>> 2))
    const lba = burst.lba[i]
    table[entry] = 0
    table[entry + 1] = burst.blocks[i]
    table[entry + 2] = lba | 0
    table[entry + 3] = (lba / TWO_32) | 0
    this.#point(words, command, this.#lane.vectorAddress + entry * 4, RANGE_BYTES)
    words[command + 11] = DSM_DEALLOCATE
  }

  /** Address and length of the data, or of the vectors. */
  #point(words: Int32Array, command: number, address: number, length: number): void {
    words[command + 6] = address | 0
    words[command + 7] = (address / TWO_32) | 0
    words[command + 9] = length
  }

  #addressOf(burst: BlockBurst, segment: number): number {
    return this.#lane.regionAddress + this.pool.address(burst.frame[segment]) + burst.offset[segment]
  }

  /** Completes what the device took back, as far as there is room. */
  #giveUp(completions: BlockCompletions): number {
    const { capacity, cookie, status, result } = completions
    for (; this.#scan < this.#opcodes.length && completions.count < capacity; this.#scan++) {
      if (this.#opcodes[this.#scan] < 0) continue
      const i = completions.count++
      cookie[i] = this.#cookies[this.#scan]
      status[i] = -ECANCELED
      result[i] = 0
      this.#opcodes[this.#scan] = -1
      this.#free[this.#freeCount++] = this.#scan
    }
    this.counters.values[BLOCK_COMPLETED] += completions.count
    this.counters.values[BLOCK_FAILED] += completions.count
    return completions.count
  }
}
