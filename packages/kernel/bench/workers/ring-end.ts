import { parentPort, workerData } from 'node:worker_threads'
import { RingConsumer, type RingDescriptor, RingProducer } from '../../src/index.ts'

const { role, ring, count, batch, gate } = workerData as {
  role: 'produce' | 'consume'
  ring: RingDescriptor
  count: number
  batch: number
  gate: SharedArrayBuffer
}

// Two words: how many ends are ready, and the sum that the consumer found.
const shared = new Int32Array(gate)

function produce(producer: RingProducer): void {
  const { words } = producer
  for (let sent = 0; sent < count; ) {
    for (let i = 0; i < batch; i++) {
      const at = producer.claim()
      if (at < 0) break
      words[at >> 2] = sent
      words[(at >> 2) + 15] = 1
      sent++
    }
    producer.publish()
  }
}

/** Messages a second of the best window of this many, so that a stolen core does not count. */
const WINDOW = 32_768

function consume(consumer: RingConsumer): { seconds: number; best: number; right: boolean } {
  const { words } = consumer
  let taken = 0
  let right = true
  const start = performance.now()
  let windowStart = start
  let windowEnd = WINDOW
  let best = 0
  while (taken < count) {
    for (let i = 0; i < batch; i++) {
      const at = consumer.take()
      if (at < 0) break
      if (words[at >> 2] !== taken || words[(at >> 2) + 15] !== 1) right = false
      taken++
    }
    consumer.release()
    if (taken >= windowEnd) {
      const now = performance.now()
      best = Math.max(best, (WINDOW / (now - windowStart)) * 1000)
      windowStart = now
      windowEnd += WINDOW
    }
  }
  return { seconds: (performance.now() - start) / 1000, best, right }
}

function warmUp(): void {
  const own = { ...ring, buffer: new SharedArrayBuffer(ring.buffer.byteLength), wake: new SharedArrayBuffer(64) }
  const [producer, consumer] = [new RingProducer(own), new RingConsumer(own)]
  for (let i = 0; i < 2_000_000; i++) {
    producer.words[producer.claim() >> 2] = i
    if ((i & 31) === 31) {
      producer.publish()
      while (consumer.take() >= 0);
      consumer.release()
    }
  }
}

warmUp()
const [producer, consumer] = [new RingProducer(ring), new RingConsumer(ring)]
Atomics.add(shared, 0, 1)
while (Atomics.load(shared, 0) < 2);
if (role === 'produce') produce(producer)
else parentPort?.postMessage(consume(consumer))
