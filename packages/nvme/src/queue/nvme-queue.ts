import {
  type AttachContext,
  BLOCK_BYTES_READ,
  BLOCK_BYTES_WRITTEN,
  BLOCK_COMPLETED,
  BLOCK_COUNTERS,
  BLOCK_FAILED,
  BLOCK_MISCOMPARE,
  BLOCK_QUEUE_FULL,
  BLOCK_READ,
  BLOCK_SUBMITTED,
  BLOCK_WRITE,
  type BlockBurst,
  type BlockCapabilities,
  BlockCommandCheck,
  type BlockCompletions,
  type BlockCounter,
  type BlockQueue,
  type ControlBlock,
  Counters,
  type FramePool,
  GRANT_ATTACHED,
  GRANT_DETACHED,
  GRANT_RECLAIMED,
  type Host,
  type RegisterWindow,
  refuseCommand,
  takeControl,
  type WakeSource,
} from '@parakernel/hal'
import { openRegisters } from '../registers/share.ts'
import { ERRNO_NUMBERS } from '../spec/status.ts'
import {
  completionStatus,
  isRetriable,
  STATUS_ABORT_REQUESTED,
  STATUS_COMPARE_FAILURE,
  statusNumber,
} from '../spec/status-error.ts'
import type { DeviceModel } from '../transport.ts'
import { CommandTable } from './command-table.ts'
import type { NvmeQueueGrant } from './grant.ts'
import { ENDED, MARK_NONE, QueueState, SERVING } from './queue-state.ts'
import { Slots } from './slots.ts'
import { checkPool, wakeSource } from './take-grant.ts'

/**
 * The data half of a queue pair: two rings in memory that the controller reaches, and two doorbells. Per command it costs the check of
 * the lease, sixteen words built and copied, and a free slot; a burst costs one doorbell each way. Budget: 1 us for a 4 KiB command from
 * `submit` to `complete`, of which about 150 ns are used; nothing is allocated.
 *
 * A command is built in a table beside the ring, by slot, so that it can be sent again: after an error that passes, and after a reset.
 */
export class NvmeQueue implements BlockQueue {
  readonly grant: NvmeQueueGrant
  readonly pool: FramePool
  readonly capabilities: BlockCapabilities
  readonly control: ControlBlock
  readonly counters: Counters<BlockCounter>
  readonly wake: WakeSource
  /** Raw status fields of the last `complete`, by entry: `decodeStatus` reads them. 0 also where the driver made the completion. */
  readonly statuses: Int32Array
  readonly #registers: RegisterWindow
  readonly #model: DeviceModel | undefined
  readonly #host: Host | undefined
  readonly #state: QueueState
  readonly #slots: Slots
  readonly #check: BlockCommandCheck
  readonly #table: CommandTable
  readonly #words: Int32Array
  readonly #mask: number
  readonly #submissionDoorbell: number
  readonly #completionDoorbell: number
  readonly #hardwareQueue: number
  readonly #retries: number

  /** Slots that wait to be sent again. */
  readonly #again: Int32Array
  #againCount = 0
  /** Slots that a reset left without another attempt. */
  readonly #doomed: Int32Array
  #doomedCount = 0

  /** Words at which the rings in use begin. */
  #submission = 0
  #completion = 0
  #tail = 0
  /** The controller has fetched up to here: what it said last (SQHD). */
  #fetched = 0
  #rung = 0
  #head = 0
  /** Value of the phase bit of new completions. */
  #phase = 1
  #epoch = -1
  #generation = 0
  #serving = false
  /** Negative errno that outstanding commands complete with, since there is nobody to do them; 0 while there is. */
  #ending = 0
  #scan = 0
  #detached = false

  /** @throws ESTALE for a grant that is in use or over, EINVAL for a pool of another window, ENOTSUP in another thread than the model's. */
  constructor(grant: NvmeQueueGrant, { pool, host }: AttachContext) {
    const { transport } = grant
    const subject = `${grant.device} queue ${grant.queue}`
    checkPool(grant, pool, subject)
    const local = openRegisters(transport.registers, subject)
    this.control = takeControl(grant.control, subject)
    this.grant = grant
    this.pool = pool
    this.capabilities = grant.capabilities
    this.counters = new Counters(BLOCK_COUNTERS, grant.counters)
    this.wake = wakeSource(grant)
    this.#registers = local.registers
    this.#model = local.model
    this.#host = host
    const { depth } = transport
    this.#state = new QueueState(depth, transport.state)
    this.#slots = new Slots(depth, this.#state)
    this.#check = new BlockCommandCheck(grant, pool)
    this.#table = new CommandTable(grant, pool)
    this.#words = new Int32Array(transport.region.buffer)
    this.#mask = depth - 1
    this.#submissionDoorbell = transport.submissionDoorbell
    this.#completionDoorbell = transport.completionDoorbell
    this.#hardwareQueue = transport.hardwareQueue
    this.#retries = transport.retries
    this.statuses = new Int32Array(depth)
    this.#again = new Int32Array(depth)
    this.#doomed = new Int32Array(depth)
    this.#generation = this.#state.generation
    this.#useRings()
    this.#readState()
  }

