import type { Medium, RecordStore, RecordsOptions } from '../../../src/index.ts'
import { openRecords, RecordBatch } from '../../../src/index.ts'
import type { Random } from '../../support/random.ts'
import type { Reattach } from '../../support/workload.ts'
import type { RecordsOracle } from './oracle.ts'

export interface RecordsWorkload {
  readonly random: Random
  readonly steps: number
  /** Keys there are, and the longest value. */
  readonly keys: number
  readonly longest: number
}

/** No cache: what is read has been on the medium. */
const OPTIONS: RecordsOptions = { cacheBytes: 0, checkpointBytes: 1 << 30 }
const LEVELS = ['flushed', 'flushed', 'fua', 'buffered'] as const

const bytesOf = (text: string) => Buffer.from(text, 'latin1')

/**
 * Writes of all kinds with compactions, checkpoints and restarts among them, each promise noted. On a ring that is a few times the
 * data, so that it is gone round again and again.
 */
export async function runRecordsWorkload(
  medium: Medium,
  reattach: Reattach,
  oracle: RecordsOracle,
  workload: RecordsWorkload,
): Promise<void> {
  const { random, steps } = workload
  let store = await openRecords(medium, OPTIONS)
  await oracle.opened(store)
  for (let step = 0; step < steps; step++) {
    const what = random.below(100)
    if (what < 64) await burst(store, oracle, workload)
    else if (what < 72) await store.checkpoint()
    else if (what < 82) await store.compact()
    else if (what < 88) await meanwhile(store, oracle, workload)
    else {
      oracle.count(store)
      if (what < 94) {
        await store.close()
        oracle.synced()
      } else await write(store, oracle, workload, 'buffered')
      const again = await reattach()
      store = await openRecords(again, OPTIONS)
      await oracle.opened(store)
    }
  }
  oracle.count(store)
  await store.close()
  oracle.synced()
}

async function burst(store: RecordStore, oracle: RecordsOracle, workload: RecordsWorkload): Promise<void> {
  const { random } = workload
  const level = LEVELS[random.below(LEVELS.length)]
  const pending: Promise<void>[] = []
  for (let i = 1 + random.below(4); i > 0; i--) pending.push(write(store, oracle, workload, level))
  if (random.chance(85)) await Promise.all(pending)
  if (random.chance(15)) {
    await store.sync()
    oracle.synced()
  }
}

/** Writes while a checkpoint or a compaction runs. */
async function meanwhile(store: RecordStore, oracle: RecordsOracle, workload: RecordsWorkload): Promise<void> {
  const running = workload.random.chance(50) ? store.checkpoint() : store.compact()
  const writes = [1, 2, 3].map(() => write(store, oracle, workload, 'flushed'))
  await Promise.all([running, ...writes])
}

async function write(
  store: RecordStore,
  oracle: RecordsOracle,
  { random, keys, longest }: RecordsWorkload,
  level: (typeof LEVELS)[number],
): Promise<void> {
  const key = () => `k${random.below(keys)}`
  const value = () =>
    Buffer.from(random.bytes(random.chance(10) ? longest : random.below(longest / 6))).toString('latin1')
  const batch = new RecordBatch()
  const changes: ((content: Map<string, string>) => void)[] = []
  const put = (name: string, text: string) => {
    batch.put(bytesOf(name), bytesOf(text))
    changes.push((content) => void content.set(name, text))
  }
  const remove = (name: string) => {
    batch.delete(bytesOf(name))
    changes.push((content) => void content.delete(name))
  }
  const what = random.below(100)
  if (what < 55) put(key(), value())
  else if (what < 70) remove(key())
  else if (what < 93)
    for (let i = 2 + random.below(4); i > 0; i--) random.chance(75) ? put(key(), value()) : remove(key())
  else {
    const [first, last] = [key(), key()].sort()
    batch.clear(bytesOf(first), bytesOf(last))
    changes.push((content) => {
      for (const name of content.keys()) if (name >= first && name <= last) content.delete(name)
    })
  }
  // The number before the promise: writes count in the order in which they were made.
  const number = oracle.writing((content) => {
    for (const change of changes) change(content)
  })
  await store.write(batch, level)
  if (level !== 'buffered') oracle.acknowledged(number)
}
