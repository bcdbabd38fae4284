import { parentPort, workerData } from 'node:worker_threads'
import { attachNetQueue, FramePool, MonotonicClock, NetBurst, type NetQueueGrant } from '@parakernel/hal'

const { grant, packet, burst: capacity } = workerData as { grant: NetQueueGrant; packet: Uint8Array; burst: number }
const pool = new FramePool(grant.window)
const queue = await attachNetQueue(grant, { pool, clock: new MonotonicClock() })
const burst = new NetBurst(capacity, queue.capabilities.columns)
parentPort?.postMessage('ready')
for (let i = 0; i < pool.frameCount; i++) pool.bytes.set(packet, pool.address(i) + pool.headroom)
// Ends when the main thread terminates the worker.
for (;;) {
  burst.count = 0
  for (let i = 0; i < capacity; i++) burst.push(pool.allocate(), pool.headroom, packet.length)
  let sent = queue.transmit(burst)
  while (sent < burst.count) sent += queue.transmit(burst, sent)
}
