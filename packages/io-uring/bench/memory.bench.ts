/**
 * 4 KiB at random places of a file that lies in memory: what the software costs, and nothing else. `us CPU` is the time of all
 * threads of the process for one operation.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { probeIoUring } from '@parakernel/linux'
import { type BenchCase, benchCases } from '@parakernel/tool-bench'
import { fio } from './support/fio.ts'
import type { Load } from './support/load.ts'
import { callbacks, synchronous, withPromises } from './support/node-fs.ts'
import { ours } from './support/ours.ts'
import { MEMORY_FOLDER, scratchFile } from './support/scratch-file.ts'

const BYTES = 256 << 20
const SECONDS = Number(process.env.PARAKERNEL_BENCH_SECONDS ?? 1)
const READ_WRITE = 2

const PEERS: Readonly<Record<string, (load: Load) => ReturnType<BenchCase>>> = {
  'fs promises': (load) => withPromises(load, READ_WRITE),
  'io-uring': (load) => ours(load, 'spin'),
  'fs callbacks': (load) => callbacks(load, READ_WRITE),
  fio,
}

const cases: Record<string, BenchCase> = {}
for (const writes of [false, true]) {
  for (const depth of [1, 32]) {
    const load = { bytes: BYTES, writes, depth, seconds: SECONDS }
    const name = `${writes ? 'write' : 'read'} depth ${depth}`
    for (const [peer, run] of Object.entries(PEERS)) {
      cases[`${name}: ${peer}`] = () => run({ ...load, path: scratchFile(MEMORY_FOLDER, BYTES) })
    }
    if (depth === 1) {
      cases[`${name}: fs ${writes ? 'writeSync' : 'readSync'}`] = () =>
        synchronous({ ...load, path: scratchFile(MEMORY_FOLDER, BYTES) }, READ_WRITE)
    }
  }
}

await benchCases(
  import.meta,
  {
    title: '4 KiB at random places of a file in memory',
    unit: 'operations/s',
    better: 'more',
    baseline: (name) => `${name.slice(0, name.indexOf(':'))}: fs promises`,
    compare: ['us CPU'],
    unavailable: (name) => {
      if (!existsSync(MEMORY_FOLDER)) return `needs a tmpfs at ${MEMORY_FOLDER}`
      const ring = probeIoUring()
      if (!name.includes('fs ') && !ring.available) return ring.missing
      if (name.endsWith('fio') && spawnSync('fio', ['--version']).error !== undefined) return 'needs fio'
      return undefined
    },
  },
  cases,
)