  submit(burst: BlockBurst, start = 0): number {
    burst.refused = 0
    if (this.#state.epoch !== this.#epoch) this.#readState()
    if (!this.#serving) return 0
    if (this.#againCount > 0) this.#sendAgain()
    const counters = this.counters.values
    const slots = this.#slots
    const table = this.#table
    const mask = this.#mask
    let submitted = 0
    let i = start
    for (; i < burst.count; i++) {
      const refusal = this.#check.check(burst, i)
      if (refusal >= 0) {
        refuseCommand(burst, i, refusal, counters)
        continue
      }
      const slot = slots.take()
      if (slot < 0 || ((this.#tail + 1) & mask) === this.#fetched) {
        if (slot >= 0) slots.untake(slot)
        counters[BLOCK_QUEUE_FULL]++
        break
      }
      table.build(burst, i, slot)
      this.#send(slot)
      submitted++
    }
    counters[BLOCK_SUBMITTED] += submitted
    this.#ring()
    return i - start
  }

  complete(completions: BlockCompletions): number {
    completions.count = 0
    if (this.#state.epoch !== this.#epoch) this.#readState()
    if (this.#model !== undefined) {
      this.#model.run()
      if (this.#state.epoch !== this.#epoch) this.#readState()
    }
    if (this.#serving || (this.#ending !== 0 && !this.#state.broken)) this.#reap(completions)
    if (this.#ending !== 0) {
      if (this.#slots.outstanding > 0) this.#giveUp(completions)
    } else if (this.#serving) {
      if (this.#doomedCount > 0) this.#failDoomed(completions)
      if (this.#againCount > 0) {
        this.#sendAgain()
        this.#ring()
      }
    }
    return completions.count
  }

  /** With a descriptor: takes its signal back first, so that the next completion sets it anew. */
  arm(): boolean {
    if (this.wake.kind === 'descriptor' && !this.#detached) this.#host?.readEventFd(this.wake.fd)
    if (this.#model !== undefined) this.#model.run()
    if (this.#state.epoch !== this.#epoch) return true
    if (this.#ending !== 0) return this.#slots.outstanding > 0
    if (!this.#serving) return false
    return (
      this.#againCount + this.#doomedCount > 0 ||
      ((Atomics.load(this.#words, this.#completion + (this.#head << 2) + 3) >>> 16) & 1) === this.#phase
    )
  }

  nextEvent(): number {
    return this.#model === undefined || this.#detached ? Number.POSITIVE_INFINITY : this.#model.nextEvent()
  }

  detach(): void {
    if (this.#detached) return
    this.#detached = true
    this.#serving = false
    this.#ending = 0
    this.#epoch = this.#state.epoch
    // After a reclaim or a removal the state stays what it is.
    this.control.transition(GRANT_ATTACHED, GRANT_DETACHED)
    this.#state.acknowledge()
  }

  /** Copies the slot's command into the ring under a fresh identifier. The ring has room: it has an entry more than there are slots. */
  #send(slot: number): void {
    const ring = this.#words
    const { commands } = this.#table
    const from = slot << 4
    const to = this.#submission + (this.#tail << 4)
    for (let i = 1; i < 16; i++) ring[to + i] = commands[from + i]
    ring[to] = commands[from] | (this.#slots.name(slot) << 16)
    this.#tail = (this.#tail + 1) & this.#mask
  }

  #ring(): void {
    if (this.#tail === this.#rung) return
    this.#rung = this.#tail
    this.#registers.write32(this.#submissionDoorbell, this.#tail)
  }

  /** Takes what has arrived from the completion ring: the phase bit is read before the rest of an entry. */
  #reap(completions: BlockCompletions): void {
    const words = this.#words
    const slots = this.#slots
    const { capacity, cookie, status, result } = completions
    const most = Math.min(capacity, this.statuses.length)
    const before = this.#head
    let count = 0
    let failed = 0
    let read = 0
    let written = 0
    while (count < most) {
      const at = this.#completion + (this.#head << 2)
      const last = Atomics.load(words, at + 3)
      if (((last >>> 16) & 1) !== this.#phase) break
      const third = words[at + 2]
      const slot = slots.find(last & 0xffff)
      if (slot < 0 || third >>> 16 !== this.#hardwareQueue || !this.#advanceFetched(third & 0xffff)) {
        this.#breakDown()
        break
      }
      this.#head = (this.#head + 1) & this.#mask
      if (this.#head === 0) this.#phase ^= 1
      const field = last >>> 17
      let code = 0
      if (field !== 0) {
        code = this.#failure(slot, field)
        if (code > 0) continue
        if (code < 0) failed++
      }
      const bytes = code === 0 ? this.#table.bytes[slot] : 0
      if (this.#table.opcodes[slot] === BLOCK_READ) read += bytes
      else if (this.#table.opcodes[slot] === BLOCK_WRITE) written += bytes
      cookie[count] = this.#table.cookies[slot]
      status[count] = code
      result[count] = bytes
      this.statuses[count] = field
      slots.free(slot)
      count++
    }
    completions.count = count
    if (this.#head !== before && this.#serving) this.#registers.write32(this.#completionDoorbell, this.#head)
    if (count === 0) return
    const counters = this.counters.values
    counters[BLOCK_COMPLETED] += count
    counters[BLOCK_FAILED] += failed
    counters[BLOCK_BYTES_READ] += read
    counters[BLOCK_BYTES_WRITTEN] += written
  }

  /** What a status means to the holder: 0, a negative errno, or 1 when the command is sent once more. */
  #failure(slot: number, field: number): number {
    const number = statusNumber(field)
    if (number === 0) return 0
    if (number === STATUS_COMPARE_FAILURE) return BLOCK_MISCOMPARE
    const late = this.#state.marks[slot] !== MARK_NONE
    if (number === STATUS_ABORT_REQUESTED && late) return -ERRNO_NUMBERS.ETIMEDOUT
    if (this.#ending === 0 && !late && isRetriable(field) && this.#table.attempts[slot] < this.#retries) {
      this.#table.attempts[slot]++
      // The answer was given: a second one to the same identifier would be rubbish.
      this.#state.identifiers[slot] = 0
      this.#again[this.#againCount++] = slot
      return 1
    }
    return completionStatus(field)
  }

  /** The controller says how far it has read the ring; it can only be between what it said last and the tail. */
  #advanceFetched(head: number): boolean {
    const mask = this.#mask
    if (head > mask || ((head - this.#fetched) & mask) > ((this.#tail - this.#fetched) & mask)) return false
    this.#fetched = head
    return true
  }

  /** A completion that cannot be: nothing in the ring can be trusted. The control thread resets the controller. */
  #breakDown(): void {
    this.#serving = false
    this.#state.breakDown()
  }

  #sendAgain(): void {
    while (this.#againCount > 0 && ((this.#tail + 1) & this.#mask) !== this.#fetched) {
      this.#send(this.#again[--this.#againCount])
    }
  }

  /** Completes what nobody will do any more, as far as there is room. */
  #giveUp(completions: BlockCompletions): void {
    this.#againCount = 0
    this.#doomedCount = 0
    for (; this.#scan < this.#slots.capacity && completions.count < this.#room(completions); this.#scan++) {
      if (this.#slots.isUsed(this.#scan)) this.#fail(completions, this.#scan, this.#ending)
    }
  }

  #failDoomed(completions: BlockCompletions): void {
    while (this.#doomedCount > 0 && completions.count < this.#room(completions)) {
      const slot = this.#doomed[--this.#doomedCount]
      const late = this.#state.marks[slot] !== MARK_NONE
      this.#fail(completions, slot, late ? -ERRNO_NUMBERS.ETIMEDOUT : -ERRNO_NUMBERS.EIO)
    }
  }

  #room({ capacity }: BlockCompletions): number {
    return Math.min(capacity, this.statuses.length)
  }

  #fail(completions: BlockCompletions, slot: number, status: number): void {
    const i = completions.count++
    completions.cookie[i] = this.#table.cookies[slot]
    completions.status[i] = status
    completions.result[i] = 0
    this.statuses[i] = 0
    this.#slots.free(slot)
    this.counters.values[BLOCK_COMPLETED]++
    this.counters.values[BLOCK_FAILED]++
  }

  #useRings(): void {
    const { rings } = this.grant.transport
    const set = rings[this.#generation & 1]
    this.#submission = set.submission >>> 2
    this.#completion = set.completion >>> 2
    this.#tail = 0
    this.#fetched = 0
    this.#rung = 0
    this.#head = 0
    this.#phase = 1
  }

  /** The control thread changed something: a reset began or is over, or the grant is. */
  #readState(): void {
    if (this.#detached) return
    const state = this.#state
    this.#epoch = state.epoch
    const { phase } = state
    this.#serving = phase === SERVING && !state.broken
    if (phase === ENDED) {
      this.#ending = this.control.state === GRANT_RECLAIMED ? -ERRNO_NUMBERS.ECANCELED : -ERRNO_NUMBERS.ENODEV
    }
    if (state.generation !== this.#generation) this.#restart()
  }

  /**
   * The controller was reset, and forgot what it was asked. Everything outstanding is sent again, since none of it was acknowledged and
   * doing it twice changes nothing; but what had run out of time fails, and so does what was sent too often.
   */
  #restart(): void {
    this.#generation = this.#state.generation
    this.#useRings()
    this.#againCount = 0
    this.#doomedCount = 0
    for (let slot = 0; slot < this.#slots.capacity; slot++) {
      if (!this.#slots.isUsed(slot)) continue
      if (this.#state.marks[slot] !== MARK_NONE || this.#table.attempts[slot] >= this.#retries) {
        this.#doomed[this.#doomedCount++] = slot
        continue
      }
      this.#table.attempts[slot]++
      this.#state.identifiers[slot] = 0
      this.#again[this.#againCount++] = slot
    }
  }
}
