import { parentPort, workerData } from 'node:worker_threads'
import { attachNetQueue, FramePool, MonotonicClock, NetBurst, type NetQueueGrant } from '@parakernel/hal'

/**
 * The other end of the cable, in a thread of its own: transmits 64-byte frames as fast as they leave, and drops what
 * comes. Runs until it is terminated.
 */
const { grant, flood } = workerData as { grant: NetQueueGrant; flood: boolean }
const pool = new FramePool(grant.window)
const queue = await attachNetQueue(grant, { pool, clock: new MonotonicClock() })
const out = new NetBurst(32)
const back = new NetBurst(64)
parentPort?.postMessage('ready')

for (;;) {
  if (flood) {
    out.count = 0
    while (out.count < out.capacity) {
      const frame = pool.allocate()
      if (frame < 0) break
      // The ethertype for local experiments (IEEE 802): no kernel answers it.
      pool.view.setInt32(pool.address(frame) + pool.headroom, -1)
      pool.view.setInt16(pool.address(frame) + pool.headroom + 4, -1)
      pool.view.setUint16(pool.address(frame) + pool.headroom + 12, 0x88b5)
      out.push(frame, pool.headroom, 64)
    }
    const sent = queue.transmit(out)
    for (let i = sent; i < out.count; i++) pool.release(out.frame[i])
  }
  queue.receive(back)
  for (let i = 0; i < back.count; i++) pool.release(back.frame[i])
}
