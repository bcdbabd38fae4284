import {
  BLOCK_BYTES_READ,
  BLOCK_BYTES_WRITTEN,
  BLOCK_COMPLETED,
  BLOCK_FAILED,
  BLOCK_QUEUE_FULL,
  BLOCK_READ,
  BLOCK_REFUSED,
  BLOCK_SUBMITTED,
  BLOCK_TIMEOUTS,
  BLOCK_WRITE,
  BlockBurst,
  BlockCommandCheck,
  BlockCompletions,
  type BlockQueue,
  type BlockQueueGrant,
  type Clock,
  Counters,
  GRANT_ATTACHED,
  GRANT_REMOVED,
  refuseCommand,
} from '@parakernel/hal'
import { CommandTable } from './command-table.ts'
import { DELAY, FAIL, Fates, HANG, SHORTEN, TEAR } from './fate.ts'
import { ForwardingBlockQueue } from './forwarding-queue.ts'
import {
  BLOCK_FAULT_COUNTERS,
  type BlockFaultSettings,
  COMMANDS,
  DELAYED,
  FAILED,
  GONE,
  HUNG,
  ROTTEN,
  SHORT,
  strikes,
  TORN,
} from './settings.ts'

const EIO = -5
const ENODEV = -19
const ETIMEDOUT = -110
const ECANCELED = -125
/** What was decided about the command that the device had no room for, while there is none. */
const UNDECIDED = -100

/**
 * A queue some of whose commands meet a fate. One that passes goes to the device by itself; one that fails or hangs never reaches it.
 * With nothing to strike, bursts go straight through. Allocates nothing for a command.
 */
export class BlockFaultsQueue extends ForwardingBlockQueue {
  readonly #clock: Clock
  readonly #settings: BlockFaultSettings
  readonly #active: boolean
  readonly #fates: Fates
  readonly #rots: boolean
  readonly #shared: Int32Array
  readonly #count: Float64Array
  readonly #faults: Float64Array
  readonly #check: BlockCommandCheck
  readonly #table: CommandTable
  readonly #out: BlockBurst
  readonly #in = new BlockCompletions(64)
  // By row of the table.
  readonly #opcode: Int32Array
  readonly #fate: Int32Array
  readonly #lba: Float64Array
  readonly #blocks: Int32Array
  readonly #status: Int32Array
  readonly #result: Float64Array
  readonly #due: Float64Array
  readonly #segments: BlockBurst
  /** Rows that complete when they are due; Infinity: when the grant ends. */
  readonly #held: Int32Array
  #heldCount = 0
  /** Rows that are complete: a ring. */
  readonly #ready: Int32Array
  #head = 0
  #readyCount = 0
  #decided = UNDECIDED
  /** Blocks of it that the device gets. */
  #part = 0
  #detached = false

  constructor(inner: BlockQueue, grant: BlockQueueGrant, settings: BlockFaultSettings, clock: Clock) {
    super(inner, grant)
    const { queueDepth, maxSegments } = inner.capabilities
    this.#clock = clock
    this.#settings = settings
    this.#active = strikes(settings)
    this.#shared = new Int32Array(settings.shared)
    this.#count = inner.counters.values
    this.#faults = new Counters(BLOCK_FAULT_COUNTERS, settings.counters).values
    this.#fates = new Fates(settings, grant.queue, this.#faults)
    this.#rots = this.#fates.rots
    this.#check = new BlockCommandCheck(grant, inner.pool)
    this.#table = new CommandTable(queueDepth)
    this.#out = new BlockBurst(1, maxSegments)
    this.#opcode = new Int32Array(queueDepth)
    this.#fate = new Int32Array(queueDepth)
    this.#lba = new Float64Array(queueDepth)
    this.#blocks = new Int32Array(queueDepth)
    this.#status = new Int32Array(queueDepth)
    this.#result = new Float64Array(queueDepth)
    this.#due = new Float64Array(queueDepth)
    this.#segments = new BlockBurst(queueDepth, this.#rots ? queueDepth * maxSegments : 1)
    this.#held = new Int32Array(queueDepth)
    this.#ready = new Int32Array(queueDepth)
  }

