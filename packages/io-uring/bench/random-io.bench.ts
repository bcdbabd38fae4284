/**
 * 4 KiB at random places of one file on a disk, past the page cache, by depth: operations a second of the backend, of fio with the
 * same means, and of node:fs. The disk of a virtual machine swings by a factor of five within minutes: only cases of one round compare.
 */
import { spawnSync } from 'node:child_process'
import { probeIoUring } from '@parakernel/linux'
import { type BenchCase, benchCases } from '@parakernel/tool-bench'
import { fio } from './support/fio.ts'
import type { Load } from './support/load.ts'
import { callbacks, withPromises } from './support/node-fs.ts'
import { ours } from './support/ours.ts'
import { DIRECT, DISK_FOLDER, scratchFile } from './support/scratch-file.ts'

const BYTES = 1 << 30
const SECONDS = Number(process.env.PARAKERNEL_BENCH_SECONDS ?? 1)
const DEPTHS = [1, 32, 128]

const PEERS: Readonly<Record<string, (load: Load) => ReturnType<BenchCase>>> = {
  fio,
  'io-uring, polls': (load) => ours(load, 'spin'),
  'io-uring, sleeps': (load) => ours(load, 'sleep'),
  'fs callbacks': (load) => callbacks(load, DIRECT),
  'fs promises': (load) => withPromises(load, DIRECT),
}

const cases: Record<string, BenchCase> = {}
for (const writes of [false, true]) {
  for (const depth of DEPTHS) {
    for (const [peer, run] of Object.entries(PEERS)) {
      cases[`${writes ? 'write' : 'read'} depth ${depth}: ${peer}`] = () =>
        run({ path: scratchFile(DISK_FOLDER, BYTES), bytes: BYTES, writes, depth, seconds: SECONDS })
    }
  }
}

await benchCases(
  import.meta,
  {
    title: '4 KiB at random places of a file, past the page cache',
    unit: 'operations/s',
    better: 'more',
    baseline: (name) => `${name.slice(0, name.indexOf(':'))}: fio`,
    compare: ['us CPU'],
    unavailable: (name) => {
      const ring = probeIoUring()
      if (!name.includes('fs ') && !ring.available) return ring.missing
      return spawnSync('fio', ['--version']).error === undefined ? undefined : 'needs fio'
    },
  },
  cases,
)
