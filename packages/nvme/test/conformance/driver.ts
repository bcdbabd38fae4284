import {
  BLOCK_READ,
  BlockBurst,
  BlockCompletions,
  type Clock,
  FramePool,
  type FrameWindow,
  VirtualClock,
} from '@parakernel/hal'
import { blockBackend, type NvmeDevice, NvmeQueue } from '../../src/index.ts'

export interface TestCommand {
  readonly opcode: number
  readonly lba?: number
  readonly blocks?: number
  readonly flags?: number
  readonly data?: Uint8Array
  /** Bytes into the first frame at which the data begin; the frames of a command follow each other. */
  readonly offset?: number
}

export interface Done {
  readonly cookie: number
  readonly status: number
  readonly result: number
}

const PATIENCE_MS = 10_000

/** A device and the queues that a test holds, driven by hand. */
export class Driver {
  readonly device: NvmeDevice
  readonly window: () => FrameWindow
  readonly #clock: Clock
  readonly #queues: NvmeQueue[] = []
  readonly #windows = new Map<number, FrameWindow>()
  readonly #completions = new BlockCompletions(64)
  #cookie = 1
  #turn = 0

  constructor(device: NvmeDevice, window: () => FrameWindow, clock: Clock) {
    this.device = device
    this.window = window
    this.#clock = clock
  }

  queue(number: number): NvmeQueue {
    let window = this.#windows.get(number)
    if (window === undefined) {
      window = this.window()
      this.#windows.set(number, window)
    }
    const blocks = this.device.namespaces.get(1) as number
    const grant = this.device.grant(number, { namespace: 1, firstLba: 0, blocks }, window)
    const queue = blockBackend.attach(structuredClone(grant), { pool: new FramePool(window), clock: this.#clock })
    if (!(queue instanceof NvmeQueue)) throw new Error('a grant of another kind')
    this.#queues.push(queue)
    return queue
  }

  releaseQueues(): void {
    for (const queue of this.#queues.splice(0)) {
      queue.detach()
      this.device.reclaim(queue.grant)
    }
  }

  async close(): Promise<void> {
    this.releaseQueues()
    await this.device.close()
  }

  pattern(blocks: number, stamp: number): Uint8Array {
    // By words: the suite runs in an emulated machine, too.
    const words = new Int32Array((blocks * this.device.capabilities.blockSize) / 4)
    const first = Math.imul(stamp + 1, 0x9e37_79b1)
    for (let i = 0; i < words.length; i++) words[i] = first + Math.imul(i, 0x0100_0193)
    return new Uint8Array(words.buffer)
  }

  /** Submits commands, each from a frame of its own on; returns how many. */
  submit(queue: NvmeQueue, commands: readonly TestCommand[]): number {
    const burst = new BlockBurst(commands.length, commands.length * 96)
    for (const command of commands) {
      const { opcode, lba = 0, blocks = 0, flags = 0, data, offset = 0 } = command
      burst.push(opcode, 1, lba, blocks, this.#cookie++, flags)
      if (opcode !== BLOCK_READ && data === undefined) continue
      this.#place(queue, burst, blocks, data, offset)
    }
    const sent = queue.submit(burst)
    if (sent !== commands.length || burst.refused > 0) throw new Error(`${sent} taken, ${burst.refused} refused`)
    return sent
  }

  async run(queue: NvmeQueue, command: TestCommand): Promise<Done & { readonly data: Uint8Array }> {
    this.#turn = 0
    this.submit(queue, [command])
    const [done] = await this.completeAll(queue, 1)
    const { offset = 0, blocks = 0 } = command
    const start = queue.pool.address(0) + offset
    const data = queue.pool.bytes.slice(start, start + blocks * queue.capabilities.blockSize)
    return { ...done, data }
  }

  async read(queue: NvmeQueue, lba: number, blocks: number): Promise<Uint8Array> {
    const { status, data } = await this.run(queue, { opcode: BLOCK_READ, lba, blocks })
    if (status !== 0) throw new Error(`a read failed with ${status}`)
    return data
  }

  async write(queue: NvmeQueue, lba: number, data: Uint8Array): Promise<void> {
    const blocks = data.length / queue.capabilities.blockSize
    const { status } = await this.run(queue, { opcode: 2, lba, blocks, data })
    if (status !== 0) throw new Error(`a write failed with ${status}`)
  }

  /** Everything that is there now. */
  completeSome(queue: NvmeQueue): Done[] {
    const list = this.#completions
    const count = queue.complete(list)
    return Array.from({ length: count }, (_, i) => ({
      cookie: list.cookie[i],
      status: list.status[i],
      result: list.result[i],
    }))
  }

  async completeAll(queue: NvmeQueue, count: number): Promise<Done[]> {
    const all: Done[] = []
    for (const end = Date.now() + PATIENCE_MS; all.length < count; ) {
      all.push(...this.completeSome(queue))
      if (Date.now() > end) throw new Error(`${all.length} of ${count} completions in ${PATIENCE_MS} ms`)
      if (this.#clock instanceof VirtualClock) this.#clock.advance(1e6)
      await new Promise((resolve) => setImmediate(resolve))
    }
    this.#turn = 0
    return all
  }

  /** Frames of a window follow each other, so a run of them is one piece of memory; a segment ends with its frame. */
  #place(queue: NvmeQueue, burst: BlockBurst, blocks: number, data: Uint8Array | undefined, offset: number): void {
    const { pool, capabilities } = queue
    let left = blocks * capabilities.blockSize
    let frame = this.#turn
    if (data === undefined) pool.bytes.fill(0xa5, pool.address(frame) + offset, pool.address(frame) + offset + left)
    else pool.bytes.set(data, pool.address(frame) + offset)
    for (let at = offset; left > 0; at = 0) {
      while (!pool.holds(frame)) pool.allocate()
      const length = Math.min(left, pool.frameSize - at)
      burst.addSegment(frame++, at, length)
      left -= length
    }
    this.#turn = frame % (pool.frameCount - 1)
  }
}
