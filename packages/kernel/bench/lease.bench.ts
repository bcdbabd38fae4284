// What it costs to lend a queue of an emulated NIC and to have it back. With a worker each way is a message and its answer.
import { createNetwork } from '@parakernel/emulated'
import { createPlainWindow } from '@parakernel/hal'
import { benchCases } from '@parakernel/tool-bench'
import { type LeaseOwner, LeaseTable, spawnPartition } from '../src/index.ts'
import type { LeaseScript } from '../test/workers/lease-partition.ts'

const MODULE = new URL('../test/workers/lease-partition.ts', import.meta.url).href
const DEADLINE = 2e6

/** Microseconds for a grant and the end of its lease, at the median. */
async function roundTrip(count: number, partition: LeaseScript | undefined, timeout: number): Promise<number> {
  const network = createNetwork()
  const nic = network.nic({ queues: 1 })
  const window = createPlainWindow(64)
  const table = new LeaseTable()
  const owner: LeaseOwner = { name: 'holder', window, holder: undefined }
  table.grant({ kind: 'frames', window }, owner)
  const handle =
    partition === undefined
      ? undefined
      : spawnPartition({
          ...{ name: 'holder', index: 0, partitions: 1, module: MODULE, grants: [], window, data: partition },
          ...{ heap: { byteOffset: 0, byteLength: 0 }, incoming: [], outgoing: [] },
          ...{ cpu: undefined, wait: { kind: 'hybrid' }, hostModule: undefined },
        })
  await handle?.ready
  owner.holder = handle
  const times: number[] = []
  for (let i = 0; i < count; i++) {
    const start = performance.now()
    const lease = await table.give({ kind: 'net-queue', device: nic, queue: 0 }, owner)
    await table.revoke(lease, timeout)
    times.push((performance.now() - start) * 1e3)
  }
  await handle?.stop()
  await network.close()
  return times.sort((a, b) => a - b)[times.length >> 1]
}

await benchCases(
  import.meta,
  { title: 'grant and revoke a queue', unit: 'us', better: 'less', baseline: 'nobody to ask' },
  {
    'nobody to ask': () => roundTrip(2_000, undefined, 0),
    'a worker that gives it back': () => roundTrip(1_000, { onRevoke: 'orderly' }, 1e9),
    'a worker that ignores it, deadline 2 ms': () => roundTrip(100, { onRevoke: 'ignore' }, DEADLINE),
  },
)
