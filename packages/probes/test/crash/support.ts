import { EmulatedDisk, type EmulatedDiskOptions } from '@parakernel/emulated'
import {
  attachBlockQueue,
  BLOCK_FLUSH,
  BLOCK_WRITE,
  BlockBurst,
  BlockCompletions,
  type BlockQueue,
  createPlainWindow,
  FramePool,
  VirtualClock,
} from '@parakernel/hal'
import { type RecordBlocksOptions, type Recording, recordBlocks } from '../../src/index.ts'

export const BLOCK = 512

/** One queue of a recorded disk, a command at a time. */
export class RecordedDisk {
  readonly clock = new VirtualClock()
  readonly disk: EmulatedDisk
  readonly recording: Recording
  readonly close: () => Promise<void>
  readonly #burst = new BlockBurst(1, 1)
  readonly #completions = new BlockCompletions(8)
  readonly #frames = new Map<number, number>()
  #queue!: BlockQueue
  #pool!: FramePool
  #cookie = 0

  private constructor(disk: EmulatedDisk, recorded: ReturnType<typeof recordBlocks>) {
    this.disk = disk
    this.recording = recorded.recording
    this.close = () => recorded.device.close()
  }

  static async open(options: EmulatedDiskOptions, record: RecordBlocksOptions = {}): Promise<RecordedDisk> {
    const disk = new EmulatedDisk({ blockSize: BLOCK, ...options })
    const recorded = recordBlocks(disk, record)
    const self = new RecordedDisk(disk, recorded)
    const window = createPlainWindow(64, { frameSize: 4096, headroom: 0 })
    self.#pool = new FramePool(window)
    const blocks = disk.namespaces.get(1) as number
    const grant = recorded.device.grant(0, { namespace: 1, firstLba: 0, blocks }, window)
    self.#queue = await attachBlockQueue(grant, { pool: self.#pool, clock: self.clock })
    return self
  }

  /** Submits; each block of a write begins with `fill`. Answers the cookie. */
  submit(opcode: number, lba = 0, blocks = 0, fill = 0, flags = 0): number {
    const cookie = this.#cookie++
    this.#burst.clear()
    this.#burst.push(opcode, 1, lba, blocks, cookie, flags)
    if (opcode === BLOCK_WRITE) {
      const frame = this.#pool.allocate()
      this.#frames.set(cookie, frame)
      const start = this.#pool.address(frame)
      this.#pool.bytes.fill(fill, start, start + blocks * BLOCK)
      this.#burst.addSegment(frame, 0, blocks * BLOCK)
    }
    if (this.#queue.submit(this.#burst) !== 1 || this.#burst.refused > 0) throw new Error('refused')
    return cookie
  }

  /** The cookies of what is complete by now. */
  complete(): number[] {
    const count = this.#queue.complete(this.#completions)
    const cookies = [...this.#completions.cookie.subarray(0, count)]
    for (const cookie of cookies) {
      const frame = this.#frames.get(cookie)
      if (frame !== undefined) this.#pool.release(frame)
    }
    return cookies
  }

  write(lba: number, blocks: number, fill: number, flags = 0): void {
    this.submit(BLOCK_WRITE, lba, blocks, fill, flags)
    this.complete()
  }

  flush(): void {
    this.submit(BLOCK_FLUSH)
    this.complete()
  }
}

/** First byte of each block. */
export function blocksOf(image: Uint8Array): string {
  return Array.from({ length: image.length / BLOCK }, (_, i) => image[i * BLOCK]).join(' ')
}
