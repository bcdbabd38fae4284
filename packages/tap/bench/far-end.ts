import { parentPort, workerData } from 'node:worker_threads'
import { attachNetQueue, FramePool, MonotonicClock, NetBurst, type NetQueueGrant } from '@parakernel/hal'
import { fillPlain, fillSuper, plainHeader, superHeaders } from './frames.ts'

/** The other end of the cable, in a thread of its own: floods, or drops what comes. Runs until it is terminated. */
const { grant, mac, own, length } = workerData as {
  grant: NetQueueGrant
  mac: string
  own: string
  /** Bytes of what is sent: 0 for nothing, above 1514 for super-frames. */
  length: number
}
const pool = new FramePool(grant.window)
const queue = await attachNetQueue(grant, { pool, clock: new MonotonicClock() })
const out = new NetBurst(32, queue.capabilities.columns)
const back = new NetBurst(64, queue.capabilities.columns)
const header = plainHeader(own, mac)
const template = superHeaders(own, mac, length)
parentPort?.postMessage('ready')

for (;;) {
  if (length > 1514) fillSuper(queue, out, template, length)
  else if (length > 0) fillPlain(queue, out, header, length)
  if (length > 0) {
    const sent = queue.transmit(out)
    for (let i = sent; i < out.count; i++) pool.release(out.frame[i])
  }
  queue.receive(back)
  for (let i = 0; i < back.count; i++) pool.release(back.frame[i])
}