  submit(burst: BlockBurst, start = 0): number {
    if (!this.#active) return this.inner.submit(burst, start)
    burst.refused = 0
    if (!this.#isLive()) return 0
    const { count } = burst
    let i = start
    for (; i < count; i++) {
      const verdict = this.#check.check(burst, i)
      if (verdict >= 0) {
        refuseCommand(burst, i, verdict, this.#count)
        continue
      }
      if (this.#table.free === 0) {
        this.#count[BLOCK_QUEUE_FULL]++
        break
      }
      if (!this.#offer(burst, i)) break
      if (this.#settings.goneAt > 0 && this.#countDown()) return i + 1 - start
    }
    return i - start
  }

  complete(completions: BlockCompletions): number {
    if (!this.#active) return this.inner.complete(completions)
    completions.count = 0
    if (this.#detached) return 0
    this.#isLive()
    this.#collect()
    this.#releaseHeld()
    const { capacity, cookie, status, result } = completions
    let count = 0
    for (; count < capacity && this.#readyCount > 0; count++) {
      const row = this.#ready[this.#head]
      this.#head = this.#head + 1 === this.#ready.length ? 0 : this.#head + 1
      this.#readyCount--
      status[count] = this.#status[row]
      result[count] = this.#result[row]
      cookie[count] = this.#table.leave(row)
    }
    completions.count = count
    return count
  }

  override arm(): boolean {
    const work = this.inner.arm()
    return work || (this.#active && !this.#detached && this.#nextHeld() <= this.#clock.now())
  }

  override nextEvent(): number {
    const next = super.nextEvent()
    return this.#active && !this.#detached ? Math.min(next, this.#nextHeld()) : next
  }

  override detach(): void {
    this.#detached = true
    super.detach()
  }

  /** Lets command `i` meet its fate; false when the device has no room for it. */
  #offer(burst: BlockBurst, i: number): boolean {
    const opcode = burst.opcode[i]
    const blocks = burst.blocks[i]
    if (this.#decided === UNDECIDED) this.#decide(burst, i)
    const fate = this.#decided
    const part = this.#part
    this.#decided = UNDECIDED
    if (Math.abs(fate) === FAIL) {
      if (fate > 0) this.#faults[FAILED]++
      this.#finishHere(this.#enter(burst, i, FAIL), EIO, 0)
      return true
    }
    if (fate === HANG) {
      this.#faults[HUNG]++
      const { timeout } = this.#settings
      this.#hold(this.#enter(burst, i, HANG), timeout > 0 ? this.#clock.now() + timeout : Number.POSITIVE_INFINITY)
      this.#count[BLOCK_SUBMITTED]++
      return true
    }
    const cut = fate === SHORTEN || fate === TEAR
    if (part === 0 && cut) {
      this.#faults[fate === SHORTEN ? SHORT : TORN]++
      const bytes = fate === TEAR ? blocks * this.capabilities.blockSize : 0
      this.#finishHere(this.#enter(burst, i, fate), fate === TEAR ? 0 : EIO, bytes)
      if (fate === TEAR) this.#count[BLOCK_BYTES_WRITTEN] += bytes
      return true
    }
    this.#copyOut(burst, i, part)
    const row = this.#enter(burst, i, fate)
    this.#out.cookie[0] = row
    if (this.inner.submit(this.#out) === 0) {
      this.#table.leave(row)
      this.#decided = fate
      this.#part = part
      return false
    }
    if (this.#out.refused > 0) {
      // The device is stricter than its capabilities say, and has counted it.
      this.#table.leave(row)
      burst.flags[i] |= BLOCK_REFUSED
      burst.refused++
      return true
    }
    if (cut) this.#faults[fate === SHORTEN ? SHORT : TORN]++
    if (fate === DELAY) this.#faults[DELAYED]++
    if (this.#rots && opcode === BLOCK_READ) this.#keepSegments(burst, i, row)
    return true
  }

  #decide(burst: BlockBurst, i: number): void {
    const fate = this.#fates.decide(burst, i)
    this.#decided = fate
    this.#part = fate === SHORTEN || fate === TEAR ? this.#fates.part(burst.blocks[i]) : burst.blocks[i]
  }

  #enter(burst: BlockBurst, i: number, fate: number): number {
    const row = this.#table.take(burst.cookie[i])
    this.#opcode[row] = burst.opcode[i]
    this.#fate[row] = fate
    this.#lba[row] = burst.lba[i]
    this.#blocks[row] = burst.blocks[i]
    return row
  }

  /** The command for the device, with its first `blocks` blocks only. */
  #copyOut(burst: BlockBurst, i: number, blocks: number): void {
    const out = this.#out
    out.clear()
    out.push(burst.opcode[i], burst.namespace[i], burst.lba[i], blocks, 0, burst.flags[i])
    const whole = blocks === burst.blocks[i]
    let left = blocks * this.capabilities.blockSize
    const end = burst.firstSegment[i] + Math.min(burst.segmentCount[i], this.capabilities.maxSegments)
    for (let s = burst.firstSegment[i]; s < end && (whole || left > 0); s++) {
      const length = whole ? burst.length[s] : Math.min(left, burst.length[s])
      out.addSegment(burst.frame[s], burst.offset[s], length)
      left -= length
    }
  }

  /** A command that the device never saw is complete. */
  #finishHere(row: number, status: number, result: number): void {
    this.#count[BLOCK_SUBMITTED]++
    this.#finish(row, status, result)
    this.#countHere(status)
  }

  #countHere(status: number): void {
    this.#count[BLOCK_COMPLETED]++
    if (status !== 0) this.#count[BLOCK_FAILED]++
  }

  #finish(row: number, status: number, result: number): void {
    this.#status[row] = status
    this.#result[row] = result
    this.#ready[(this.#head + this.#readyCount++) % this.#ready.length] = row
  }

  #hold(row: number, due: number): void {
    this.#due[row] = due
    this.#held[this.#heldCount++] = row
  }

  /** Takes what the device has completed. */
  #collect(): void {
    const done = this.#in
    for (;;) {
      const count = this.inner.complete(done)
      for (let c = 0; c < count; c++) this.#settle(done.cookie[c], done.status[c], done.result[c])
      if (count < done.capacity) return
    }
  }

  #settle(row: number, status: number, result: number): void {
    const fate = this.#fate[row]
    if (this.#rots && status === 0 && this.#opcode[row] === BLOCK_READ) this.#spoil(row)
    if (fate === DELAY) {
      this.#status[row] = status
      this.#result[row] = result
      this.#hold(row, this.#clock.now() + this.#settings.delayTime)
    } else if (fate === SHORTEN && status === 0) {
      // The device took it for a success.
      this.#count[BLOCK_FAILED]++
      this.#count[this.#opcode[row] === BLOCK_WRITE ? BLOCK_BYTES_WRITTEN : BLOCK_BYTES_READ] -= result
      this.#finish(row, EIO, result)
    } else if (fate === TEAR && status === 0) {
      const whole = this.#blocks[row] * this.capabilities.blockSize
      this.#count[BLOCK_BYTES_WRITTEN] += whole - result
      this.#finish(row, 0, whole)
    } else this.#finish(row, status, result)
  }

  /** What is due completes; with the grant at its end, everything does. */
  #releaseHeld(): void {
    if (this.#heldCount === 0) return
    const { state } = this.control
    const ended = state !== GRANT_ATTACHED
    const now = ended ? Number.POSITIVE_INFINITY : this.#clock.now()
    for (let h = this.#heldCount - 1; h >= 0; h--) {
      const row = this.#held[h]
      if (this.#due[row] > now) continue
      this.#held[h] = this.#held[--this.#heldCount]
      if (this.#fate[row] === DELAY) this.#finish(row, this.#status[row], this.#result[row])
      else {
        const status = ended ? (state === GRANT_REMOVED ? ENODEV : ECANCELED) : ETIMEDOUT
        if (!ended) this.#count[BLOCK_TIMEOUTS]++
        this.#finish(row, status, 0)
        this.#countHere(status)
      }
    }
  }

  /** When the next held completion is due; a past time when something is ready. */
  #nextHeld(): number {
    if (this.#readyCount > 0) return 0
    let next = Number.POSITIVE_INFINITY
    if (this.#heldCount > 0 && this.control.state !== GRANT_ATTACHED) return 0
    for (let h = 0; h < this.#heldCount; h++) next = Math.min(next, this.#due[this.#held[h]])
    return next
  }

  /** False when the grant is over, as it is for every queue of a device that is gone. */
  #isLive(): boolean {
    if (this.#detached || this.control.state !== GRANT_ATTACHED) return false
    if (this.#settings.goneAt === 0 || Atomics.load(this.#shared, GONE) === 0) return true
    this.control.end(GRANT_REMOVED)
    return false
  }

  /** One command more; true when it was the device's last. */
  #countDown(): boolean {
    if (Atomics.add(this.#shared, COMMANDS, 1) + 1 < this.#settings.goneAt) return false
    Atomics.store(this.#shared, GONE, 1)
    this.control.end(GRANT_REMOVED)
    return true
  }

  #keepSegments(burst: BlockBurst, i: number, row: number): void {
    const kept = this.#segments
    const first = row * this.capabilities.maxSegments
    kept.segmentCount[row] = burst.segmentCount[i]
    for (let s = 0; s < burst.segmentCount[i]; s++) {
      const from = burst.firstSegment[i] + s
      kept.frame[first + s] = burst.frame[from]
      kept.offset[first + s] = burst.offset[from]
      kept.length[first + s] = burst.length[from]
    }
  }

  /** Flips the rotten bits of what was read. */
  #spoil(row: number): void {
    const { blockSize } = this.capabilities
    const { namespace } = this.grant.range
    for (let block = 0; block < this.#blocks[row]; block++) {
      const bit = this.#fates.rottenBit(namespace, this.#lba[row] + block, 8 * blockSize)
      if (bit < 0) continue
      this.#faults[ROTTEN]++
      this.#flip(row, block * blockSize + (bit >> 3), 1 << (bit & 7))
    }
  }

  #flip(row: number, byte: number, mask: number): void {
    const kept = this.#segments
    const first = row * this.capabilities.maxSegments
    let left = byte
    for (let s = first; s < first + kept.segmentCount[row]; s++) {
      if (left < kept.length[s]) {
        this.pool.bytes[this.pool.address(kept.frame[s]) + kept.offset[s] + left] ^= mask
        return
      }
      left -= kept.length[s]
    }
  }
}
