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
  type BlockQueueGrant,
  type Clock,
  type ControlBlock,
  Counters,
  type FramePool,
  GRANT_ATTACHED,
  GRANT_DETACHED,
  GRANT_REMOVED,
  ParakernelError,
  refuseCommand,
  takeControl,
  type WakeSource,
  WakeWord,
} from '@parakernel/hal'
import { PendingCommands } from './pending.ts'
import { draw, scatter } from './random.ts'
import { ECANCELED, ENODEV } from './status.ts'
import type { SegmentColumns, Store } from './store.ts'
import type { DiskTransport } from './transport.ts'

const RANDOM = 0

/**
 * The data half of an emulated disk. Whoever submits runs the hardware: without latency a command is done when `submit` returns;
 * with latency it runs when it is due, out of the same buffers, so that one that was written to too early shows. Accepted
 * commands live in slots of typed arrays; nothing is allocated for a command.
 */
export class DiskQueue implements BlockQueue {
  readonly grant: BlockQueueGrant
  readonly pool: FramePool
  readonly capabilities: BlockCapabilities
  readonly control: ControlBlock
  readonly counters: Counters<BlockCounter>
  readonly wake: WakeSource
  readonly #clock: Clock
  readonly #store: Store
  readonly #check: BlockCommandCheck
  readonly #count: Float64Array
  readonly #owner: number
  readonly #base: number
  readonly #unit: number
  readonly #boundary: number
  readonly #maxSegments: number
  readonly #latency: number
  readonly #jitter: number
  readonly #timed: boolean
  readonly #reorder: boolean
  readonly #random = new Int32Array(1)
  // By slot.
  readonly #opcode: Int32Array
  readonly #lba: Float64Array
  readonly #blocks: Int32Array
  readonly #flags: Int32Array
  readonly #cookie: Int32Array
  readonly #segments: Int32Array
  readonly #columns: SegmentColumns
  readonly #status: Int32Array
  readonly #result: Float64Array
  readonly #free: Int32Array
  #freeCount: number
  readonly #pending: PendingCommands
  /** Slots whose commands have run: a ring. */
  readonly #ready: Int32Array
  readonly #mask: number
  #head = 0
  #readyCount = 0
  #ended = false

  /** @throws ESTALE for a grant that is over or in use, EINVAL for a pool over another window */
  constructor(grant: BlockQueueGrant<DiskTransport>, store: Store, { pool, clock }: AttachContext) {
    const { window, capabilities, transport } = grant
    const subject = `${grant.device} queue ${grant.queue}`
    if (pool.window.region.buffer.byteLength !== window.region.buffer.byteLength || pool.base !== window.byteOffset) {
      throw new ParakernelError('EINVAL', 'the pool is not over the window that was granted', { subject })
    }
    this.control = takeControl(grant.control, subject)
    this.grant = grant
    this.pool = pool
    this.capabilities = capabilities
    this.counters = new Counters(BLOCK_COUNTERS, grant.counters)
    this.wake = { kind: 'word', word: new WakeWord(window.wake) }
    this.#clock = clock
    this.#store = store
    this.#check = new BlockCommandCheck(grant, pool)
    this.#count = this.counters.values
    this.#owner = grant.queue + 1
    this.#base = transport.base
    this.#unit = capabilities.atomicUnit
    this.#boundary = capabilities.atomicBoundary
    this.#maxSegments = capabilities.maxSegments
    this.#latency = transport.latency
    this.#jitter = transport.jitter
    this.#timed = transport.latency + transport.jitter > 0
    this.#reorder = transport.reorder
    this.#random[RANDOM] = scatter(transport.seed, grant.queue)
    const depth = capabilities.queueDepth
    const rows = depth * capabilities.maxSegments
    this.#opcode = new Int32Array(depth)
    this.#lba = new Float64Array(depth)
    this.#blocks = new Int32Array(depth)
    this.#flags = new Int32Array(depth)
    this.#cookie = new Int32Array(depth)
    this.#segments = new Int32Array(depth)
    this.#columns = { frame: new Int32Array(rows), offset: new Int32Array(rows), length: new Int32Array(rows) }
    this.#status = new Int32Array(depth)
    this.#result = new Float64Array(depth)
    this.#free = new Int32Array(depth)
    for (let i = 0; i < depth; i++) this.#free[i] = depth - 1 - i
    this.#freeCount = depth
    this.#pending = new PendingCommands(depth)
    const slots = 2 ** Math.ceil(Math.log2(depth))
    this.#ready = new Int32Array(slots)
    this.#mask = slots - 1
  }

