import {
  BLOCK_READ,
  BLOCK_WRITE,
  BlockBurst,
  BlockCompletions,
  createPlainWindow,
  FramePool,
  MonotonicClock,
} from '@parakernel/hal'
import { DescriptorPoller } from '@parakernel/linux'
import { blockBackend, type IoUringOptions } from '../../src/index.ts'
import { BLOCK, type Load, type Rate, randomBlocks, rate } from './load.ts'

/**
 * What a thread does that finds nothing: polls on, or sleeps as the run loop does after a number of polls, until the queue's
 * descriptor is readable.
 */
export type Idle = 'spin' | 'sleep'

/** Polls before it sleeps: a few microseconds. */
const SPINS = Number(process.env.PARAKERNEL_BENCH_SPINS ?? 20)

/** The backend: what completes is replaced at once. */
export async function ours(load: Load, idle: Idle, options: Partial<IoUringOptions> = {}): Promise<Rate> {
  const { path, depth, writes, seconds } = load
  const context = { clock: new MonotonicClock(), warn: console.error }
  const device = await blockBackend.open(
    { path, queueDepth: Math.max(depth, 2), blockSize: BLOCK, ...options },
    context,
  )
  const window = createPlainWindow(depth, { frameSize: BLOCK, headroom: 0 })
  const blocks = device.namespaces.get(1) ?? 0
  const grant = device.grant(0, { namespace: 1, firstLba: 0, blocks }, window)
  const pool = new FramePool(window)
  const queue = blockBackend.attach(grant, { pool, ...context })
  const burst = new BlockBurst(depth)
  const done = new BlockCompletions(depth)
  const random = randomBlocks(blocks)
  burst.opcode.fill(writes ? BLOCK_WRITE : BLOCK_READ)
  burst.namespace.fill(1)
  burst.blocks.fill(1)
  burst.segmentCount.fill(1)
  burst.length.fill(BLOCK)
  const put = (i: number, frame: number) => {
    burst.lba[i] = random()
    burst.cookie[i] = frame
    burst.firstSegment[i] = i
    burst.frame[i] = frame
  }
  for (let i = 0; i < depth; i++) put(i, pool.allocate())
  burst.count = depth
  queue.submit(burst)

  if (queue.wake.kind !== 'descriptor') throw new Error(queue.wake.kind)
  const poller = new DescriptorPoller([queue.wake.fd])
  let idlePolls = 0
  const run = (until: number): number => {
    let operations = 0
    while (performance.now() < until) {
      for (let visit = 0; visit < 16; visit++) {
        const n = queue.complete(done)
        if (n === 0) {
          if (idle === 'sleep' && ++idlePolls > SPINS && !queue.arm()) poller.wait(1e9)
          continue
        }
        idlePolls = 0
        for (let i = 0; i < n; i++) {
          if (done.status[i] !== 0) throw new Error(`status ${done.status[i]}`)
          put(i, done.cookie[i])
        }
        burst.count = n
        if (queue.submit(burst) !== n || burst.refused > 0) throw new Error('not accepted')
        operations += n
      }
    }
    return operations
  }
  run(performance.now() + 200)
  const before = queue.counters.snapshot().wakeUps
  const cpu = process.cpuUsage()
  const start = performance.now()
  const operations = run(start + seconds * 1000)
  const result = rate(operations, start, cpu)
  const enters = (queue.counters.snapshot().wakeUps - before) / operations
  const drained = performance.now() + 5000
  for (let left = depth; left > 0 && performance.now() < drained; ) left -= queue.complete(done)
  queue.detach()
  await device.close()
  return { ...result, 'enters/op': enters }
}
