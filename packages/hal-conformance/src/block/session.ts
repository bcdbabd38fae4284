import {
  assertNoLeaks,
  attachBlockQueue,
  BLOCK_READ,
  BLOCK_WRITE,
  BlockBurst,
  BlockCompletions,
  type BlockDevice,
  type BlockQueue,
  type BlockQueueGrant,
  type BlockRange,
  createPlainWindow,
  DebugFramePool,
  type FramePool,
  type FrameWindow,
} from '@parakernel/hal'
import type { BlockConformanceOptions, BlockFixture } from './fixture.ts'
import { BlockWorker } from './worker-holder.ts'

/** Milliseconds that the suite waits for something that must happen, unless it is told otherwise. */
export const PATIENCE = 5_000
/** Blocks that cases use, when the device has so many. */
const SPACE = 4096

export interface Segment {
  readonly frame: number
  readonly offset: number
  readonly length: number
}

/** A command as cases write it. Without segments a transfer gets frames of its own. */
export interface Command {
  readonly opcode: number
  /** Counted from the start of the session's range. */
  readonly lba?: number
  readonly blocks?: number
  readonly flags?: number
  readonly namespace?: number
  /** Of a write or compare. */
  readonly data?: Uint8Array
  readonly segments?: readonly Segment[]
}

export interface Completion {
  readonly cookie: number
  readonly status: number
  readonly result: number
}

/**
 * What one case works with. It keeps account of everything that the case opens; `finish` gives all of it back and insists that no
 * frame is missing.
 */
export class BlockSession {
  readonly fixture: BlockFixture
  /** The device under test, decorated if the suite runs over a decorator. */
  readonly device: BlockDevice
  readonly seed: number
  readonly operations: number
  readonly patience: number
  /** What the case may overwrite. */
  readonly range: BlockRange
  readonly blockSize: number
  readonly decorated: boolean
  readonly #grants: BlockQueueGrant[] = []
  readonly #queues: BlockQueue[] = []
  readonly #pools = new Set<DebugFramePool>()
  readonly #workers: BlockWorker[] = []
  readonly #completions = new BlockCompletions(64)
  #cookie = 1

  constructor(
    fixture: BlockFixture,
    device: BlockDevice,
    { seed = 1, operations = 1000, patience = PATIENCE }: Partial<BlockConformanceOptions>,
  ) {
    this.fixture = fixture
    this.device = device
    this.decorated = device !== fixture.device
    this.seed = seed
    this.operations = fixture.slow === undefined ? operations : Math.min(operations, 48)
    this.patience = patience
    this.blockSize = device.capabilities.blockSize
    const [namespace, blocks] = [...device.namespaces][0]
    this.range = fixture.range ?? { namespace, firstLba: 0, blocks: Math.min(SPACE, blocks) }
  }

  /** Frames of two blocks, and at least a page: every transfer of whole frames keeps the page rule. */
  createWindow(frameCount = 64): FrameWindow {
    const { segmentPage, memoryAlignment } = this.device.capabilities
    const frameSize = Math.max(4096, 2 * this.blockSize, segmentPage, memoryAlignment)
    const options = { frameSize, headroom: 0 }
    return this.fixture.createWindow?.(frameCount, options) ?? createPlainWindow(frameCount, options)
  }

  grant(queue = 0, range: BlockRange = this.range, window: FrameWindow = this.createWindow()): BlockQueueGrant {
    const grant = this.device.grant(queue, range, window)
    this.#grants.push(grant)
    return grant
  }

  async attach(grant: BlockQueueGrant): Promise<BlockQueue> {
    const pool = new DebugFramePool(grant.window)
    this.#pools.add(pool)
    const queue = await this.attachWith(grant, pool)
    this.#queues.push(queue)
    return queue
  }

  attachWith(grant: BlockQueueGrant, pool: FramePool): Promise<BlockQueue> {
    return attachBlockQueue(grant, { pool, ...this.fixture.context })
  }

  async open(
    queue = 0,
    options: { readonly range?: BlockRange; readonly window?: FrameWindow } = {},
  ): Promise<BlockQueue> {
    return this.attach(this.grant(queue, options.range, options.window))
  }

  async startWorker(): Promise<BlockWorker> {
    const worker = await BlockWorker.start(this.fixture.hostModule)
    this.#workers.push(worker)
    return worker
  }

  burst(capacity = 64): BlockBurst {
    return new BlockBurst(capacity, capacity * Math.min(64, this.device.capabilities.maxSegments))
  }

  /** Bytes of `blocks` blocks that follow from `stamp`, different for each block. */
  pattern(blocks: number, stamp: number): Uint8Array {
    const bytes = new Uint8Array(blocks * this.blockSize)
    for (let block = 0; block < blocks; block++) {
      const start = block * this.blockSize
      for (let i = 0; i < this.blockSize; i++) bytes[start + i] = (stamp * 31 + block * 7 + i * 3 + (i >> 8)) & 0xff
    }
    return bytes
  }

  /** Frames for `length` bytes, filled with `data`; whole frames but for the last. */
  place(queue: BlockQueue, length: number, data?: Uint8Array): Segment[] {
    const { pool } = queue
    const segments: Segment[] = []
    for (let at = 0; at < length; at += pool.frameSize) {
      const frame = pool.allocate()
      if (frame < 0) throw new Error('the pool is exhausted')
      const size = Math.min(pool.frameSize, length - at)
      const start = pool.address(frame)
      if (data === undefined) pool.bytes.fill(0xa5, start, start + size)
      else pool.bytes.set(data.subarray(at, at + size), start)
      segments.push({ frame, offset: 0, length: size })
    }
    return segments
  }

