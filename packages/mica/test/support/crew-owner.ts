/** The owner of a CREW partition, in a worker: keeps rewriting its keys until it is told to stop. */
import { workerData } from 'node:worker_threads'
import type { WasmMemory } from '@parakernel/hal'
import { type KernelChoice, type MicaMode, MicaPartition, MicaStore } from '../../src/index.ts'
import { keyOf } from './harness.ts'

const { memory, mode, kernel, keys, control } = workerData as {
  memory: WasmMemory
  mode: MicaMode
  kernel: KernelChoice
  keys: number
  control: Int32Array
}

const partition = new MicaPartition({ memory, mode, kernel, concurrency: 'CREW', buckets: 8, maxValueBytes: 2048 })
const store = new MicaStore(partition)

/** A value names its key and is the same number throughout, so that a torn copy shows. */
function value(key: number, round: number): Uint8Array {
  const words = new Uint32Array(2 + ((round * 7 + key) % 200)).fill(round)
  words[0] = key
  return new Uint8Array(words.buffer)
}

let round = 0
while (Atomics.load(control, 1) === 0) {
  round++
  for (let key = 0; key < keys; key++) {
    if (round > 1 && (key + round) % 5 === 0) store.delete(keyOf(key))
    else {
      try {
        store.set(keyOf(key), value(key, round))
      } catch {
        // Store mode may be full for a moment; the keys that are there still have to read right.
      }
    }
  }
  Atomics.store(control, 0, round)
  Atomics.notify(control, 0)
}
