import {
  type AttachContext,
  BLOCK_BYTES_READ,
  BLOCK_BYTES_WRITTEN,
  BLOCK_COMPLETED,
  BLOCK_COUNTERS,
  BLOCK_FAILED,
  BLOCK_FLUSH,
  BLOCK_QUEUE_FULL,
  BLOCK_READ,
  BLOCK_SUBMITTED,
  BLOCK_WAKE_UPS,
  BLOCK_WRITE,
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
  GRANT_REMOVED,
  refuseCommand,
  takeControl,
  type WakeSource,
} from '@parakernel/hal'
import { ENODEV, enableIoUring, IoUring, readEventFd } from '@parakernel/linux'
import { acknowledge, ringsOf } from '../retire.ts'
import type { IoUringTransport } from '../transport.ts'
import { checkGrant } from './check-grant.ts'
import { CommandTable } from './command-table.ts'
import { EntryWriter } from './entry-writer.ts'
import { SENT_AGAIN, Unfinished } from './unfinished.ts'
import { Vectors } from './vectors.ts'

const ECANCELED = 125

/**
 * The data half of a queue: a ring that the kernel shares. A burst of commands is one system call, or none where a thread of the
 * kernel takes it; completions are read from memory. Budget: 150 ns of our own a command, and nothing allocated.
 *
 * Every call first compares the control block's epoch: of a queue that was reclaimed what is outstanding is cancelled.
 */
export class IoUringQueue implements BlockQueue {
  readonly grant: BlockQueueGrant<IoUringTransport>
  readonly pool: FramePool
  readonly capabilities: BlockCapabilities
  readonly control: ControlBlock
  readonly counters: Counters<BlockCounter>
  readonly wake: WakeSource

  readonly #check: BlockCommandCheck
  readonly #table: CommandTable
  readonly #vectors: Vectors
  readonly #writer: EntryWriter
  readonly #unfinished: Unfinished
  readonly #ring: IoUring
  /** The second ring of a queue whose device is polled. */
  readonly #other: IoUring | undefined
  readonly #blockSize: number
  readonly #regionAddress: number
  #epoch = 0
  #live = false
  #detached = false
  #armed = false
  /** The kernel had no room for all that was prepared. */
  #unsent = false
  #cancelAt = 0

