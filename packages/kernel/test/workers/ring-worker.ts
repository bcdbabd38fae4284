import { parentPort, workerData } from 'node:worker_threads'
import { MonotonicClock } from '@parakernel/hal'
import { RingConsumer, type RingDescriptor, RingProducer, RunLoop, type WaitPolicy } from '../../src/index.ts'
import { fakeHost } from '../helpers/fake-host.ts'

export interface RingWorkerData {
  readonly role: 'produce' | 'echo'
  readonly out: RingDescriptor
  readonly in: RingDescriptor | undefined
  readonly count: number
  readonly batch: number
  /** Nanoseconds between batches, at random up to this. */
  readonly pause: number
  readonly wait: WaitPolicy
  /** Shared memory of a fake host, whose poll(2) the echo sleeps in. */
  readonly host: SharedArrayBuffer | undefined
  readonly seed: number
}

const data = workerData as RingWorkerData
const host = data.host === undefined ? undefined : fakeHost(data.host)
const producer = new RingProducer(data.out, host)

if (data.role === 'produce') produce()
else echo()

/** Numbered messages in batches of random size, each with its number in the first and the last word. */
function produce(): void {
  const clock = new MonotonicClock()
  const { words, slotBytes } = producer
  let random = data.seed
  for (let sent = 0; sent < data.count; ) {
    random = (Math.imul(random, 1_103_515_245) + 12_345) & 0x7fff_ffff
    const batch = 1 + (random % data.batch)
    for (let i = 0; i < batch && sent < data.count; i++) {
      const at = producer.claim()
      if (at < 0) break
      words[at >> 2] = sent
      words[(at + slotBytes - 4) >> 2] = ~sent
      sent++
    }
    producer.publish()
    if (data.pause > 0) {
      const until = clock.now() + (random % data.pause)
      while (clock.now() < until);
    }
  }
  parentPort?.postMessage('done')
}

/** Answers each message with its own content, sleeping by policy when there is none. */
function echo(): void {
  const consumer = new RingConsumer(data.in as RingDescriptor)
  const loop = new RunLoop({ wait: data.wait, ...(host === undefined ? {} : { host }) })
  let echoed = 0
  loop.add({
    wake: consumer.wake,
    arm: () => consumer.arm(),
    poll() {
      for (let at = consumer.take(); at >= 0; at = consumer.take()) {
        let out = producer.claim()
        while (out < 0) out = producer.claim()
        producer.words[out >> 2] = consumer.words[at >> 2]
        echoed++
      }
      producer.publish()
      return consumer.release()
    },
  })
  if (host !== undefined) {
    // A descriptor that never becomes ready: it makes the loop sleep in poll(2) instead of on the word.
    loop.add({ poll: () => 0, wake: { kind: 'descriptor', fd: host.createEventFd() }, arm: () => false })
  }
  const done = loop.runUntil(() => echoed === data.count, loop.clock.now() + 60e9)
  parentPort?.postMessage({ done, ...loop.counters.snapshot() })
}
