import { parentPort, workerData } from 'node:worker_threads'
import { WakeWord } from '../../src/index.ts'

// Consumes `total` items, asleep whenever there are none. Answers how often it slept, and how often a sleep ran into its
// limit although there was work: a lost wake-up.
const { wake, items, total, limit } = workerData as {
  wake: SharedArrayBuffer
  items: SharedArrayBuffer
  total: number
  limit: number
}
const word = new WakeWord(wake)
const published = new Int32Array(items)
let consumed = 0
let sleeps = 0
let lost = 0
parentPort?.postMessage('ready')
while (consumed < total) {
  const available = Atomics.load(published, 0)
  if (available !== consumed) {
    consumed = available
    Atomics.store(published, 1, consumed)
    continue
  }
  const sequence = word.announce()
  if (Atomics.load(published, 0) !== consumed) {
    word.cancel()
    continue
  }
  sleeps++
  const start = performance.now()
  word.sleep(sequence, limit)
  if (performance.now() - start >= limit && Atomics.load(published, 0) !== consumed) lost++
}
parentPort?.postMessage({ consumed, sleeps, lost })
