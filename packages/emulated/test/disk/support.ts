import {
  BLOCK_COMPARE,
  BLOCK_READ,
  BLOCK_WRITE,
  BlockBurst,
  BlockCompletions,
  type BlockQueue,
  createPlainWindow,
  FramePool,
  VirtualClock,
} from '@parakernel/hal'
import { EmulatedDisk, type EmulatedDiskOptions } from '../../src/index.ts'

export interface Completion {
  readonly cookie: number
  readonly status: number
  readonly result: number
}

/** A disk with small blocks, one queue over all of it, and a way to run one command at a time. */
export class DiskLab {
  readonly clock = new VirtualClock()
  readonly disk: EmulatedDisk
  readonly burst = new BlockBurst(64, 256)
  queue: BlockQueue
  pool: FramePool
  #cookie = 0

  constructor(options: EmulatedDiskOptions = {}, disk?: EmulatedDisk) {
    this.disk = disk ?? new EmulatedDisk({ clock: this.clock, blocks: 64, blockSize: 512, ...options })
    ;[this.queue, this.pool] = this.open()
  }

  open(queue = 0): [BlockQueue, FramePool] {
    const { disk, clock } = this
    const window = createPlainWindow(64, { frameSize: 4096, headroom: 0 })
    const pool = new FramePool(window)
    const range = { namespace: 1, firstLba: 0, blocks: disk.namespaces.get(1) as number }
    return [disk.attach(disk.grant(queue, range, window), { pool, clock }), pool]
  }

  /** After a power cut: a queue of its own again. */
  reopen(): void {
    ;[this.queue, this.pool] = this.open()
  }

  /** Appends a command, with a frame of its own for data, filled with `fill`. */
  push(opcode: number, lba: number, blocks: number, fill = 0, flags = 0): { frame: number; cookie: number } {
    const cookie = this.#cookie++
    this.burst.push(opcode, 1, lba, blocks, cookie, flags)
    let frame = -1
    if (opcode === BLOCK_READ || opcode === BLOCK_WRITE || opcode === BLOCK_COMPARE) {
      frame = this.pool.allocate()
      const start = this.pool.address(frame)
      this.pool.bytes.fill(fill, start, start + blocks * 512)
      this.burst.addSegment(frame, 0, blocks * 512)
    }
    return { frame, cookie }
  }

  submit(): number {
    const done = this.queue.submit(this.burst)
    this.burst.count = 0
    this.burst.segments = 0
    return done
  }

  completions(limit = 64): Completion[] {
    const list = new BlockCompletions(limit)
    const count = this.queue.complete(list)
    return Array.from({ length: count }, (_, i) => ({
      cookie: list.cookie[i],
      status: list.status[i],
      result: list.result[i],
    }))
  }

  /** Runs one command to its end; answers its status. */
  run(opcode: number, lba: number, blocks: number, fill = 0, flags = 0): number {
    const { frame } = this.push(opcode, lba, blocks, fill, flags)
    this.submit()
    if (this.queue.nextEvent !== undefined) this.clock.advanceTo(this.queue.nextEvent())
    const [done] = this.completions()
    if (frame >= 0) this.pool.release(frame)
    return done.status
  }

  /** First byte of each block of a run, as reads find it. */
  bytes(lba: number, blocks: number): number[] {
    return Array.from({ length: blocks }, (_, i) => this.disk.media[(lba + i) * 512])
  }
}
