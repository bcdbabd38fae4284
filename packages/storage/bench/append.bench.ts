/**
 * What an append costs by itself. On persistent memory it is durable when it returns, against libpmemlog in C on the same file system
 * (tmpfs written back by cache line, as if it were persistent memory); on blocks in memory it is staged, and committed by the hundred.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { benchCases } from '@parakernel/tool-bench'
import { measurePmemlog, pmemlogMissing } from '../../pmem/bench/peer.ts'
import { type Log, makeLog, openLog } from '../src/index.ts'
import { openRealMedium } from '../test/support/real-media.ts'
import { createRig } from '../test/support/rig.ts'

const RECORDS = 50_000
const TRIALS = 15
const GROUP = 100
const MEMORY = '/dev/shm'

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]

/** Nanoseconds of an append, of which `group` share a commit. */
function appends(log: Log, size: number, group: number, committed: () => void): number {
  const record = new Uint8Array(new SharedArrayBuffer(size)).fill(7)
  const start = performance.now()
  for (let i = 0; i < RECORDS; i += group) {
    for (let k = 0; k < group; k++) if (log.append(record, 'flushed') < 0) throw new Error('refused')
    log.commit()
    committed()
  }
  return ((performance.now() - start) * 1e6) / RECORDS
}

async function onMemory(size: number, group: number): Promise<number> {
  const folder = mkdtempSync(`${MEMORY}/pk-append-`)
  try {
    const bytes = 65_536 + Math.ceil((RECORDS * (size + 48) * 1.2) / 65_536) * 65_536
    const { medium, close } = await openRealMedium({ kind: 'pmem', path: `${folder}/log`, size: bytes })
    await makeLog(medium)
    const log = await openLog(medium)
    const trials: number[] = []
    for (let i = 0; i <= TRIALS; i++) {
      trials.push(appends(log, size, group, () => {}))
      await log.truncate(log.next)
    }
    await log.close()
    await close()
    return median(trials.slice(1))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function onBlocks(size: number): Promise<number> {
  const blocks = Math.ceil((RECORDS * (size + 48) * 1.5) / 4096) + 64
  const rig = createRig({ blocks, blockSize: 4096, volatileCache: false, frames: 512 })
  await rig.run(() => makeLog(rig.medium))
  const log = await rig.run(() => openLog(rig.medium))
  const trials: number[] = []
  for (let i = 0; i <= TRIALS; i++) {
    trials.push(
      appends(log, size, GROUP, () => {
        while (log.durable < log.next) rig.loop.runOnce()
      }),
    )
    await rig.run(() => log.truncate(log.next))
  }
  return median(trials.slice(1))
}

function libpmemlog(size: number): number {
  const folder = mkdtempSync(`${MEMORY}/pk-append-`)
  try {
    return median(measurePmemlog(folder, size, RECORDS, TRIALS + 1).slice(1))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const cases = [64, 256, 1024].flatMap((size) => [
  [`libpmemlog, ${size} B`, () => libpmemlog(size)] as const,
  [`persistent memory, each committed, ${size} B`, () => onMemory(size, 1)] as const,
  [`persistent memory, ${GROUP} a commit, ${size} B`, () => onMemory(size, GROUP)] as const,
  [`blocks, ${GROUP} a commit, ${size} B`, () => onBlocks(size)] as const,
])

await benchCases(
  import.meta,
  {
    title: 'appends to the log',
    unit: 'ns per record',
    better: 'less',
    baseline: (name) => name.replace(/^.*, /, 'libpmemlog, '),
    unavailable: (name) => (name.startsWith('libpmemlog') ? pmemlogMissing() : undefined),
  },
  Object.fromEntries(cases),
)
