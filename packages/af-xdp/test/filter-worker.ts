import { parentPort, workerData } from 'node:worker_threads'
import { attachNetQueue, FramePool, MonotonicClock } from '@parakernel/hal'

/** Asks for groups on the queue that it is given, says so, and goes on holding it until it is terminated. */
const { grant, multicast } = workerData
const queue = await attachNetQueue(grant, { pool: new FramePool(grant.window), clock: new MonotonicClock() })
queue.setReceiveFilter({ multicast })
parentPort?.postMessage('asked')
setInterval(() => queue.reap(), 100)
