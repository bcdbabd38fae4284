import { parentPort, workerData } from 'node:worker_threads'
import { attachNetQueue, FramePool, MonotonicClock, NetBurst, type NetQueueGrant } from '@parakernel/hal'

/** The other end of the cable: transmits one packet over and over as fast as it leaves, and drops the answers. */
const { grant, packet } = workerData as { grant: NetQueueGrant; packet: Uint8Array }
const pool = new FramePool(grant.window)
const queue = await attachNetQueue(grant, { pool, clock: new MonotonicClock() })
const out = new NetBurst(32, queue.capabilities.columns)
const back = new NetBurst(64, queue.capabilities.columns)
parentPort?.postMessage('ready')

// Ends when the main thread terminates the worker.
for (;;) {
  out.count = 0
  while (out.count < out.capacity) {
    const frame = pool.allocate()
    if (frame < 0) break
    pool.bytes.set(packet, pool.address(frame) + pool.headroom)
    out.push(frame, pool.headroom, packet.length)
  }
  const sent = queue.transmit(out)
  for (let i = sent; i < out.count; i++) pool.release(out.frame[i])
  queue.receive(back)
  for (let i = 0; i < back.count; i++) pool.release(back.frame[i])
}
