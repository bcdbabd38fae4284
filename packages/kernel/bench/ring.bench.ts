// Messages a second through a ring of 1,024 slots of 64 bytes between two workers, of which both ends write and check the
// first and the last word. Both ends spin, so two free cores are needed. `best` is the best window of 32,768 messages.
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { createRing } from '../src/index.ts'

const COUNT = 4_000_000

async function run(batch: number): Promise<{ seconds: number; best: number; right: boolean }> {
  const ring = createRing({ slots: 1024, slotBytes: 64, wake: new SharedArrayBuffer(64) })
  const gate = new SharedArrayBuffer(8)
  const start = (role: string) =>
    new Worker(new URL('./workers/ring-end.ts', import.meta.url), {
      workerData: { role, ring, gate, batch, count: COUNT },
    })
  const [consumer, producer] = [start('consume'), start('produce')]
  const exits = [once(consumer, 'exit'), once(producer, 'exit')]
  const [result] = await once(consumer, 'message')
  await Promise.all(exits)
  return result
}

console.log('batch   average M/s   best M/s')
for (const batch of [1, 8, 32, 128]) {
  const runs = [await run(batch), await run(batch), await run(batch)]
  if (!runs.every(({ right }) => right)) throw new Error('a message arrived that was not sent')
  const average = COUNT / Math.min(...runs.map(({ seconds }) => seconds)) / 1e6
  const best = Math.max(...runs.map((each) => each.best)) / 1e6
  console.log(`${String(batch).padStart(5)}   ${average.toFixed(1).padStart(11)}   ${best.toFixed(1).padStart(8)}`)
}
