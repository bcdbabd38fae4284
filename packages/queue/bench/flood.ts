import { parentPort, workerData } from 'node:worker_threads'
import { attachNetQueue, FramePool, MonotonicClock, NetBurst, type NetQueueGrant } from '@parakernel/hal'

/**
 * A flood from the far end of the cable, in a thread of its own, at a steady rate: of every hundred frames one is wanted. Ends when
 * `stop` is set, and tells how many it sent and the CPU time that they took, the receiving side of the cable's softirq included.
 */
const { grant, rate, stop } = workerData as { grant: NetQueueGrant; rate: number; stop: Int32Array }
const pool = new FramePool(grant.window)
const queue = await attachNetQueue(grant, { pool, clock: new MonotonicClock() })
const burst = new NetBurst(20)
const interval = (burst.capacity / rate) * 1000
let sent = 0
let number = 0
parentPort?.postMessage('ready')

const cpu = process.threadCpuUsage()
for (let next = performance.now(); Atomics.load(stop, 0) === 0; next += interval) {
  while (performance.now() < next) queue.reap()
  burst.count = 0
  while (burst.count < burst.capacity) {
    const frame = pool.allocate()
    if (frame < 0) break
    const at = pool.address(frame) + pool.headroom
    pool.view.setInt32(at, -1)
    pool.view.setInt16(at + 4, -1)
    pool.view.setUint16(at + 12, 0x88b5)
    pool.view.setUint8(at + 14, number++ % 100)
    burst.push(frame, pool.headroom, 64)
  }
  const taken = queue.transmit(burst)
  for (let i = taken; i < burst.count; i++) pool.release(burst.frame[i])
  sent += taken
}
const { user, system } = process.threadCpuUsage(cpu)
parentPort?.postMessage({ sent, user, system })
