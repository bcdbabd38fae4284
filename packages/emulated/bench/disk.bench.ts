/**
 * What a block command costs from `submit` to `complete`, in one thread and without latency: the command's check, its slot, one copy
 * of the data and, with a volatile cache, one copy of what it overwrites. And what it costs to make a disk over an array.
 */
import {
  BLOCK_FLUSH,
  BLOCK_READ,
  BLOCK_WRITE,
  BlockBurst,
  BlockCompletions,
  createPlainWindow,
  FramePool,
} from '@parakernel/hal'
import { type BenchCase, benchCases, bestNanoseconds } from '@parakernel/tool-bench'
import { EmulatedDisk, type EmulatedDiskOptions } from '../src/index.ts'

const COMMANDS = 100_000
const BLOCKS = 4096
const clock = { now: () => 0 }

function commands(opcode: number, blockSize: number, depth: number, options: EmulatedDiskOptions): number {
  const disk = new EmulatedDisk({ blocks: BLOCKS, blockSize, ...options })
  const window = createPlainWindow(depth, { frameSize: 4096, headroom: 0 })
  const pool = new FramePool(window)
  const queue = disk.attach(disk.grant(0, { namespace: 1, firstLba: 0, blocks: BLOCKS }, window), { pool, clock })
  const frames = Array.from({ length: depth }, () => pool.allocate())
  const burst = new BlockBurst(depth, depth)
  const completions = new BlockCompletions(depth)
  let lba = 1
  const round = () => {
    burst.clear()
    for (let i = 0; i < depth; i++) {
      lba = (lba * 5 + 1) & (BLOCKS - 1)
      burst.push(opcode, 1, lba, 1, i)
      burst.addSegment(frames[i], 0, blockSize)
    }
    queue.submit(burst)
    queue.complete(completions)
  }
  const flush = () => {
    burst.clear()
    burst.push(BLOCK_FLUSH, 1, 0, 0, 0)
    queue.submit(burst)
    queue.complete(completions)
  }
  return bestNanoseconds(COMMANDS, (count) => {
    for (let done = 0; done < count; done += depth) {
      round()
      if (opcode === BLOCK_WRITE && (done & 1023) === 0) flush()
    }
  })
}

function make(): number {
  const media = new Uint8Array(262_144)
  const window = createPlainWindow(8, { frameSize: 4096, headroom: 0 })
  const pool = new FramePool(window)
  return bestNanoseconds(2_000, (count) => {
    for (let i = 0; i < count; i++) {
      const disk = new EmulatedDisk({ media, blockSize: 512 })
      disk.attach(disk.grant(0, { namespace: 1, firstLba: 0, blocks: 512 }, window), { pool, clock }).detach()
      void disk.close()
    }
  })
}

const through: EmulatedDiskOptions = { volatileCache: false }
const cases: Record<string, BenchCase> = {
  'read 4 KiB, depth 1': () => commands(BLOCK_READ, 4096, 1, through),
  'read 4 KiB, depth 32': () => commands(BLOCK_READ, 4096, 32, through),
  'read 512 B, depth 32': () => commands(BLOCK_READ, 512, 32, through),
  'write 4 KiB, depth 32, no cache': () => commands(BLOCK_WRITE, 4096, 32, through),
  'write 4 KiB, depth 32, volatile cache': () => commands(BLOCK_WRITE, 4096, 32, {}),
  'write 512 B, depth 32, volatile cache': () => commands(BLOCK_WRITE, 512, 32, {}),
  'make, attach and close a disk over 256 KiB': make,
}
await benchCases(
  import.meta,
  { title: 'emulated disk', unit: 'ns per command', better: 'less', baseline: 'read 4 KiB, depth 32' },
  cases,
)