  /** @throws ESTALE for a grant that is in use or over, EPERM in another process, EINVAL for a pool of another window */
  constructor(grant: BlockQueueGrant<IoUringTransport>, { pool }: AttachContext) {
    checkGrant(grant, pool)
    this.control = takeControl(grant.control, `${grant.device} queue ${grant.queue}`)
    const { transport, capabilities, window } = grant
    if (!transport.enabled)
      for (const { descriptor } of ringsOf(transport)) enableIoUring(descriptor, `${grant.device} queue ${grant.queue}`)
    this.grant = grant
    this.pool = pool
    this.capabilities = capabilities
    this.counters = new Counters(BLOCK_COUNTERS, grant.counters)
    this.wake = { kind: 'descriptor', fd: transport.wake }
    this.#check = new BlockCommandCheck(grant, pool)
    this.#ring = new IoUring(transport.ring)
    this.#other = transport.unpolledRing === null ? undefined : new IoUring(transport.unpolledRing)
    this.#table = new CommandTable(capabilities.queueDepth)
    this.#vectors = new Vectors(transport, pool)
    this.#writer = new EntryWriter(
      this.#ring,
      this.#other ?? this.#ring,
      this.#table,
      this.#vectors,
      { address: transport.regionAddress + window.byteOffset, registered: transport.registered },
      transport.zeroMethod,
      transport.deallocateMethod,
    )
    this.#unfinished = new Unfinished(this.#table, this.#vectors, this.#writer, capabilities.memoryAlignment)
    this.#blockSize = capabilities.blockSize
    this.#regionAddress = transport.regionAddress
    this.#readControl()
  }

  submit(burst: BlockBurst, start = 0): number {
    burst.refused = 0
    if (this.control.epoch !== this.#epoch) this.#readControl()
    if (!this.#live) return 0
    const { values } = this.counters
    const { count } = burst
    let accepted = 0
    let i = start
    for (; i < count; i++) {
      const refusal = this.#check.check(burst, i)
      if (refusal >= 0) {
        refuseCommand(burst, i, refusal, values)
        continue
      }
      const slot = this.#table.take()
      if (slot < 0) {
        values[BLOCK_QUEUE_FULL]++
        break
      }
      this.#start(slot, burst, i)
      accepted++
    }
    if (accepted > 0) {
      values[BLOCK_SUBMITTED] += accepted
      this.#send()
    }
    return i - start
  }

  complete(completions: BlockCompletions): number {
    completions.count = 0
    if (this.control.epoch !== this.#epoch) this.#readControl()
    if (!this.#live) return this.#cancel(completions)
    if (this.#armed) this.#disarm()
    if (this.#unsent) this.#send()
    if (this.#table.running === 0) return 0
    this.#reap(this.#ring, completions)
    if (this.#other !== undefined) this.#reap(this.#other, completions)
    const { count } = completions
    this.counters.values[BLOCK_COMPLETED] += count
    return count
  }

  arm(): boolean {
    if (this.control.epoch !== this.#epoch) this.#readControl()
    if (!this.#live) return this.#table.running > 0
    if (this.#unsent) this.#send()
    this.#ring.signalled = true
    this.#armed = true
    if (this.#other === undefined) return this.#ring.waiting || this.#unsent
    this.#other.signalled = true
    // Nothing interrupts for a device that is polled.
    return this.#table.running > 0
  }

  detach(): void {
    if (this.#detached) return
    this.#detached = true
    this.#live = false
    // After a reclaim the state stays what it is.
    this.control.transition(GRANT_ATTACHED, GRANT_DETACHED)
    this.#epoch = this.control.epoch
    acknowledge(this.grant.transport)
  }

  /** Takes a checked command into its slot and prepares its entry. */
  #start(slot: number, burst: BlockBurst, i: number): void {
    const table = this.#table
    const opcode = burst.opcode[i]
    table.cookie[slot] = burst.cookie[i]
    table.opcode[slot] = opcode
    table.flags[slot] = burst.flags[i]
    table.done[slot] = 0
    table.retries[slot] = 0
    table.vectors[slot] = 0
    if (opcode !== BLOCK_FLUSH) {
      table.offset[slot] = burst.lba[i] * this.#blockSize
      table.bytes[slot] = burst.blocks[i] * this.#blockSize
      if (opcode === BLOCK_READ || opcode === BLOCK_WRITE) {
        const first = burst.firstSegment[i]
        table.address[slot] = this.#regionAddress + this.pool.address(burst.frame[first]) + burst.offset[first]
        const segments = burst.segmentCount[i]
        table.vectors[slot] = segments === 1 ? 1 : this.#vectors.fill(slot, burst, first, segments)
      }
    }
    this.#writer.write(slot)
  }

  #send(): void {
    const ring = this.#ring
    const before = ring.enters
    let result = ring.submit()
    const other = this.#other
    let enters = ring.enters - before
    if (other !== undefined) {
      const otherBefore = other.enters
      if (other.submit() !== 0) result = -1
      enters += other.enters - otherBefore
    }
    this.#unsent = result !== 0
    this.counters.values[BLOCK_WAKE_UPS] += enters
  }

  #reap(ring: IoUring, completions: BlockCompletions): void {
    const table = this.#table
    const { cqe } = ring
    const { cookie, status, result, capacity } = completions
    const before = ring.enters
    let n = ring.ready()
    this.counters.values[BLOCK_WAKE_UPS] += ring.enters - before
    if (n <= 0) return
    const { values } = this.counters
    let count = completions.count
    let again = false
    for (; n > 0 && count < capacity; n--) {
      const at = ring.front()
      const slot = cqe[at]
      const moved = cqe[at + 2]
      ring.pop()
      // Zeros: the ring was taken away after the control block was looked at.
      if (slot < 0 || slot >= table.depth || cqe[at + 1] !== table.generation[slot] || table.state[slot] === 0) continue
      let outcome = 0
      if (moved !== table.expected[slot] || table.flags[slot] !== 0) {
        outcome = this.#unfinished.settle(slot, moved)
        if (outcome === SENT_AGAIN) {
          again = true
          continue
        }
      }
      cookie[count] = table.cookie[slot]
      status[count] = outcome
      const opcode = table.opcode[slot]
      const isTransfer = outcome === 0 && (opcode === BLOCK_READ || opcode === BLOCK_WRITE)
      result[count] = isTransfer ? table.bytes[slot] : 0
      if (isTransfer) values[opcode === BLOCK_READ ? BLOCK_BYTES_READ : BLOCK_BYTES_WRITTEN] += table.bytes[slot]
      else if (outcome !== 0) values[BLOCK_FAILED]++
      count++
      table.give(slot)
    }
    ring.release()
    completions.count = count
    if (again) this.#send()
  }

  /** After the end of a grant: what is outstanding, as many as fit. */
  #cancel(completions: BlockCompletions): number {
    const table = this.#table
    if (this.#detached || table.running === 0) return 0
    const reason = this.control.state === GRANT_REMOVED ? -ENODEV : -ECANCELED
    let count = 0
    for (; this.#cancelAt < table.depth && count < completions.capacity; this.#cancelAt++) {
      const slot = this.#cancelAt
      if (table.state[slot] === 0) continue
      completions.cookie[count] = table.cookie[slot]
      completions.status[count] = reason
      completions.result[count] = 0
      count++
      table.give(slot)
    }
    completions.count = count
    const { values } = this.counters
    values[BLOCK_COMPLETED] += count
    values[BLOCK_FAILED] += count
    return count
  }

  #disarm(): void {
    this.#armed = false
    this.#ring.signalled = false
    if (this.#other !== undefined) this.#other.signalled = false
    readEventFd(this.grant.transport.wake)
  }

  #readControl(): void {
    this.#epoch = this.control.epoch
    this.#live = this.control.state === GRANT_ATTACHED
  }
}
