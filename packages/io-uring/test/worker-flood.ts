import { parentPort, workerData } from 'node:worker_threads'
import { attachBlockQueue, BLOCK_READ, type BlockQueueGrant, FramePool, MonotonicClock } from '@parakernel/hal'
import { QueueUser } from './rig.ts'

/** Keeps a queue full of reads until the thread is killed. */
const grant = workerData as BlockQueueGrant
const user = new QueueUser(
  await attachBlockQueue(grant, { pool: new FramePool(grant.window), clock: new MonotonicClock() }),
)
const frames = Array.from({ length: 64 }, () => user.pool.allocate())
const read = (cookie: number) => ({
  opcode: BLOCK_READ,
  lba: (cookie * 7) % 2000,
  blocks: 2,
  cookie,
  segments: [[frames[cookie], 0, 8192]] as const,
})
user.offer(frames.map((_, cookie) => read(cookie)))
parentPort?.postMessage('running')
for (;;) {
  const n = user.queue.complete(user.done)
  for (let i = 0; i < n; i++) user.offer([read(user.done.cookie[i])])
}
