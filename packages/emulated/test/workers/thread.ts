import { parentPort, workerData } from 'node:worker_threads'
import { attachNetQueue, FramePool, MonotonicClock, NetBurst, type NetQueueGrant } from '@parakernel/hal'

interface Task {
  readonly grant: NetQueueGrant
  /** `drip` sends a packet every few milliseconds, and like `flood` never ends. */
  readonly role: 'send' | 'check' | 'flood' | 'drip'
  readonly count: number
  readonly to: readonly number[]
}

const LENGTH = 64
const { grant, role, count, to } = workerData as Task
const pool = new FramePool(grant.window)
const queue = await attachNetQueue(grant, { pool, clock: new MonotonicClock() })
const burst = new NetBurst(32, queue.capabilities.columns)
parentPort?.postMessage('ready')

/** A packet that says its number at the start and, in every other word, what follows from it. */
function write(frame: number, number: number): void {
  const start = pool.address(frame) + pool.headroom
  pool.bytes.set(to, start)
  pool.view.setUint16(start + 12, 0x88b5)
  for (let at = 16; at < LENGTH; at += 4) pool.view.setInt32(start + at, Math.imul(number, at))
  pool.view.setInt32(start + 16, number)
}

function right(frame: number, offset: number, number: number): boolean {
  const start = pool.address(frame) + offset
  if (pool.view.getInt32(start + 16) !== number) return false
  for (let at = 20; at < LENGTH; at += 4) if (pool.view.getInt32(start + at) !== Math.imul(number, at)) return false
  return true
}

let done = 0
let wrong = 0
if (role === 'check') {
  while (done < count) {
    const entries = queue.receive(burst)
    for (let i = 0; i < entries; i++) {
      if (!right(burst.frame[i], burst.offset[i], done++)) wrong++
      pool.release(burst.frame[i])
    }
    if (entries === 0 && !queue.arm()) {
      if (queue.wake.kind !== 'word') throw new Error('no word to sleep on')
      const sequence = queue.wake.word.announce()
      if (queue.arm()) queue.wake.word.cancel()
      else queue.wake.word.sleep(sequence, 1000)
    }
  }
} else {
  let next = 0
  const pause = new Int32Array(new SharedArrayBuffer(4))
  const size = role === 'drip' ? 1 : 32
  while (done < count || role !== 'send') {
    burst.count = 0
    if (role === 'drip') Atomics.wait(pause, 0, 0, 3)
    for (let i = 0; i < size && (next < count || role !== 'send'); i++) {
      const frame = pool.allocate()
      write(frame, next++)
      burst.push(frame, pool.headroom, LENGTH)
    }
    for (let at = 0; at < burst.count; ) {
      const taken = queue.transmit(burst, at)
      at += taken
      done += taken
      // The other side may share this core.
      if (taken === 0) Atomics.wait(pause, 0, 0, 0.05)
    }
  }
}
queue.detach()
parentPort?.postMessage({ done, wrong, missing: pool.frameCount - pool.available, counters: queue.counters.snapshot() })
