import { parentPort, workerData } from 'node:worker_threads'
import { attachNetQueue, FramePool, MonotonicClock, NetBurst, type NetQueueGrant, WakeWord } from '@parakernel/hal'
import { LinuxHost } from '@parakernel/linux'

/** A partition in small: sleeps in poll(2) on its queue and on its eventfd, and tells what it found at each wake-up. */
const { grant, eventFd } = workerData as { grant: NetQueueGrant; eventFd: number }
const host = new LinuxHost()
const pool = new FramePool(grant.window)
const queue = await attachNetQueue(grant, { pool, clock: new MonotonicClock(), host })
if (queue.wake.kind !== 'descriptor') throw new Error('the queue has no descriptor')
new WakeWord(grant.window.wake).eventFd = eventFd
const poller = host.createPoller([queue.wake.fd, eventFd])
const burst = new NetBurst(32)
parentPort?.postMessage({ state: queue.control.state, received: 0 })
for (let state = 1; state === 1; ) {
  if (!queue.arm()) poller.wait(10e9)
  host.readEventFd(eventFd)
  const received = queue.receive(burst)
  for (let i = 0; i < received; i++) pool.release(burst.frame[i])
  state = queue.control.state
  parentPort?.postMessage({ state, received })
}
queue.detach()
parentPort?.postMessage({ state: -1, received: pool.available })
