import { accessSync, constants, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type AttachContext,
  type BackendContext,
  BlockBurst,
  BlockCompletions,
  type BlockQueue,
  type BlockRange,
  createPlainWindow,
  FramePool,
  type FrameWindow,
  MonotonicClock,
} from '@parakernel/hal'
import { probeIoUring } from '@parakernel/linux'
import type { TestContext } from 'vitest'
import { blockBackend, type IoUringDevice, type IoUringOptions } from '../src/index.ts'

export const clock = new MonotonicClock()
export const BLOCK = 4096
export const MEMORY = '/dev/shm'

export function requireIoUring(context: TestContext): void {
  const found = probeIoUring()
  if (!found.available) context.skip(found.missing)
}

/** The right to write to its nodes is all that a loop device takes. */
export function canMakeLoopDevices(): boolean {
  try {
    accessSync('/dev/loop-control', constants.W_OK)
    return true
  } catch {
    return false
  }
}

/** A command in the form that tests write it in. */
export interface Command {
  readonly opcode: number
  readonly lba?: number
  readonly blocks?: number
  readonly flags?: number
  readonly cookie?: number
  /** Frame, offset and length of each segment. */
  readonly segments?: readonly (readonly [frame: number, offset: number, length: number])[]
}

export interface Outcome {
  readonly cookie: number
  readonly status: number
  readonly result: number
}

/** What a test opens, and what is closed after it. */
export class Rig {
  readonly warnings: string[] = []
  readonly context: BackendContext = { clock, warn: (message) => void this.warnings.push(message) }
  readonly #closers: (() => unknown)[] = []

  /** A folder of its own, on the disk or in memory. */
  folder(place: 'disk' | 'memory' = 'disk'): string {
    const folder = mkdtempSync(join(place === 'memory' && existsSync(MEMORY) ? MEMORY : tmpdir(), 'pk-iouring-'))
    this.onClose(() => rmSync(folder, { recursive: true, force: true }))
    return folder
  }

  onClose(close: () => unknown): void {
    this.#closers.push(close)
  }

  async open(options: Partial<IoUringOptions> = {}): Promise<IoUringDevice> {
    const path = options.path ?? join(this.folder(), 'image')
    const size = options.path === undefined || !existsSync(path) ? { size: 1 << 20 } : {}
    const device = (await blockBackend.open(
      { blockSize: BLOCK, ...size, ...options, path },
      this.context,
    )) as IoUringDevice
    this.onClose(() => device.close())
    return device
  }

  attach(device: IoUringDevice, options: { queue?: number; range?: BlockRange; window?: FrameWindow } = {}): QueueUser {
    const { queue = 0, window = createPlainWindow(64, { frameSize: 8192, headroom: 0 }) } = options
    const range = options.range ?? whole(device)
    const context: AttachContext = { pool: new FramePool(window), clock }
    return new QueueUser(blockBackend.attach(device.grant(queue, range, window), context))
  }

  async close(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close()
  }
}

export const whole = (device: { readonly namespaces: ReadonlyMap<number, number> }): BlockRange => ({
  namespace: 1,
  firstLba: 0,
  blocks: device.namespaces.get(1) ?? 0,
})

/** Drives a queue by single commands. */
export class QueueUser {
  readonly queue: BlockQueue
  readonly pool: FramePool
  readonly burst = new BlockBurst(256, 4096)
  readonly done = new BlockCompletions(256)

  constructor(queue: BlockQueue) {
    this.queue = queue
    this.pool = queue.pool
  }

  /** Offers commands as one burst; returns how many were consumed. */
  offer(commands: readonly Command[]): number {
    const { burst } = this
    burst.count = commands.length
    burst.segments = 0
    commands.forEach(({ opcode, lba = 0, blocks = 0, flags = 0, cookie = 1, segments = [] }, i) => {
      burst.opcode[i] = opcode
      burst.namespace[i] = 1
      burst.lba[i] = lba
      burst.blocks[i] = blocks
      burst.flags[i] = flags
      burst.cookie[i] = cookie
      burst.firstSegment[i] = burst.segments
      burst.segmentCount[i] = segments.length
      for (const [frame, offset, length] of segments) {
        burst.frame[burst.segments] = frame
        burst.offset[burst.segments] = offset
        burst.length[burst.segments++] = length
      }
    })
    return this.queue.submit(burst)
  }

  /** Polls until so many commands are complete. */
  collect(count: number, patience = 5000): Outcome[] {
    const outcomes: Outcome[] = []
    const deadline = Date.now() + patience
    while (outcomes.length < count && Date.now() < deadline) {
      const n = this.queue.complete(this.done)
      for (let i = 0; i < n; i++) {
        outcomes.push({ cookie: this.done.cookie[i], status: this.done.status[i], result: this.done.result[i] })
      }
    }
    return outcomes
  }

  /** One command, to its end: its completion, or `refused`. */
  run(command: Command): Outcome | 'refused' {
    if (this.offer([command]) !== 1) throw new Error('the queue takes nothing')
    if (this.burst.refused > 0) return 'refused'
    const [outcome] = this.collect(1)
    if (outcome === undefined) throw new Error('no completion')
    return outcome
  }

  /** A frame filled with one value. */
  frame(value: number): number {
    const frame = this.pool.allocate()
    const at = this.pool.address(frame)
    this.pool.bytes.fill(value, at, at + this.pool.frameSize)
    return frame
  }

  bytes(frame: number, offset: number, length: number): Uint8Array {
    const at = this.pool.address(frame) + offset
    return this.pool.bytes.slice(at, at + length)
  }
}