  submit(burst: BlockBurst, start = 0): number {
    burst.refused = 0
    if (this.#ended || this.control.state !== GRANT_ATTACHED) return 0
    const timed = this.#timed
    const now = timed ? this.#clock.now() : 0
    const { count } = burst
    let i = start
    for (; i < count; i++) {
      const verdict = this.#check.check(burst, i)
      if (verdict >= 0) {
        refuseCommand(burst, i, verdict, this.#count)
        continue
      }
      if (this.#freeCount === 0) {
        this.#count[BLOCK_QUEUE_FULL]++
        break
      }
      const slot = this.#accept(burst, i)
      this.#count[BLOCK_SUBMITTED]++
      if (!timed) {
        this.#run(slot)
        continue
      }
      let due = now + this.#latency
      if (this.#jitter > 0) due += ((draw(this.#random, RANDOM) >>> 1) / 0x8000_0000) * this.#jitter
      this.#pending.due[slot] = due
      this.#pending.add(slot)
    }
    return i - start
  }

  complete(completions: BlockCompletions): number {
    completions.count = 0
    const state = this.control.state
    if (this.#ended) return 0
    const pending = this.#pending
    if (pending.size > 0) {
      if (state !== GRANT_ATTACHED) this.#abandon(state === GRANT_REMOVED ? ENODEV : ECANCELED)
      else this.#runDue()
    }
    const { capacity, cookie, status, result } = completions
    const values = this.#count
    let count = 0
    for (; count < capacity && this.#readyCount > 0; count++) {
      const slot = this.#takeReady()
      cookie[count] = this.#cookie[slot]
      const code = this.#status[slot]
      status[count] = code
      const moved = this.#result[slot]
      result[count] = moved
      if (code !== 0) values[BLOCK_FAILED]++
      else if (this.#opcode[slot] === BLOCK_READ) values[BLOCK_BYTES_READ] += moved
      else if (this.#opcode[slot] === BLOCK_WRITE) values[BLOCK_BYTES_WRITTEN] += moved
      this.#free[this.#freeCount++] = slot
    }
    values[BLOCK_COMPLETED] += count
    completions.count = count
    return count
  }

  arm(): boolean {
    if (this.#ended) return false
    if (this.#readyCount > 0) return true
    if (this.#pending.size === 0) return false
    return this.control.state !== GRANT_ATTACHED || this.#pending.due[this.#pending.first] <= this.#clock.now()
  }

  nextEvent(): number {
    if (this.#ended) return Number.POSITIVE_INFINITY
    if (this.#readyCount > 0) return 0
    if (this.#pending.size === 0) return Number.POSITIVE_INFINITY
    return this.control.state === GRANT_ATTACHED ? this.#pending.due[this.#pending.first] : 0
  }

  detach(): void {
    if (this.#ended) return
    this.#ended = true
    this.control.transition(GRANT_ATTACHED, GRANT_DETACHED)
  }

  /** @internal Power fails: of the writes that are under way, a random legal part reaches the cache. */
  spill(random: () => number): void {
    const pending = this.#pending
    const slots = Array.from({ length: pending.size }, (_, i) => pending.at(i)).filter(
      (slot) => this.#opcode[slot] === BLOCK_WRITE,
    )
    for (let left = slots.length; left > 0; left--) {
      const pick = Math.floor(random() * left)
      const slot = slots[pick]
      slots[pick] = slots[left - 1]
      if (this.#isAtomic(slot)) {
        if (random() < 0.5) this.#runWrite(slot)
      } else this.#tear(slot, random)
    }
  }

  #accept(burst: BlockBurst, i: number): number {
    const slot = this.#free[--this.#freeCount]
    const opcode = burst.opcode[i]
    this.#opcode[slot] = opcode
    this.#lba[slot] = burst.lba[i]
    this.#blocks[slot] = burst.blocks[i]
    this.#flags[slot] = burst.flags[i]
    this.#cookie[slot] = burst.cookie[i]
    const data = opcode === BLOCK_READ || opcode === BLOCK_WRITE || opcode === BLOCK_COMPARE
    const segments = data ? burst.segmentCount[i] : 0
    this.#segments[slot] = segments
    const { frame, offset, length } = this.#columns
    let to = slot * this.#maxSegments
    const from = burst.firstSegment[i]
    for (let s = from; s < from + segments; s++, to++) {
      frame[to] = burst.frame[s]
      offset[to] = burst.offset[s]
      length[to] = burst.length[s]
    }
    return slot
  }

  /** Does what the command says, now. */
  #run(slot: number): void {
    const store = this.#store
    const opcode = this.#opcode[slot]
    const blocks = this.#blocks[slot]
    const first = slot * this.#maxSegments
    let status = 0
    let result = 0
    if (opcode === BLOCK_READ) {
      store.read(this.#base + this.#lba[slot], this.pool, this.#columns, first, this.#segments[slot])
      result = blocks * store.blockSize
    } else if (opcode === BLOCK_WRITE) {
      status = this.#runWrite(slot)
      if (status === 0) result = blocks * store.blockSize
    } else if (opcode === BLOCK_FLUSH) status = store.flush(this.#owner)
    else if (opcode === BLOCK_COMPARE) {
      status = store.compare(this.#base + this.#lba[slot], this.pool, this.#columns, first, this.#segments[slot])
      if (status === 0) result = blocks * store.blockSize
    } else {
      const through = opcode !== BLOCK_DEALLOCATE && (this.#flags[slot] & BLOCK_FUA) !== 0
      status = store.zero(this.#base + this.#lba[slot], blocks, this.#isAtomic(slot), through, this.#owner)
    }
    this.#status[slot] = status
    this.#result[slot] = result
    this.#ready[(this.#head + this.#readyCount++) & this.#mask] = slot
  }

  #runWrite(slot: number): number {
    return this.#store.write(
      this.#base + this.#lba[slot],
      this.#blocks[slot],
      this.#isAtomic(slot),
      (this.#flags[slot] & BLOCK_FUA) !== 0,
      this.#owner,
      this.pool,
      this.#columns,
      slot * this.#maxSegments,
      this.#segments[slot],
    )
  }

  /** Whether the command is whole or not there at all after a power cut. A deallocation makes no promise. */
  #isAtomic(slot: number): boolean {
    const blocks = this.#blocks[slot]
    if (blocks === 1) return true
    if (blocks > this.#unit || this.#opcode[slot] === BLOCK_DEALLOCATE) return false
    const boundary = this.#boundary
    if (boundary === 0) return true
    const lba = this.#lba[slot]
    return Math.floor(lba / boundary) === Math.floor((lba + blocks - 1) / boundary)
  }

  /** Writes a random part of the blocks. */
  #tear(slot: number, random: () => number): void {
    const { blockSize } = this.#store
    const first = slot * this.#maxSegments
    const bytes = new Uint8Array(this.#blocks[slot] * blockSize)
    let at = 0
    for (let s = first; s < first + this.#segments[slot]; s++) {
      const start = this.pool.address(this.#columns.frame[s]) + this.#columns.offset[s]
      bytes.set(this.pool.bytes.subarray(start, start + this.#columns.length[s]), at)
      at += this.#columns.length[s]
    }
    const block = this.#base + this.#lba[slot]
    for (let b = 0; b < this.#blocks[slot]; b++) {
      if (random() < 0.5)
        this.#store.writeBlock(block + b, bytes.subarray(b * blockSize, (b + 1) * blockSize), this.#owner)
    }
  }

  #runDue(): void {
    const pending = this.#pending
    const now = this.#clock.now()
    while (pending.size > 0) {
      const slot = pending.first
      if (pending.due[slot] > now) return
      pending.removeFirst()
      this.#run(slot)
    }
  }

  /** The grant is over: what did not run fails. */
  #abandon(status: number): void {
    const pending = this.#pending
    while (pending.size > 0) {
      const slot = pending.first
      pending.removeFirst()
      this.#status[slot] = status
      this.#result[slot] = 0
      this.#ready[(this.#head + this.#readyCount++) & this.#mask] = slot
    }
  }

  #takeReady(): number {
    const ready = this.#ready
    const head = this.#head & this.#mask
    if (this.#reorder && this.#readyCount > 1) {
      const pick = (this.#head + ((draw(this.#random, RANDOM) >>> 1) % this.#readyCount)) & this.#mask
      const slot = ready[pick]
      ready[pick] = ready[head]
      ready[head] = slot
    }
    this.#head = (this.#head + 1) | 0
    this.#readyCount--
    return ready[head]
  }
}