  gather(queue: BlockQueue, segments: readonly Segment[]): Uint8Array {
    return Buffer.concat(
      segments.map(({ frame, offset, length }) => {
        const start = queue.pool.address(frame) + offset
        return queue.pool.bytes.slice(start, start + length)
      }),
    )
  }

  release(queue: BlockQueue, segments: readonly Segment[]): void {
    for (const frame of new Set(segments.map((segment) => segment.frame))) queue.pool.release(frame)
  }

  /** Appends a command and answers its cookie. */
  push(burst: BlockBurst, { opcode, lba = 0, blocks = 0, flags = 0, namespace, segments = [] }: Command): number {
    const cookie = this.#cookie++
    burst.push(opcode, namespace ?? this.range.namespace, this.range.firstLba + lba, blocks, cookie, flags)
    for (const { frame, offset, length } of segments) burst.addSegment(frame, offset, length)
    return cookie
  }

  /** One `complete`, as objects. */
  completeSome(queue: BlockQueue): Completion[] {
    const list = this.#completions
    const count = queue.complete(list)
    return Array.from({ length: count }, (_, i) => ({
      cookie: list.cookie[i],
      status: list.status[i],
      result: list.result[i],
    }))
  }

  /** Waits until `count` completions came. */
  async completeAll(queue: BlockQueue, count: number): Promise<Completion[]> {
    const all: Completion[] = []
    await this.until(`${count} completions`, () => {
      all.push(...this.completeSome(queue))
      return all.length >= count
    })
    return all
  }

  /** Submits one command that must be accepted, waits for its end, and answers that with the data of a read. */
  async run(queue: BlockQueue, command: Command): Promise<Completion & { readonly data: Uint8Array }> {
    const { opcode, blocks = 0, data } = command
    const transfer = opcode === BLOCK_READ || data !== undefined
    const own = command.segments === undefined && transfer
    const segments = own ? this.place(queue, blocks * this.blockSize, data) : (command.segments ?? [])
    const burst = this.burst(1)
    const cookie = this.push(burst, { ...command, segments })
    if (queue.submit(burst) !== 1 || burst.refused > 0) throw new Error('the command was not accepted')
    const [completion] = await this.completeAll(queue, 1)
    if (completion.cookie !== cookie) throw new Error(`cookie ${completion.cookie} came back instead of ${cookie}`)
    const found = this.gather(queue, segments)
    if (own) this.release(queue, segments)
    return { ...completion, data: found }
  }

  /** Reads; long runs by several commands. @throws when the device fails */
  async read(queue: BlockQueue, lba: number, blocks: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = []
    for (let at = 0; at < blocks; ) {
      const step = Math.min(blocks - at, this.longest(queue))
      const { status, result, data } = await this.run(queue, { opcode: BLOCK_READ, lba: lba + at, blocks: step })
      if (status !== 0) throw new Error(`a read failed with ${status}`)
      if (result !== step * this.blockSize)
        throw new Error(`a read of ${step} blocks says that it moved ${result} bytes`)
      parts.push(data)
      at += step
    }
    return Buffer.concat(parts)
  }

  /** Writes; long runs by several commands. @throws when the device fails */
  async write(queue: BlockQueue, lba: number, data: Uint8Array, flags = 0): Promise<void> {
    const blocks = data.length / this.blockSize
    for (let at = 0; at < blocks; ) {
      const step = Math.min(blocks - at, this.longest(queue))
      const part = data.subarray(at * this.blockSize, (at + step) * this.blockSize)
      const { status } = await this.run(queue, { opcode: BLOCK_WRITE, lba: lba + at, blocks: step, flags, data: part })
      if (status !== 0) throw new Error(`a write failed with ${status}`)
      at += step
    }
  }

  /** Blocks that one command can move with the frames of `createWindow`. */
  longest(queue: BlockQueue): number {
    const { maxTransfer, maxSegments } = queue.capabilities
    const perFrame = queue.pool.frameSize / this.blockSize
    return Math.min(maxTransfer, Math.floor(Math.min(maxSegments, 32) * perFrame))
  }

  /** Polls until `done` says so, and lets the fixture advance between. @throws after `patience` */
  async until(what: string, done: () => boolean | Promise<boolean>): Promise<void> {
    const end = performance.now() + this.patience
    for (let round = 0; ; round++) {
      if (await done()) return
      if (performance.now() > end) throw new Error(`waited ${this.patience} ms for ${what}`)
      await this.fixture.advance?.()
      if (round % 16 === 15) await new Promise((resolve) => setImmediate(resolve))
    }
  }

  async quiet(milliseconds = 30): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, milliseconds))
  }

  close(queue: BlockQueue): void {
    queue.detach()
    this.device.reclaim(queue.grant)
  }

  /** Frames of this queue are given up on purpose. */
  abandon(queue: BlockQueue): void {
    this.#pools.delete(queue.pool as DebugFramePool)
  }

  /** Gives everything back. @throws EFAULT when a frame is missing */
  async finish(): Promise<void> {
    for (const worker of this.#workers) await worker.release()
    for (const queue of this.#queues) queue.detach()
    for (const grant of this.#grants) this.device.reclaim(grant)
    for (const pool of this.#pools) {
      const report = pool.report()
      if (report !== '') throw new Error(`frames were not given back:\n${report}`)
      assertNoLeaks(pool)
    }
  }
}
