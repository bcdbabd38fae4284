// Messages a second through a ring of 1,024 slots of 64 bytes between two workers, of which both ends write and check the
// first and the last word. Both ends spin, so two free cores are needed. `best window` is that of 32,768 messages.
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { benchCases } from '@parakernel/tool-bench'
import { createRing } from '../src/index.ts'

const COUNT = 4_000_000

async function millionPerSecond(batch: number) {
  const ring = createRing({ slots: 1024, slotBytes: 64, wake: new SharedArrayBuffer(64) })
  const gate = new SharedArrayBuffer(8)
  const start = (role: string) =>
    new Worker(new URL('./workers/ring-end.ts', import.meta.url), {
      workerData: { role, ring, gate, batch, count: COUNT },
    })
  const [consumer, producer] = [start('consume'), start('produce')]
  const exits = [once(consumer, 'exit'), once(producer, 'exit')]
  const [result] = (await once(consumer, 'message')) as [{ seconds: number; best: number; right: boolean }]
  await Promise.all(exits)
  if (!result.right) throw new Error('a message arrived that was not sent')
  return { value: COUNT / result.seconds / 1e6, 'best window': result.best / 1e6 }
}

const batches = [1, 8, 32, 128]
await benchCases(
  import.meta,
  { title: 'ring between two workers', unit: 'M messages/s', better: 'more', baseline: 'batches of 1' },
  Object.fromEntries(batches.map((batch) => [`batches of ${batch}`, () => millionPerSecond(batch)])),
)
